"""Convolution, bias and ReLU at once: by our own program, or by what oneDNN and cuDNN, below PyTorch, have for it.

PyTorch's own compiler uses their fused operators, but eager code reaches them only by their internal names. Where a
version or a device lacks something, or outside inference mode, the same is computed in the plain way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import functional

from ift import direct

_convolution = getattr(torch.ops.mkldnn, "_convolution_pointwise", None)
_cudnn = getattr(torch, "cudnn_convolution_relu", None) if torch.version.cuda else None


def conv2d_relu(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """ReLU of a convolution without padding, in one pass over memory.

    Args:
        x: (B, C, H, W).
        weight: (C', C, K, K).
        bias: (C').

    Returns:
        (B, C', H − K + 1, W − K + 1).
    """
    if direct.suits(weight) and x.dtype == weight.dtype:
        return direct.convolve_direct(x, direct.DirectFilters.of(weight, bias))
    fused: Tensor
    if _convolution is not None and _fuses(x):
        fused = _convolution(x, weight, bias, [0, 0], [1, 1], [1, 1], 1, "relu", [], "")
        return fused
    if _cudnn is not None and _fuses_on_gpu(x):
        fused = _cudnn(x, weight, bias, (1, 1), (0, 0), (1, 1), 1)
        return fused
    return functional.relu_(functional.conv2d(x, weight, bias))


@contextmanager
def products_of_bfloat16() -> Iterator[None]:
    """Within it, products of float32 matrices take their inputs for bfloat16 numbers, and add up in float32.

    For inputs that are bfloat16 numbers nothing is lost, and where the hardware multiplies these it is faster.
    """
    settings = getattr(torch.backends.mkldnn, "matmul", None)
    if settings is None:
        yield
        return
    before, settings.fp32_precision = settings.fp32_precision, "bf16"
    try:
        yield
    finally:
        settings.fp32_precision = before


def _fuses(x: Tensor) -> bool:
    available = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return bool(available) and _worth_it(x, "cpu")


def _fuses_on_gpu(x: Tensor) -> bool:
    return torch.backends.cudnn.enabled and _worth_it(x, "cuda")


def _worth_it(x: Tensor, device: str) -> bool:
    # In float32 the convolutions take so long that one pass less is lost in them; fused, there is no gradient.
    return x.device.type == device and x.dtype == torch.bfloat16 and torch.is_inference_mode_enabled()
