"""Twice the size, by bilinear interpolation."""

from __future__ import annotations

import ctypes
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from ift.native.machine_code import MachineCode
from ift.native.processor import Blocking
from ift.native.suited import suited
from ift.native.team import together
from ift.upsampling.kernel import Order, write_upsampling


def upsample(features: Tensor, skip: Tensor | None = None, gate: float = 0.0) -> Tensor:
    """The features at twice their size, and gate · skip added.

    Args:
        features: (B, C, H, W).
        skip: (B, C, 2H, 2W), of the same type.
        gate: how much of it.

    Returns:
        (B, C, 2H, 2W), of the same type; in machine code rounded once.
    """
    divided = suited(features)
    if divided is None or features.shape[1] % divided.columns:
        result = functional.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)
        return result if skip is None else result.add_(skip, alpha=gate)
    return interpolate(features, skip, gate, divided)


def interpolate(features: Tensor, skip: Tensor | None, gate: float, blocking: Blocking) -> Tensor:
    """What `upsample` does, in machine code: channels are a multiple of the blocking's columns."""
    batch, channels, height, width = features.shape
    features = features.contiguous(memory_format=torch.channels_last)
    skip = None if skip is None else skip.contiguous(memory_format=torch.channels_last)
    size = (batch, channels, 2 * height, 2 * width)
    result = torch.empty(size, dtype=features.dtype, memory_format=torch.channels_last)
    share = ctypes.c_float(gate)
    program = _program(blocking, features.dtype == torch.bfloat16, skip is not None)
    for picture in range(batch):
        order = Order(
            source=features[picture].data_ptr(),
            skip=0 if skip is None else skip[picture].data_ptr(),
            gate=ctypes.addressof(share),
            result=result[picture].data_ptr(),
            height=height,
            width=width,
            channels=channels,
        )
        together(program, ctypes.addressof(order), torch.get_num_threads())
    return result


@cache
def _program(blocking: Blocking, half: bool, with_skip: bool) -> MachineCode:
    name = "upsample_bfloat16" if half else "upsample_float32"
    return MachineCode(write_upsampling(name, blocking, half=half, with_skip=with_skip), name)
