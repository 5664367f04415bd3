import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import pad

from ift.reflection import ReflectBySlices, reflect


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("how", [reflect, ReflectBySlices.apply], ids=["cpu", "gpu"])
@given(height=st.integers(2, 6), width=st.integers(2, 6), seed=st.integers(0, 99))
def test_it_is_the_reflection_and_so_is_its_gradient(how, height, width, seed):
    ours, plain = (random(2, 3, height, width, seed=seed).requires_grad_() for _ in range(2))
    padded, expected = how(ours), pad(plain, (1, 1, 1, 1), mode="reflect")
    assert torch.equal(padded, expected)
    weights = random(*expected.shape, seed=seed + 1)
    (padded * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(ours.grad, plain.grad, rtol=1e-12, atol=1e-12)


def test_slices_keep_channels_last_and_the_precision():
    x = random(2, 8, 4, 6).bfloat16().contiguous(memory_format=torch.channels_last)
    padded = ReflectBySlices.apply(x)
    assert padded.is_contiguous(memory_format=torch.channels_last) and padded.dtype == torch.bfloat16
