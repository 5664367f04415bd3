import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ift import narrow
from ift.narrow import NarrowFilters, convolve_narrow
from ift.native.processor import this_blocking
from ift.reflect_conv import ReflectConv
from tests.blockings import BLOCKINGS, PAIRS, with_threads
from tests.layers import by_definition, error, layer, random

pytestmark = pytest.mark.skipif(this_blocking() is None, reason="not a processor that it is written for")


@pytest.mark.parametrize("blocking", BLOCKINGS, ids=lambda each: f"{each.lanes} lanes")
@given(
    size=st.tuples(st.integers(2, 30), st.integers(2, 30)),
    channels=st.sampled_from([16, 64, 48]),
    channels_out=st.integers(1, 4),
    batch=st.integers(1, 3),
    threads=st.integers(1, 3),
    seed=st.integers(0, 99),
)
@settings(max_examples=25, deadline=None)
def test_it_is_the_definition_at_any_size(blocking, size, channels, channels_out, batch, threads, seed):
    weight, bias = layer(channels, channels_out, seed)
    x = random(batch, channels, *size, seed=seed)
    with with_threads(threads):
        result = convolve_narrow(x, NarrowFilters.of(weight, bias, blocking))
    assert result.is_contiguous(memory_format=torch.channels_last)
    assert error(result, by_definition(x, weight, bias)) < 1e-6


@pytest.mark.parametrize("height", [64, 200, 257])
def test_it_is_the_definition_where_threads_take_many_rows_at_once(height):
    weight, bias = layer(16, 3)
    x = random(1, 16, height, 9)
    with with_threads(2):
        assert error(convolve_narrow(x, NarrowFilters.of(weight, bias)), by_definition(x, weight, bias)) < 1e-6


@pytest.mark.parametrize("blocking", [*BLOCKINGS, *([PAIRS] if PAIRS else [])], ids=repr)
def test_bfloat16_is_rounded_once(blocking):
    """To the nearest: what else there is of error is that of sums in float32."""
    weight, bias = (each.bfloat16() for each in layer(64, 3))
    x = random(2, 64, 30, 31).bfloat16()
    expected = by_definition(x, weight, bias)
    filters = NarrowFilters.of(weight, bias, blocking)
    assert filters.paired == blocking.pairs
    result = convolve_narrow(x, filters)
    assert result.dtype == torch.bfloat16
    half_a_unit = 2.0**-8
    assert bool(((result.double() - expected).abs() <= expected.abs() * half_a_unit + 1e-5).all())
    assert (result == expected.bfloat16()).float().mean() > 0.99


def test_a_layer_takes_this_way_for_inference_and_the_plain_one_where_there_are_gradients():
    torch.manual_seed(1)
    layer = ReflectConv(64, 3, relu=False)
    x = random(1, 64, 17, 12)
    plain = layer(x)
    assert plain.requires_grad and bool((plain < 0).any())
    with torch.inference_mode():
        fast = layer(x)
        assert error(fast, plain.detach()) < 1e-6
        assert torch.equal(fast, convolve_narrow(x, NarrowFilters.of(layer.weight, layer.bias)))


def test_what_is_not_a_number_is_not_hidden():
    x = random(1, 16, 20, 20)
    x[0, 3, 10, 10] = torch.nan
    for dtype in (torch.float32, torch.bfloat16):
        result = convolve_narrow(x.to(dtype), NarrowFilters.of(*layer(16, 3)))
        assert bool(result[0, :, 9:12, 9:12].isnan().all())
        assert result.isnan().sum() == 27


@pytest.mark.parametrize(
    "features", [torch.rand(1, 48, 9, 9), torch.rand(1, 32, 1, 9), torch.rand(1, 32, 9, 9).double()]
)
def test_features_that_do_not_fit_are_refused(features):
    with pytest.raises(ValueError, match="filters of 32 channels want"):
        convolve_narrow(features, NarrowFilters.of(*layer(32, 3)))


@pytest.mark.parametrize(("channels", "channels_out", "fits"), [(64, 3, True), (20, 3, False), (64, 64, False)])
def test_what_it_is_for(channels, channels_out, fits):
    with torch.inference_mode():
        assert narrow.suits(torch.empty(channels_out, channels, 3, 3)) == fits
    assert not narrow.suits(torch.empty(channels_out, channels, 3, 3))
