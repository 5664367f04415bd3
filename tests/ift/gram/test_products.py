import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ift.gram import gram, suits
from ift.moments import Moments
from ift.native.processor import features, this_blocking
from tests.blockings import BLOCKINGS, PAIRS, with_threads
from tests.layers import random

pytestmark = pytest.mark.skipif(this_blocking() is None, reason="not a processor that it is written for")


def directly(pixels):
    mean = pixels.double().mean(0)
    x = pixels.double() - mean
    return mean, x.T @ x / len(pixels)


def no_origin():
    raise AssertionError("sums about zero would have done")


def relative(result, expected):
    return float((result - expected).norm() / expected.norm())


@pytest.mark.parametrize("blocking", BLOCKINGS, ids=lambda each: f"{each.lanes} lanes")
@given(
    count=st.integers(1, 1500),
    channels=st.sampled_from([32, 64, 96]),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    threads=st.integers(1, 3),
    seed=st.integers(0, 99),
)
@settings(max_examples=25, deadline=None)
def test_sums_are_those_of_float64(blocking, count, channels, dtype, threads, seed):
    pixels, origin = (random(count, channels, seed=seed) + 2).to(dtype), random(channels, seed=seed + 1)
    with with_threads(threads):
        mean, covariance = gram(pixels, lambda: origin, blocking)
    expected_mean, expected = directly(pixels)
    assert mean.dtype == torch.float64 and covariance.dtype == torch.float32
    assert float((mean - expected_mean).abs().max()) < 3e-5  # a few times what float32 rounds of 256 sums
    # The sums are of squares about the origin, which is what their rounding is to be measured by.
    about = expected + torch.outer(expected_mean - origin.double(), expected_mean - origin.double())
    assert float((covariance - expected).norm()) < 4e-6 * float(about.norm())
    assert torch.equal(covariance, covariance.T)


def test_many_pixels_do_not_add_up_their_rounding():
    pixels = random(200_000, 32) + 1
    mean, covariance = gram(pixels, lambda: torch.zeros(32))
    expected = directly(pixels)
    assert relative(covariance, expected[1]) < 2e-6 and relative(mean, expected[0]) < 1e-6


def test_what_is_not_a_number_is_not_hidden():
    pixels = random(300, 32)
    pixels[17, 5] = torch.nan
    mean, covariance = gram(pixels, lambda: torch.zeros(32))
    assert mean.isnan().tolist() == [channel == 5 for channel in range(32)]
    assert covariance.isnan().any(0).all() and covariance[5].isnan().all() and not covariance[6, 7].isnan()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_moments_are_the_same_by_either_way(dtype):
    """In inference mode by this program, outside by PyTorch's products: of a batch, far from zero."""
    x = (random(2, 64, 40, 30) + 50).to(dtype).contiguous(memory_format=torch.channels_last)
    plain = Moments.of(x)
    with torch.inference_mode():
        # Matrix units are faster, so that both ways are PyTorch's.
        matrix_units = dtype == torch.bfloat16 and "amx-bf16" in features()
        assert suits(x.permute(0, 2, 3, 1).reshape(2, -1, 64)) != matrix_units
        fast = Moments.of(x)
    assert relative(fast.covariance, plain.covariance) < (2e-6 if dtype == torch.float32 else 2e-3)
    assert relative(fast.mean, plain.mean) < 1e-6


def test_other_features_are_not_for_it():
    with torch.inference_mode():
        assert suits(torch.empty(1, 9, 64))
        assert not suits(torch.empty(1, 9, 40))
        assert not suits(torch.empty(1, 64, 9).mT)
        assert not suits(torch.empty(1, 9, 64, dtype=torch.float64))
    assert not suits(torch.empty(1, 9, 64))


@pytest.mark.skipif(PAIRS is None, reason="the processor does not multiply pairs of bfloat16")
@given(
    count=st.integers(1, 1500),
    channels=st.sampled_from([32, 64, 96]),
    faint=st.sampled_from([1.0, 1e-2, 0.0]),
    where=st.sampled_from(["everywhere", "in one channel"]),
    threads=st.integers(1, 3),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_pairs_lose_nothing_of_what_is_faint(count, channels, faint, where, threads, seed):
    """What float32 rounds of large numbers must not be taken for what these differ by."""
    contrast = torch.full((channels,), faint if where == "everywhere" else 1.0)
    contrast[3] = faint
    pixels = (contrast * random(count, channels, seed=seed) + random(channels, seed=seed + 1).abs() + 1).bfloat16()
    origin = pixels[: 1 + count // 3].float().mean(0).bfloat16().float()
    with with_threads(threads):
        mean, covariance = gram(pixels, lambda: origin, PAIRS)
    expected_mean, expected = directly(pixels)
    assert float((mean - expected_mean).abs().max()) < 1e-5 * float(pixels.double().abs().mean(0).max())
    assert float((covariance - expected).norm()) <= 2e-3 * float(expected.norm()) + 1e-9
    assert float((covariance - expected)[3, 3].abs()) <= 2e-3 * float(expected[3, 3]) + 1e-9
    assert torch.equal(covariance, covariance.T)


@pytest.mark.skipif(PAIRS is None, reason="the processor does not multiply pairs of bfloat16")
def test_pairs_of_many_pixels_do_not_add_up_their_rounding():
    pixels = (random(200_000, 32) + 1).bfloat16()
    mean, covariance = gram(pixels, no_origin, PAIRS)
    expected = directly(pixels)
    assert relative(covariance, expected[1]) < 2e-6 and relative(mean, expected[0]) < 1e-6
