"""Convolutions with reflection padding to a few channels."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from ift.narrow.kernel import PIXELS, TAPS, Order, write_narrow
from ift.native.machine_code import MachineCode
from ift.native.processor import Blocking, given_or_this
from ift.native.reflected import reflected
from ift.native.suited import check_features, suited
from ift.native.team import together

_FEW = 4
"""Channels, of which all sums of neighbouring pixels are in registers."""

_ROWS = 8
"""That a thread takes at once, at most: of 8 it reads 10. It should take as many blocks at least."""


@dataclass(frozen=True)
class NarrowFilters:
    """Weights of a convolution, as the program reads them.

    Attributes:
        weights: (C/L, 3, 3, C', L, 1) float32, L lanes of a vector; or (C/2L, 3, 3, C', L, 2) bfloat16, pairs.
        bias: (C') float32.
        blocking: that they are meant for.
    """

    weights: Tensor
    bias: Tensor
    blocking: Blocking

    @property
    def paired(self) -> bool:
        """Whether they are pairs of bfloat16."""
        return self.weights.dtype == torch.bfloat16

    @property
    def channels(self) -> int:
        """C."""
        return self.weights.shape[0] * self.weights.shape[4] * self.weights.shape[5]

    @classmethod
    def of(cls, weight: Tensor, bias: Tensor, blocking: Blocking | None = None) -> NarrowFilters:
        """As pairs where weights are bfloat16 and the processor multiplies such; nothing is rounded.

        Args:
            weight: (C', C, 3, 3), which `suits` has agreed to.
            bias: (C').
            blocking: this processor's, if not given.
        """
        blocking = given_or_this(blocking)
        channels_out, channels, _, _ = weight.shape
        paired = blocking.pairs and weight.dtype == torch.bfloat16 and channels % (2 * blocking.lanes) == 0
        together = 2 if paired else 1
        vectors = weight.reshape(channels_out, -1, blocking.lanes, together, TAPS, TAPS)
        vectors = vectors.permute(1, 4, 5, 0, 2, 3).to(torch.bfloat16 if paired else torch.float32)
        return cls(vectors.contiguous(), bias.float(), blocking)


def suits(weight: Tensor) -> bool:
    """Whether `convolve_narrow` can do the work of these weights here, and is the fastest way."""
    divided = suited(weight)
    if divided is None:
        return False
    channels_out, channels, height, width = weight.shape
    return (height, width) == (TAPS, TAPS) and channels_out <= _FEW and channels % divided.lanes == 0


def convolve_narrow(features: Tensor, filters: NarrowFilters) -> Tensor:
    """A convolution with reflection padding. All sums are float32.

    Args:
        features: (B, C, H, W), H and W at least 2, float32 or bfloat16.
        filters: of C input channels.

    Returns:
        (B, C', H, W) of the same type, channels last.

    Raises:
        ValueError: the features do not fit the filters.
    """
    batch, channels, height, width = features.shape
    check_features(features, filters.channels)
    dtype = features.dtype
    if filters.paired:
        features = features.to(torch.bfloat16)
    features = features.contiguous(memory_format=torch.channels_last)
    channels_out, depth = len(filters.bias), channels // (2 if filters.paired else 1)
    result = torch.empty(batch, channels_out, height, width, dtype=features.dtype, memory_format=torch.channels_last)
    rows, columns = reflected(height, height, width * depth), reflected(width, width + PIXELS - 1, depth)
    lanes, threads = filters.blocking.lanes, torch.get_num_threads()
    bias = torch.zeros(-(-PIXELS * channels_out // lanes) * lanes)
    bias[: PIXELS * channels_out] = filters.bias.repeat(PIXELS)
    dump = torch.empty(channels_out)
    program = _program(filters.blocking, channels_out, features.dtype == torch.bfloat16, filters.paired)
    for source, target in zip(features, result, strict=True):
        order = Order(
            source=source.data_ptr(),
            rows=ctypes.addressof(rows),
            columns=ctypes.addressof(columns),
            filters=filters.weights.data_ptr(),
            bias=bias.data_ptr(),
            result=target.data_ptr(),
            dump=dump.data_ptr(),
            depth=depth,
            height=height,
            width=width,
            block=max(1, min(_ROWS, height // (_ROWS * threads))),
        )
        together(program, ctypes.addressof(order), threads)
    return result.to(dtype)


@cache
def _program(blocking: Blocking, channels_out: int, half: bool, paired: bool) -> MachineCode:
    name = "convolve_narrow_bfloat16" if half else "convolve_narrow_float32"
    return MachineCode(write_narrow(name, blocking, channels_out, half=half, paired=paired), name)
