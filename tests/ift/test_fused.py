import pytest
import torch
from torch.nn import functional

from ift.fused import conv2d_relu, products_of_bfloat16
from tests.devices import ON_A_GPU


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("device", "dtype"),
    [("cpu", torch.bfloat16), ("cpu", torch.float32), pytest.param("cuda", torch.bfloat16, marks=ON_A_GPU)],
)
@pytest.mark.parametrize("inference", [True, False])
def test_a_convolution_with_relu(device, dtype, inference):
    x = random(2, 8, 9, 7).to(device, dtype).contiguous(memory_format=torch.channels_last)
    weight, bias = random(16, 8, 3, 3, seed=1).to(device, dtype), random(16, seed=2).to(device, dtype)
    with torch.inference_mode(inference):
        result = conv2d_relu(x, weight, bias)
    exact = functional.conv2d(x.double(), weight.double(), bias.double()).clamp_min(0)
    assert result.dtype == dtype
    torch.testing.assert_close(result.double(), exact, rtol=torch.finfo(dtype).eps, atol=1e-5)


def test_products_of_bfloat16_numbers_lose_nothing():
    x = random(4096, 64).bfloat16().float()
    with products_of_bfloat16():
        result = x.T @ x
    torch.testing.assert_close(result.double(), x.double().T @ x.double(), rtol=1e-5, atol=1e-3)


def test_other_products_are_left_alone():
    x = random(256, 256)
    before = x @ x
    with pytest.raises(ZeroDivisionError), products_of_bfloat16():
        raise ZeroDivisionError
    assert torch.equal(x @ x, before)
    torch.testing.assert_close(before.double(), x.double() @ x.double(), rtol=1e-5, atol=1e-4)
