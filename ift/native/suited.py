"""Which tensors programs in machine code are for."""

from __future__ import annotations

import torch
from torch import Tensor

from ift.native.processor import Blocking, features, this_blocking

_TYPES = (torch.float32, torch.bfloat16)


def suited(tensor: Tensor) -> Blocking | None:
    """How to divide work on such a tensor; None where PyTorch is to do it, because a program cannot, or is slower.

    Outside inference mode it cannot, for there is no gradient. Processors with matrix units (AMX) multiply bfloat16
    ten times as fast as float32; programs know float32 and pairs of bfloat16, at twice the rate.
    """
    if tensor.device.type != "cpu" or tensor.dtype not in _TYPES or not torch.is_inference_mode_enabled():
        return None
    if tensor.dtype == torch.bfloat16 and "amx-bf16" in features():
        return None
    return this_blocking()


def check_features(features: Tensor, channels: int) -> None:
    """Refuses features, (B, C, H, W), that the program of a 3×3 convolution with reflection cannot read.

    Args:
        features: to be convolved.
        channels: C of the filters.

    Raises:
        ValueError: they do not fit.
    """
    shape, dtype = tuple(features.shape), features.dtype
    if shape[1] != channels or min(shape[2:]) < 2 or features.device.type != "cpu" or dtype not in _TYPES:
        raise ValueError(
            f"features of {shape}, {dtype}, on {features.device}: filters of {channels} channels want "
            f"(B, {channels}, H, W), H and W at least 2, float32 or bfloat16, on the CPU"
        )
