"""Against the definition: results of whole tiles, in float64 but for the factors that are rounded."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ift.winograd.convolution import PAIRS, SINGLES
from ift.winograd.cook_toom import as_tensor
from ift.winograd.rounding import importance, rounded


def nested(name, transforms=PAIRS):
    return torch.kron(*(as_tensor(getattr(each, name)) for each in (transforms.down, transforms.across)))


def factors(filters, seed, transforms=PAIRS):
    generator = torch.Generator().manual_seed(seed)
    return nested("filter", transforms) @ torch.randn(9, filters, generator=generator, dtype=torch.float64)


def resembling(tiles, alike, seed):
    """(N, tiles) inputs of pictures whose neighbours are so much alike, less the one in the middle of two tiles."""
    down, across = PAIRS.down.products, PAIRS.across.products
    wide = PAIRS.across.results + across
    noise = torch.randn(tiles, down, wide, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    mixing = [
        torch.linalg.cholesky(alike ** (torch.arange(n).unsqueeze(1) - torch.arange(n)).abs().double())
        for n in (down, wide)
    ]
    pixels = mixing[0] @ noise @ mixing[1].mT
    pixels = pixels - pixels[:, down // 2, PAIRS.across.results, None, None]
    left, right = pixels[:, :, :across], pixels[:, :, PAIRS.across.results :]
    return torch.cat([left, right]).flatten(1).mT


def squared_error(errors, inputs):
    """Of results, on average over filters and tiles."""
    products = errors.mT.unsqueeze(-1) * (nested("input") @ inputs)
    return float((nested("output") @ products).square().sum(1).mean())


@pytest.mark.parametrize("alike", [0.5, 0.8, 0.95])
def test_results_are_off_by_less_than_with_the_nearest_numbers(alike):
    """Also where pictures are rougher or smoother than supposed."""
    exact, inputs = factors(64, seed=1), resembling(200, alike, seed=2)
    ours, nearest = (squared_error(each.double() - exact, inputs) for each in (rounded(exact, PAIRS), exact.bfloat16()))
    assert ours < 0.4 * nearest


def test_what_matters_is_the_mean_square_of_what_results_are_off_by():
    errors, inputs = factors(1, seed=3), resembling(20_000, 0.8, seed=4)
    expected = float(errors.mT @ importance(PAIRS) @ errors)
    assert squared_error(errors, inputs) == pytest.approx(expected, rel=0.05)


@given(st.integers(1, 40), st.integers(0, 99), st.sampled_from([PAIRS, SINGLES]))
def test_they_stay_near_and_what_is_bfloat16_stays_what_it_is(filters, seed, transforms):
    exact = factors(filters, seed, transforms)
    found = rounded(exact, transforms)
    assert found.dtype == torch.bfloat16 and found.shape == exact.shape
    largest = float(exact.abs().max())
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=largest * 2.0**-5)
    assert torch.equal(rounded(found, transforms), found)
