import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from ift.native.processor import this_blocking
from ift.upsampling import bilinear, upsample
from tests.blockings import BLOCKINGS, PAIRS, with_threads
from tests.layers import random

pytestmark = pytest.mark.skipif(this_blocking() is None, reason="not a processor that it is written for")


def expected(features, skip=None, gate=0.0):
    plain = interpolate(features.double(), scale_factor=2, mode="bilinear", align_corners=False)
    return plain if skip is None else plain + gate * skip.double()


@pytest.mark.parametrize("blocking", [*BLOCKINGS, *([PAIRS] if PAIRS else [])], ids=repr)
@given(
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    channels=st.sampled_from([32, 96]),
    batch=st.integers(1, 3),
    gate=st.sampled_from([None, 0.3, 1.0]),
    threads=st.integers(1, 3),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    seed=st.integers(0, 99),
)
@settings(max_examples=30, deadline=None)
def test_it_is_the_definition_at_any_size(blocking, size, channels, batch, gate, threads, dtype, seed):
    x = random(batch, channels, *size, seed=seed).to(dtype)
    skip = None if gate is None else random(batch, channels, *(2 * side for side in size), seed=seed + 1).to(dtype)
    with with_threads(threads):
        result = bilinear.interpolate(x, skip, gate or 0.0, blocking)
    exact = expected(x, skip, gate or 0.0)
    assert result.dtype == dtype and result.is_contiguous(memory_format=torch.channels_last)
    half_a_unit = 2.0**-8 if dtype == torch.bfloat16 else 0
    assert bool(((result.double() - exact).abs() <= exact.abs() * half_a_unit + 2e-6).all())


@pytest.mark.parametrize("channels", [32, 20])
@pytest.mark.parametrize("inference", [True, False])
def test_the_same_inside_and_outside_of_inference_mode_whatever_the_channels(channels, inference):
    x, skip = random(2, channels, 5, 7), random(2, channels, 10, 14, seed=1)
    with torch.inference_mode(inference):
        torch.testing.assert_close(upsample(x, skip, 0.3).double(), expected(x, skip, 0.3), rtol=0, atol=2e-6)
        torch.testing.assert_close(upsample(x).double(), expected(x), rtol=0, atol=2e-6)


def test_gradients_reach_both():
    x, skip = (each.requires_grad_() for each in (random(1, 32, 5, 7), random(1, 32, 10, 14, seed=1)))
    upsample(x, skip, 0.3).sum().backward()
    torch.testing.assert_close(x.grad, torch.full_like(x, 4))
    torch.testing.assert_close(skip.grad, torch.full_like(skip, 0.3))
