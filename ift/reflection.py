"""Reflection by a pixel on each side, which every 3×3 convolution wants."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def reflect(features: Tensor) -> Tensor:
    """Pads (B, C, H, W), H and W at least 2, by a pixel on each side.

    A caller that lets go of the original here saves its memory.
    """
    if features.device.type == "cpu" and not torch.is_inference_mode_enabled():
        return functional.pad(features, (1, 1, 1, 1), mode="reflect")
    padded: Tensor = ReflectBySlices.apply(features)
    return padded


class ReflectBySlices(torch.autograd.Function):
    """The same by slices, channels last: for GPUs, and for inference.

    On GPUs PyTorch's own brings channels first, so that each convolution after it turns them round again, and adds up
    its gradient by atomic operations: 16 × 64 × 256 × 256 in bfloat16 take 0.8 ms, and 324 ms with the way back, on an
    H200; like this 0.2 ms and 0.9 ms. On two CPU cores a picture of 1024×1024 takes 1.8 ms, and 0.3 like this.
    """

    @staticmethod
    def forward(context: Any, features: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H + 2, W + 2)."""
        batch, channels, height, width = features.shape
        size = (batch, channels, height + 2, width + 2)
        padded = torch.empty(size, dtype=features.dtype, device=features.device, memory_format=torch.channels_last)
        padded[:, :, 1:-1, 1:-1] = features
        padded[:, :, 0, 1:-1] = features[:, :, 1]
        padded[:, :, -1, 1:-1] = features[:, :, -2]
        padded[:, :, :, 0] = padded[:, :, :, 2]
        padded[:, :, :, -1] = padded[:, :, :, -3]
        return padded

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        """Each pixel gets what its images beyond the borders got."""
        (outer,) = gradients
        # Columns first: a corner belongs to the column that it lies in, and goes on from there to its row.
        columns = outer[:, :, :, 1:-1].clone(memory_format=torch.channels_last)
        columns[:, :, :, 1] += outer[:, :, :, 0]
        columns[:, :, :, -2] += outer[:, :, :, -1]
        inner = columns[:, :, 1:-1].contiguous(memory_format=torch.channels_last)
        inner[:, :, 1] += columns[:, :, 0]
        inner[:, :, -2] += columns[:, :, -1]
        return inner
