"""ReLU of convolutions without padding, of few channels or of one pixel."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache, lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from ift.direct.kernel import Order, write_direct
from ift.native.code import DEPTH_STEP
from ift.native.machine_code import MachineCode
from ift.native.processor import Blocking, given_or_this
from ift.native.suited import suited
from ift.native.team import together


@dataclass(frozen=True)
class DirectFilters:
    """Weights of a convolution, as the program reads them.

    Attributes:
        weights: (C'/S, depth, S, 1) float32, in strips of S output channels; or (C'/S, depth, S, 2) bfloat16, pairs.
        bias: (C') float32.
        size: K, of K×K pixels.
        channels: C.
        blocking: that the strips are made for.
    """

    weights: Tensor
    bias: Tensor
    size: int
    channels: int
    blocking: Blocking

    @property
    def paired(self) -> bool:
        """Whether they are pairs of bfloat16."""
        return self.weights.dtype == torch.bfloat16

    @classmethod
    def of(cls, weight: Tensor, bias: Tensor, blocking: Blocking | None = None) -> DirectFilters:
        """As pairs where weights are bfloat16 and the processor multiplies such; nothing is rounded.

        Args:
            weight: (C', C, K, K), which `suits` has agreed to.
            bias: (C').
            blocking: this processor's, if not given.
        """
        blocking = given_or_this(blocking)
        channels_out, channels, size, _ = weight.shape
        # What a filter sees lies in K lines of K·C numbers that follow each other.
        lines = weight.permute(0, 2, 3, 1).reshape(channels_out, size, size * channels)
        paired = blocking.pairs and weight.dtype == torch.bfloat16
        lines = _pairs(lines) if paired else lines.float().unsqueeze(-1)
        numbers = lines.flatten(1, 2)
        numbers = functional.pad(numbers, (0, 0, 0, -numbers.shape[1] % DEPTH_STEP))
        strips = numbers.reshape(-1, blocking.columns, *numbers.shape[1:])
        return cls(strips.transpose(1, 2).contiguous(), bias.float(), size, channels, blocking)


def _pairs(lines: Tensor) -> Tensor:
    """(C', K, n) to (C', K, ⌈n/2⌉, 2). Of an odd number, the last is with the one before it, which is taken times 0."""
    if lines.shape[-1] % 2:
        lines = torch.cat([lines[..., :-1], torch.zeros_like(lines[..., :1]), lines[..., -1:]], -1)
    return lines.reshape(*lines.shape[:2], -1, 2)


@lru_cache(256)
def _places(size: int, channels: int, row: int, paired: bool) -> ctypes.Array[ctypes.c_int64]:
    """Where each number or pair is, from a pixel on; rows of the source are so many numbers apart.

    Up to the depth of the filters: what is behind the rest is taken times 0, and may be anything that is there.
    """
    length = size * channels
    in_line = [min(place, length - 2) for place in range(0, length, 2)] if paired else list(range(length))
    places = [line * row + place for line in range(size) for place in in_line]
    places += places[-1:] * (-len(places) % DEPTH_STEP)
    return (ctypes.c_int64 * len(places))(*places)


def suits(weight: Tensor) -> bool:
    """Whether `convolve_direct` can do the work of these weights here, and is the fastest way."""
    divided = suited(weight)
    if divided is None or (weight.dtype == torch.bfloat16 and not divided.pairs):
        return False
    return weight.shape[0] % divided.columns == 0 and weight[0].numel() >= 2


def convolve_direct(features: Tensor, filters: DirectFilters) -> Tensor:
    """ReLU of a convolution without padding. All sums are float32.

    Args:
        features: (B, C, H, W), float32, or for filters of pairs bfloat16.
        filters: of C input channels.

    Returns:
        (B, C', H − K + 1, W − K + 1) of the same type, channels last.

    Raises:
        ValueError: the features do not fit the filters.
    """
    batch, channels, height, width = features.shape
    dtype = torch.bfloat16 if filters.paired else torch.float32
    if channels != filters.channels or min(height, width) < filters.size or features.dtype != dtype:
        raise ValueError(
            f"features of {tuple(features.shape)}, {features.dtype}: filters of {filters.channels} channels and "
            f"{filters.size}×{filters.size} pixels want (B, {filters.channels}, H, W), {dtype}"
        )
    features = features.contiguous(memory_format=torch.channels_last)
    height_out, width_out, channels_out = height - filters.size + 1, width - filters.size + 1, len(filters.bias)
    size_out = (batch, channels_out, height_out, width_out)
    result = torch.empty(size_out, dtype=dtype, memory_format=torch.channels_last)
    places = _places(filters.size, channels, width * channels, filters.paired)
    dump = torch.empty(channels_out, dtype=dtype)
    program, threads = _program(filters.blocking, filters.paired), torch.get_num_threads()
    for source, target in zip(features, result, strict=True):
        order = Order(
            source=source.data_ptr(),
            places=ctypes.addressof(places),
            filters=filters.weights.data_ptr(),
            bias=filters.bias.data_ptr(),
            result=target.data_ptr(),
            dump=dump.data_ptr(),
            source_step=channels,
            source_row=width * channels,
            depth=len(places),
            channels_out=channels_out,
            height=height_out,
            width=width_out,
            threads=threads,
        )
        together(program, ctypes.addressof(order), threads)
    return result


@cache
def _program(blocking: Blocking, paired: bool) -> MachineCode:
    name = "convolve_direct_bfloat16" if paired else "convolve_direct_float32"
    return MachineCode(write_direct(name, blocking, paired=paired), name)
