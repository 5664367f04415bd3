import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import max_pool2d, pad

from ift import winograd
from ift.native.processor import this_blocking
from ift.reflect_conv import ReflectConv
from ift.winograd import Filters, convolve, convolve_and_pool
from ift.winograd.convolution import PAIRS as PAIRED
from ift.winograd.cook_toom import as_tensor
from ift.winograd.rounding import rounded
from tests.blockings import BLOCKINGS, PAIRS, with_threads
from tests.layers import by_definition, error, layer, random

pairs = pytest.mark.skipif(PAIRS is None, reason="the processor does not multiply pairs of bfloat16")
pytestmark = pytest.mark.skipif(this_blocking() is None, reason="not a processor that it is written for")


@pytest.mark.parametrize("blocking", BLOCKINGS, ids=lambda each: f"{each.lanes} lanes")
@given(
    size=st.tuples(st.integers(2, 40), st.integers(2, 40)),
    channels=st.sampled_from([(16, 32), (32, 64), (48, 32)]),
    batch=st.integers(1, 3),
    threads=st.integers(1, 3),
    seed=st.integers(0, 99),
)
@settings(max_examples=25, deadline=None)
def test_it_is_the_definition_at_any_size(blocking, size, channels, batch, threads, seed):
    weight, bias = layer(*channels, seed=seed)
    x = random(batch, channels[0], *size, seed=seed)
    with with_threads(threads):
        result = convolve(x, Filters.of(weight, bias, blocking))
    assert result.is_contiguous(memory_format=torch.channels_last)
    assert error(result, by_definition(x, weight, bias).relu()) < 2e-5


@pytest.mark.parametrize("channels", [(64, 64), (128, 256), (512, 256)])
def test_as_many_channels_as_the_networks_have(channels):
    weight, bias = layer(*channels)
    x = random(1, channels[0], 61, 50).relu()
    assert error(convolve(x, Filters.of(weight, bias)), by_definition(x, weight, bias).relu()) < 2e-5


def test_bfloat16_is_rounded_once():
    """To the nearest: what else there is of error is that of float32."""
    weight, bias = (each.bfloat16() for each in layer(64, 64))
    x = random(1, 64, 30, 31).bfloat16()
    expected = by_definition(x, weight, bias).relu()
    result = convolve(x, Filters.of(weight.float(), bias))
    assert result.dtype == torch.bfloat16
    half_a_unit = 2.0**-8
    assert bool(((result.double() - expected).abs() <= expected.abs() * half_a_unit + 1e-4).all())
    assert (result == expected.bfloat16()).float().mean() > 0.99


@pairs
@given(
    tiles=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    channels=st.sampled_from([(32, 32), (64, 96), (96, 32)]),
    batch=st.integers(1, 2),
    threads=st.integers(1, 3),
    seed=st.integers(0, 99),
)
@settings(max_examples=25, deadline=None)
def test_pairs_are_minimal_filtering_with_factors_of_bfloat16(tiles, channels, batch, threads, seed):
    """As in float64, but that both factors are rounded: here with matrices instead of a program, and of packing."""
    weight, bias = (each.bfloat16() for each in layer(*channels, seed=seed))
    x = random(
        batch, channels[0], PAIRED.down.results * tiles[0], PAIRED.across.results * tiles[1], seed=seed
    ).bfloat16()
    filters = Filters.of(weight, bias, PAIRS)
    assert filters.paired
    with with_threads(threads):
        result = convolve(x, filters)
    expected = filtered_with_rounded_factors(x, weight, bias)
    assert result.dtype == torch.bfloat16
    assert error(result, expected) < 5e-3  # the result is rounded, and what is nearly halfway may go either way
    assert float((result.double() - expected).norm() / expected.norm()) < 2.2e-3


def filtered_with_rounded_factors(x, weight, bias):
    (output, filter_, input_), (output_across, filter_across, input_across) = exact(PAIRED.down), exact(PAIRED.across)
    padded = pad(x.double(), (1, 1, 1, 1), mode="reflect")
    tiles = padded.unfold(2, len(input_), len(output)).unfold(3, len(input_across), len(output_across))
    across = tiles.shape[3]  # (B, C, down, across, n, n')
    middle = tiles[:, :, :, ::2, len(input_) // 2, len(output_across)]  # one for two of them
    middle = middle.repeat_interleave(2, -1)[..., :across]
    tiles = tiles - middle[..., None, None]
    inputs = (input_ @ tiles @ input_across.mT).bfloat16().double()
    filters = (filter_ @ weight.double() @ filter_across.mT).permute(2, 3, 0, 1).flatten(0, 1)
    filters = rounded(filters, PAIRED).double().unflatten(0, (len(filter_), -1)).permute(2, 3, 0, 1)
    products = torch.einsum("bcyxij,ocij->boyxij", inputs, filters)
    of_the_middle = torch.einsum("bcyx,oc->boyx", middle, weight.double().sum((2, 3)).bfloat16().double())
    results = (
        (output @ products @ output_across.mT + of_the_middle[..., None, None])
        .transpose(3, 4)
        .flatten(4, 5)
        .flatten(2, 3)
    )
    return (results + bias.double().view(-1, 1, 1)).relu()


def exact(algorithm):
    return [as_tensor(matrix) for matrix in (algorithm.output, algorithm.filter, algorithm.input)]


@pairs
@pytest.mark.parametrize("channels", [(64, 64), (128, 256), (512, 256)])
def test_pairs_stay_near_the_definition(channels):
    """Within five times what rounding a result to bfloat16 costs, a root mean square of 2⁻⁹/√3 or so."""
    weight, bias = (each.bfloat16() for each in layer(*channels))
    x = random(1, channels[0], 61, 50).relu().bfloat16()
    expected = by_definition(x, weight, bias).relu()
    result = convolve(x, Filters.of(weight, bias, PAIRS))
    assert float((result.double() - expected).norm() / expected.norm()) < 5 * 2.0**-9


@pairs
def test_pairs_leave_one_colour_one_colour():
    """Errors that depended on the place in a tile would be a pattern."""
    weight, bias = (each.bfloat16() for each in layer(64, 64))
    x = random(1, 64, 1, 1).bfloat16().expand(1, 64, 21, 22)
    result = convolve(x, Filters.of(weight, bias, PAIRS))
    assert torch.equal(result, result[:, :, :1, :1].expand_as(result))
    assert error(result, by_definition(x, weight, bias).relu()) < 4e-3


def test_halves_are_rounded_to_even():
    """One input channel, one tap: what comes in goes out, and sums of two are halfway between bfloat16 numbers."""
    weight = torch.zeros(32, 16, 3, 3)
    weight[:, 0, 1, 1], weight[:, 1, 1, 1] = 1, 1
    x = torch.zeros(1, 16, 6, 6)
    x[:, 0], x[:, 1] = 1 + torch.arange(36).view(6, 6) / 128, 1 / 256
    result = convolve(x.bfloat16(), Filters.of(weight, torch.zeros(32)))
    assert torch.equal(result[0, 5].float(), (x[0, 0] + x[0, 1]).bfloat16().float())


def test_what_is_not_a_number_is_not_hidden():
    weight, bias = layer(16, 32)
    x = random(1, 16, 20, 20)
    x[0, 3, 10, 10] = torch.nan
    for dtype in (torch.float32, torch.bfloat16):
        result = convolve(x.to(dtype), Filters.of(weight, bias))
        assert bool(result[0, :, 9:12, 9:12].isnan().all())
        assert not bool(result[0, :, 0].isnan().any())  # two tiles away


@pytest.mark.parametrize("size", [(4, 6), (26, 38), (98, 104)], ids=str)
@pytest.mark.parametrize("blocking", [*BLOCKINGS, pytest.param(PAIRS, marks=pairs)], ids=str)
def test_pooling_leaves_the_greatest_and_says_what_is_lost(blocking, size):
    weight, bias = layer(64, 96)
    x = random(1, 64, *size)
    if blocking.pairs:
        weight, x = weight.bfloat16(), x.bfloat16()
    filters = Filters.of(weight, bias, blocking)
    whole = convolve(x, filters)
    greatest = max_pool2d(whole, 2)
    pooled, nothing = convolve_and_pool(x, filters, with_lost=False)
    assert nothing is None
    assert torch.equal(pooled, greatest)
    pooled, lost = convolve_and_pool(x, filters, with_lost=True)
    assert torch.equal(pooled, greatest)
    above = greatest.repeat_interleave(2, 2).repeat_interleave(2, 3)
    # Taken from what is not rounded yet; all three are then, each by half a unit.
    rounding = 3 * 2.0**-8 * float(whole.abs().max()) if blocking.pairs else 1e-6
    torch.testing.assert_close(lost, whole - above, rtol=0, atol=rounding)
    with pytest.raises(ValueError, match="cannot be divided"):
        convolve_and_pool(x[:, :, 1:], filters, with_lost=False)


def test_threads_make_no_difference(monkeypatch):
    filters, x = Filters.of(*layer(32, 32)), random(1, 32, 100, 90)
    alone = convolve(x, filters)
    with with_threads(3):
        assert torch.equal(convolve(x, filters), alone)
        # As where PyTorch brings no OpenMP that can be called.
        monkeypatch.setattr("ift.native.team._openmp", lambda: None)
        assert torch.equal(convolve(x, filters), alone)


def test_a_layer_takes_this_way_for_inference_and_the_plain_one_where_there_are_gradients():
    layer = ReflectConv(32, 32)
    x = random(1, 32, 17, 12)
    plain = layer(x)
    assert plain.requires_grad
    with torch.inference_mode():
        fast = layer(x)
        assert error(fast, plain.detach()) < 2e-5
        assert torch.equal(fast, convolve(x, Filters.of(layer.weight, layer.bias)))


def test_a_layer_notices_that_its_weights_have_changed():
    layer = ReflectConv(32, 32)
    x = random(1, 32, 17, 12)
    with torch.inference_mode():
        before = layer(x)
    optimizer = torch.optim.SGD(layer.parameters(), 1.0)
    layer(x).sum().backward()
    optimizer.step()
    with torch.inference_mode():
        after = layer(x)
    assert not torch.allclose(after, before)
    assert error(after, layer(x).detach()) < 2e-5
    layer.load_state_dict(ReflectConv(32, 32).state_dict())
    with torch.inference_mode():
        torch.testing.assert_close(layer(x), convolve(x, Filters.of(layer.weight, layer.bias)))


def test_a_copy_of_a_layer_makes_its_own():
    layer = ReflectConv(32, 32)
    x = random(1, 32, 9, 9)
    with torch.inference_mode():
        expected = layer(x)
        size = len(pickle.dumps(layer))
        assert size < 1.5 * 4 * layer.weight.numel()
        for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
            assert torch.equal(twin(x), expected)


@pytest.mark.parametrize(
    "features",
    [
        torch.rand(1, 48, 9, 9),
        torch.rand(1, 32, 1, 9),
        torch.rand(1, 32, 9, 9).double(),
        torch.rand(1, 32, 9, 9).half(),
    ],
)
def test_features_that_do_not_fit_are_refused(features):
    with pytest.raises(ValueError, match="filters of 32 channels want"):
        convolve(features, Filters.of(*layer(32, 32)))


@pairs
def test_pairs_are_of_bfloat16_and_as_many_as_two_vectors_hold():
    weight, bias = (each.bfloat16() for each in layer(32, 32))
    with pytest.raises(ValueError, match="pairs want bfloat16"):
        convolve(torch.rand(1, 32, 9, 9), Filters.of(weight, bias, PAIRS))
    with torch.inference_mode():
        assert winograd.suits(weight) and not winograd.suits(weight[:, :16])


def test_a_layer_refuses_what_pytorch_refuses():
    layer = ReflectConv(32, 32)
    for wrong in (torch.rand(1, 48, 9, 9), torch.rand(1, 32, 9, 9).double()):
        with torch.inference_mode(), pytest.raises((ValueError, RuntimeError)):
            layer(wrong)


@pytest.mark.parametrize(("channels", "channels_out"), [(3, 64), (64, 3), (20, 64)])
def test_odd_channels_are_not_for_it(channels, channels_out):
    with torch.inference_mode():
        assert not winograd.suits(torch.empty(channels_out, channels, 3, 3))
        assert not winograd.suits(torch.empty(64, 64, 1, 1))
        assert not winograd.suits(torch.empty(64, 64, 3, 3, dtype=torch.float64))
        assert winograd.suits(torch.empty(64, 64, 3, 3))
    assert not winograd.suits(torch.empty(64, 64, 3, 3))
