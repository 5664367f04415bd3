"""ReLU of a 3×3 convolution with reflection padding, by minimal filtering: what the networks call."""

from __future__ import annotations

import ctypes
import math
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cache, lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from ift.native.code import LINE
from ift.native.machine_code import MachineCode
from ift.native.processor import Blocking, given_or_this
from ift.native.reflected import reflected
from ift.native.suited import check_features, suited
from ift.native.team import together
from ift.winograd.cook_toom import TAPS, Nested, as_tensor, cook_toom
from ift.winograd.kernel import BESIDE, Ending, Order, Scratch, write_convolution
from ift.winograd.rounding import rounded

_FOUR = cook_toom([0, Fraction(11, 16), Fraction(-11, 16), Fraction(3, 2), Fraction(-3, 2)])
_SIX = cook_toom([0, 1, -1, 2, -2, Fraction(1, 2), Fraction(-1, 2)])
"""With points that round the least, found by trying on features of pictures."""

SINGLES = Nested(_SIX, _SIX)
"""F(6×6, 3×3) for float32: 64 products for 36 results, where the definition takes 324."""

PAIRS = Nested(_SIX, _FOUR)
"""F(6×4, 3×3) for pairs of bfloat16: 48 products for 24 results, at twice the rate."""

_OF_PAIRS, _FEW, _MANY = 16, 24, 64
"""Tiles that are worked on together, at most, of pairs, and of float32: what they take should stay near the processor,
but all filters are read once for them, of which many channels in float32 have many."""

_NEAR = 2 << 20
"""Bytes of what a block takes and the next one sees, up to which that is fetched ahead: beyond twice the cache of a
core it is gone again before it is wanted."""

_FILTERS_IN_TILES = 3
"""What reading the filters costs a block, as a number of tiles."""


@dataclass(frozen=True)
class Filters:
    """Weights of a convolution, transformed: seven times their memory in float32, five times as pairs.

    Attributes:
        transformed: (C'/S, N, C, S, 1) float32, N products and S output channels, as many as are worked on at a time;
            or (C'/S, N + 1, C/2, S, 2) bfloat16, with sums of taps behind the rest. There input channels are sorted,
            of as many as two vectors hold: those with even numbers before those with odd ones, as they are loaded.
        bias: (C') float32.
        blocking: that the strips are made for.
    """

    transformed: Tensor
    bias: Tensor
    blocking: Blocking

    @property
    def paired(self) -> bool:
        """Whether they are pairs of bfloat16."""
        return self.transformed.dtype == torch.bfloat16

    @property
    def channels(self) -> int:
        """C."""
        return self.transformed.shape[2] * self.transformed.shape[4]

    @property
    def transforms(self) -> Nested:
        """That they are meant for."""
        return PAIRS if self.paired else SINGLES

    @classmethod
    def of(cls, weight: Tensor, bias: Tensor, blocking: Blocking | None = None) -> Filters:
        """G g G'ᵀ in float64, then rounded: to bfloat16 where weights are, and the processor multiplies pairs of it.

        That is done by `rounding`, but for the sums of taps, which are rounded to the nearest.

        Args:
            weight: (C', C, 3, 3), which `suits` has agreed to.
            bias: (C').
            blocking: this processor's, if not given.
        """
        blocking = given_or_this(blocking)
        channels_out, channels, _, _ = weight.shape
        paired = blocking.pairs and weight.dtype == torch.bfloat16
        transforms, together = (PAIRS, 2) if paired else (SINGLES, 1)
        both = as_tensor(transforms.filter)
        if paired:
            both = torch.cat([both, torch.ones_like(both[:1])])
            weight = weight.view(channels_out, -1, blocking.lanes, 2, 3, 3).transpose(2, 3).flatten(1, 3)
        strips, width = channels_out // blocking.columns, blocking.columns
        shape = (strips, len(both), channels // together, width, together)
        transformed = torch.empty(shape, dtype=torch.bfloat16 if paired else torch.float32)
        for strip, taps in zip(transformed, weight.reshape(strips, width * channels, TAPS * TAPS), strict=True):
            products = both @ taps.double().mT  # one by one, for in float64 all would take twice the memory
            if paired:
                products[:-1] = rounded(products[:-1], transforms)
            strip.copy_(products.view(-1, width, channels // together, together).transpose(1, 2))
        return cls(transformed, bias.float(), blocking)


def suits(weight: Tensor) -> bool:
    """Whether `convolve` can do the work of these weights here, and is the fastest way."""
    divided = suited(weight)
    if divided is None:
        return False
    channels_out, channels, height, width = weight.shape
    at_once = divided.lanes * (2 if divided.pairs and weight.dtype == torch.bfloat16 else 1)
    return (height, width) == (TAPS, TAPS) and channels % at_once == 0 and channels_out % divided.columns == 0


def convolve_and_pool(features: Tensor, filters: Filters, *, with_lost: bool) -> tuple[Tensor, Tensor | None]:
    """Max pooling, 2×2, of `convolve`, while the result is at hand.

    Args:
        features: as for `convolve`, H and W even.
        filters: as for `convolve`.
        with_lost: whether to say what is lost.

    Returns:
        (B, C', H/2, W/2), and what pooling takes away from each pixel: itself less the greatest of its block,
        (B, C', H, W), or None.

    Raises:
        ValueError: the features do not fit the filters, or the size is odd.
    """
    height, width = features.shape[2:]
    if height % 2 or width % 2:
        raise ValueError(f"features of {height}×{width} cannot be divided into blocks of 2×2")
    ending = Ending.PARTED if with_lost else Ending.POOLED
    lost, pooled = _convolve(features, filters, ending)
    assert pooled is not None
    return pooled, lost


def convolve(features: Tensor, filters: Filters) -> Tensor:
    """ReLU of a convolution with reflection padding.

    All sums are float32. Relative to the largest number of a tile, rounding is about 1e-6; with filters of pairs,
    inputs are transformed and then rounded to bfloat16, whose error is two to nine times that of a bfloat16 result.

    Args:
        features: (B, C, H, W), H and W at least 2, float32 or bfloat16; for filters of pairs bfloat16.
        filters: of C input channels.

    Returns:
        (B, C', H, W) of the same type, channels last.

    Raises:
        ValueError: the features do not fit the filters.
    """
    result, _ = _convolve(features, filters, Ending.WHOLE)
    assert result is not None
    return result


def _convolve(features: Tensor, filters: Filters, ending: Ending) -> tuple[Tensor | None, Tensor | None]:
    """The result, or what is left of it, and the pooled one, as far as they are asked for."""
    channels, height, width = features.shape[1:]
    channels_out = len(filters.bias)
    check_features(features, filters.channels)
    if filters.paired and features.dtype != torch.bfloat16:
        raise ValueError(f"features are {features.dtype}: filters of pairs want bfloat16")
    features = features.contiguous(memory_format=torch.channels_last)
    result = pooled = None
    if ending != Ending.POOLED:
        result = _pictures(features, channels_out, height, width)
    if ending != Ending.WHOLE:
        pooled = _pictures(features, channels_out, height // 2, width // 2)
    half, threads = features.dtype == torch.bfloat16, torch.get_num_threads()
    plan = _plan(filters.blocking, channels, channels_out, height, width, threads, half=half, paired=filters.paired)
    memory = torch.empty(threads, plan.order.size, dtype=torch.uint8)
    program = _program(filters.blocking, half, filters.paired, ending)
    for number, source in enumerate(features):
        order = Order.from_buffer_copy(plan.order)
        order.source = source.data_ptr()
        order.filters, order.bias = filters.transformed.data_ptr(), filters.bias.data_ptr()
        order.result = 0 if result is None else result[number].data_ptr()
        order.pooled = 0 if pooled is None else pooled[number].data_ptr()
        order.scratch = memory.data_ptr()
        together(program, ctypes.addressof(order), threads)
    return result, pooled


class _Plan(NamedTuple):
    """What all convolutions of some sizes have in common.

    Attributes:
        order: without the addresses of what is read and written.
        rows: that it points to.
        columns: that it points to.
    """

    order: Order
    rows: ctypes.Array[ctypes.c_int64]
    columns: ctypes.Array[ctypes.c_int64]


@lru_cache(256)
def _plan(
    blocking: Blocking,
    channels: int,
    channels_out: int,
    height: int,
    width: int,
    threads: int,
    *,
    half: bool,
    paired: bool,
) -> _Plan:
    transforms = PAIRS if paired else SINGLES
    tall, wide = transforms.down.results, transforms.across.results
    down, across = math.ceil(height / tall), BESIDE * math.ceil(width / (BESIDE * wide))
    rows, columns = reflected(height, down * tall, width * channels), reflected(width, across * wide, channels)
    most = _OF_PAIRS if paired else _MANY if channels + channels_out >= 512 else _FEW
    block = _block(down * across, threads, blocking.rows, most)
    scratch = Scratch.of(transforms, blocking, channels, channels_out, block, paired=paired)
    order = Order(
        rows=ctypes.addressof(rows),
        columns=ctypes.addressof(columns),
        **asdict(scratch),
        channels=channels,
        channels_out=channels_out,
        height=height,
        width=width,
        tiles_across=across,
        tiles=down * across,
        block=block,
        threads=threads,
    )
    # The products of a block take turns with the rows of tiles, so each has a share of one row.
    seen = block * wide * channels * (2 if half else 4)
    if scratch.size + transforms.down.products * seen <= _NEAR:
        products = channels_out // blocking.columns * (transforms.products + paired)
        order.lines_ahead = math.ceil(seen / LINE / (products // transforms.down.products))
    return _Plan(order, rows, columns)


def _pictures(like: Tensor, channels: int, height: int, width: int) -> Tensor:
    return torch.empty(len(like), channels, height, width, dtype=like.dtype, memory_format=torch.channels_last)


@cache
def _program(blocking: Blocking, half: bool, paired: bool, ending: Ending) -> MachineCode:
    name = "convolve_bfloat16" if half else "convolve_float32"
    transforms = PAIRS if paired else SINGLES
    return MachineCode(write_convolution(name, transforms, blocking, half=half, paired=paired, ending=ending), name)


def _block(tiles: int, threads: int, rows: int, most: int) -> int:
    """Tiles to be worked on together, in full rows of registers, so that the thread with the most is done early."""

    def slowest(block: int) -> int:
        return math.ceil(math.ceil(tiles / block) / threads) * (block + _FILTERS_IN_TILES)

    return min(range(rows, most + 1, rows), key=slowest)
