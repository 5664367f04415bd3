import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import conv2d

from ift import direct
from ift.affine import AffineMap
from ift.direct import DirectFilters, convolve_direct
from ift.native.processor import this_blocking
from ift.reflect_conv import ReflectConv
from tests.blockings import BLOCKINGS, PAIRS, with_threads
from tests.layers import error, random

pairs = pytest.mark.skipif(PAIRS is None, reason="the processor does not multiply pairs of bfloat16")
pytestmark = pytest.mark.skipif(this_blocking() is None, reason="not a processor that it is written for")


def weights(channels, channels_out, size, seed=0):
    return random(channels_out, channels, size, size, seed=seed) / (size * channels**0.5), random(channels_out, seed=99)


def by_definition(x, weight, bias):
    return conv2d(x.double(), weight.double(), bias.double()).relu()


@pytest.mark.parametrize("blocking", [*BLOCKINGS, pytest.param(PAIRS, marks=pairs)], ids=repr)
@given(
    size=st.tuples(st.integers(3, 30), st.integers(3, 30)),
    layer=st.sampled_from([(3, 32, 3), (3, 64, 1), (5, 64, 2), (64, 32, 1), (6, 96, 3)]),
    batch=st.integers(1, 3),
    threads=st.integers(1, 3),
    seed=st.integers(0, 99),
)
@settings(max_examples=25, deadline=None)
def test_it_is_the_definition_at_any_size(blocking, size, layer, batch, threads, seed):
    weight, bias = weights(*layer, seed)
    x = random(batch, layer[0], *size, seed=seed)
    if blocking.pairs:
        weight, bias, x = weight.bfloat16(), bias.bfloat16(), x.bfloat16()
    filters = DirectFilters.of(weight, bias, blocking)
    assert filters.paired == blocking.pairs
    with with_threads(threads):
        result = convolve_direct(x, filters)
    assert result.dtype == x.dtype and result.is_contiguous(memory_format=torch.channels_last)
    # Rounded once, to the nearest: what else there is of error is that of sums in float32.
    expected, half_a_unit = by_definition(x, weight, bias), torch.finfo(x.dtype).eps / 2
    assert bool(((result.double() - expected).abs() <= expected * half_a_unit + 1e-5).all())


@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(torch.bfloat16, marks=pairs)])
def test_what_is_not_a_number_is_not_hidden_and_does_not_spread(dtype):
    """An odd count of numbers leaves one of a pair over: zero times it must not be what is beside it."""
    weight, bias = weights(3, 32, 3)
    x = random(1, 3, 12, 12).to(dtype)
    x[0, 1, 5, 7] = torch.nan
    bad = convolve_direct(x, DirectFilters.of(weight.to(dtype), bias))[0].isnan()
    expected = torch.zeros(10, 10, dtype=torch.bool)
    expected[3:6, 5:8] = True
    assert torch.equal(bad, expected.expand_as(bad))


def test_maps_and_the_first_layer_take_this_way():
    layer, picture = ReflectConv(3, 64), random(1, 3, 17, 13)
    map_, features = AffineMap(random(1, 64, 64) / 8, random(1, 64)), random(1, 64, 17, 13)
    plain = layer(picture), map_(features, relu=True)
    assert plain[0].requires_grad
    with torch.inference_mode():
        assert direct.suits(layer.weight) and error(layer(picture), plain[0].detach()) < 1e-6
        filters = DirectFilters.of(map_.matrix[0, :, :, None, None], map_.offset[0])
        assert torch.equal(map_(features, relu=True), convolve_direct(features, filters))
    assert error(plain[1], map_(features).relu()) < 1e-6


def test_features_that_do_not_fit_are_refused():
    filters = DirectFilters.of(*weights(3, 32, 3))
    for wrong in (torch.rand(1, 4, 9, 9), torch.rand(1, 3, 2, 9), torch.rand(1, 3, 9, 9).double()):
        with pytest.raises(ValueError, match="3 channels and 3×3 pixels want"):
            convolve_direct(wrong, filters)


@pairs
def test_pairs_are_of_bfloat16():
    weight, bias = weights(3, 32, 3)
    with pytest.raises(ValueError, match=r"want \(B, 3, H, W\), torch.bfloat16$"):
        convolve_direct(torch.rand(1, 3, 9, 9), DirectFilters.of(weight.bfloat16(), bias, PAIRS))
