"""ReLU of a 3×3 convolution with reflection padding, by F(6×6, 3×3): what the networks call."""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache

import torch
from torch import Tensor

from ift.native.machine_code import MachineCode
from ift.native.processor import Blocking, this_blocking
from ift.native.suited import TYPES, suited
from ift.native.team import together
from ift.winograd.cook_toom import TAPS, cook_toom
from ift.winograd.kernel import Order, scratch_size, write_convolution

TRANSFORMS = cook_toom([0, 1, -1, 2, -2, Fraction(1, 2), Fraction(-1, 2)])
"""64 products for 36 results, where the definition takes 324. A larger tile would save little, and round much more."""

_TILE, _SIDE = len(TRANSFORMS.output), len(TRANSFORMS.input)

_FEW, _MANY = 24, 64
"""Tiles that are worked on together, at most: what they take should stay near the processor, but all filters are read
once for them, of which many channels have many."""

_FILTERS_IN_TILES = 3
"""What reading the filters costs a block, as a number of tiles."""


@dataclass(frozen=True)
class Filters:
    """Weights of a convolution, transformed: seven times their memory.

    Attributes:
        transformed: (n², C'/S, C, S) float32, in strips of as many output channels as are worked on at a time.
        bias: (C') float32.
        blocking: that the strips are made for.
    """

    transformed: Tensor
    bias: Tensor
    blocking: Blocking

    @classmethod
    def of(cls, weight: Tensor, bias: Tensor, blocking: Blocking | None = None) -> Filters:
        """G g Gᵀ in float64, then rounded.

        Args:
            weight: (C', C, 3, 3), which `suits` has agreed to.
            bias: (C').
            blocking: this processor's, if not given.
        """
        blocking = blocking or this_blocking()
        assert blocking is not None, "see `suits`"
        channels_out, channels, _, _ = weight.shape
        matrix = torch.tensor([[float(each) for each in row] for row in TRANSFORMS.filter], dtype=torch.float64)
        both = torch.kron(matrix, matrix)
        strips = channels_out // blocking.columns
        transformed = torch.empty(_SIDE**2, strips, channels, blocking.columns)
        for number, strip in enumerate(weight.reshape(strips, blocking.columns * channels, TAPS * TAPS)):
            products = both @ strip.double().mT  # one by one, for in float64 all would take twice the memory
            transformed[:, number] = products.view(_SIDE**2, blocking.columns, channels).mT
        return cls(transformed, bias.float(), blocking)


def suits(weight: Tensor) -> bool:
    """Whether `convolve` can do the work of these weights here, and is the fastest way."""
    divided = suited(weight)
    if divided is None:
        return False
    channels_out, channels, height, width = weight.shape
    return (height, width) == (TAPS, TAPS) and channels % divided.lanes == 0 and channels_out % divided.columns == 0


def convolve(features: Tensor, filters: Filters) -> Tensor:
    """ReLU of a convolution with reflection padding.

    All sums are float32; relative to the largest number of a tile, rounding is about 1e-6.

    Args:
        features: (B, C, H, W), H and W at least 2, float32 or bfloat16.
        filters: of C input channels.

    Returns:
        (B, C', H, W) of the same type, channels last.

    Raises:
        ValueError: the features do not fit the filters.
    """
    batch, channels, height, width = features.shape
    channels_out, wanted = len(filters.bias), filters.transformed.shape[2]
    if channels != wanted or height < 2 or width < 2 or features.device.type != "cpu" or features.dtype not in TYPES:
        raise ValueError(
            f"features of {tuple(features.shape)}, {features.dtype}, on {features.device}: filters of {wanted} "
            f"channels want (B, {wanted}, H, W), H and W at least 2, float32 or bfloat16, on the CPU"
        )
    features = features.contiguous(memory_format=torch.channels_last)
    size = (batch, channels_out, height, width)
    result = torch.empty(size, dtype=features.dtype, memory_format=torch.channels_last)
    down, across = math.ceil(height / _TILE), math.ceil(width / _TILE)
    rows, columns = _reflected(height, down, width * channels), _reflected(width, across, channels)
    threads = torch.get_num_threads()
    most = _MANY if channels + channels_out >= 512 else _FEW
    block = _block(down * across, threads, filters.blocking.rows, most)
    scratch = torch.empty(threads, scratch_size(TRANSFORMS, channels, channels_out, block))
    program = _program(filters.blocking, features.dtype == torch.bfloat16)
    for source, target in zip(features, result, strict=True):
        order = Order(
            source=source.data_ptr(),
            rows=ctypes.addressof(rows),
            columns=ctypes.addressof(columns),
            filters=filters.transformed.data_ptr(),
            bias=filters.bias.data_ptr(),
            result=target.data_ptr(),
            scratch=scratch.data_ptr(),
            channels=channels,
            channels_out=channels_out,
            height=height,
            width=width,
            tiles_across=across,
            tiles=down * across,
            block=block,
        )
        together(program, ctypes.addressof(order), threads)
    return result


@cache
def _program(blocking: Blocking, half: bool) -> MachineCode:
    name = "convolve_bfloat16" if half else "convolve_float32"
    return MachineCode(write_convolution(name, TRANSFORMS, blocking, half=half), name)


@lru_cache(256)
def _block(tiles: int, threads: int, rows: int, most: int) -> int:
    """Tiles to be worked on together, in full rows of registers, so that the thread with the most is done early."""

    def slowest(block: int) -> int:
        return math.ceil(math.ceil(tiles / block) / threads) * (block + _FILTERS_IN_TILES)

    return min(range(rows, most + 1, rows), key=slowest)


@lru_cache(256)
def _reflected(size: int, tiles: int, step: int) -> ctypes.Array[ctypes.c_int64]:
    """Where the rows, or columns, that tiles need begin: reflected, and behind that anything that is there.

    Args:
        size: at least 2.
        tiles: that cover it.
        step: from one to the next.
    """
    wanted = range(-1, tiles * _TILE + 1)
    within = (abs(i) if i < size else max(2 * (size - 1) - i, 0) for i in wanted)
    return (ctypes.c_int64 * len(wanted))(*(i * step for i in within))
