"""Sums over pixels on CPUs, in one pass over the features as they are."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from functools import cache, lru_cache

import torch
from torch import Tensor

from ift.gram.kernel import Order, write_gram
from ift.native.machine_code import MachineCode
from ift.native.processor import Blocking, given_or_this
from ift.native.suited import suited
from ift.native.team import together

_BLOCK = 256
"""Pixels whose products are summed in float32. Half as many take 2 to 6 % longer."""

_FAINT = 1e-3
"""Spread as a share of a channel's Σx² below which an origin must be taken off first: of equal numbers, float32 sums of
256 are off by up to 4e-6. In photos and paintings 3e-3 is the least that a channel has."""


def suits(pixels: Tensor) -> bool:
    """Whether `gram` can do the work here, and is the fastest way; arguments as there."""
    divided = suited(pixels)
    return divided is not None and pixels.is_contiguous() and pixels.shape[-1] % divided.columns == 0


def gram(pixels: Tensor, near_mean: Callable[[], Tensor], blocking: Blocking | None = None) -> tuple[Tensor, Tensor]:
    """The mean of x, and Σ (x − mean)(x − mean)ᵀ / n.

    Args:
        pixels: (n, C) float32 or bfloat16.
        near_mean: gives an origin, (C); called if sums about zero would not do.
        blocking: this processor's, if not given.

    Returns:
        (C) float64, and (C, C) float32; sums of up to 256 pixels have been rounded to float32.
    """
    blocking = given_or_this(blocking)
    assert pixels.is_contiguous()
    if blocking.pairs and pixels.dtype == torch.bfloat16:
        sums, products = _summed(pixels, None, blocking)
        squares = products.diagonal()
        if bool((squares - sums.square() / len(pixels) >= _FAINT * squares).all()):
            return _centred(sums, products, len(pixels))
    origin = near_mean().float()
    mean, covariance = _centred(*_summed(pixels, origin, blocking), len(pixels))
    return mean + origin, covariance


def _centred(sums: Tensor, products: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """From float64 sums, of products right of the diagonal."""
    mean = sums / count
    return mean, mirrored(torch.addr(products, mean, mean, beta=1 / count, alpha=-1).float())


def _summed(pixels: Tensor, origin: Tensor | None, blocking: Blocking) -> tuple[Tensor, Tensor]:
    """Σ x and, right of the diagonal, Σ x xᵀ of x = pixels − origin, float64; as pairs where there is no origin."""
    count, channels = pixels.shape
    threads = min(torch.get_num_threads(), math.ceil(count / _BLOCK))
    sums = torch.zeros(threads, channels, dtype=torch.float64)
    products = torch.zeros(threads, channels, channels, dtype=torch.float64)
    scratch = torch.empty(threads, _BLOCK, channels)
    order = Order(
        source=pixels.data_ptr(),
        origin=0 if origin is None else origin.data_ptr(),
        sums=sums.data_ptr(),
        products=products.data_ptr(),
        scratch=scratch.data_ptr(),
        pixels=count,
        channels=channels,
        block=_BLOCK,
        threads=threads,
    )
    program = _program(blocking, pixels.dtype == torch.bfloat16, origin is None)
    together(program, ctypes.addressof(order), threads)
    return sums.sum(0), products.sum(0)


def mirrored(upper: Tensor) -> Tensor:
    """The symmetric matrix, given what is right of its diagonal and on it, (…, C, C); the rest may be anything."""
    # Turned by a copy first, which goes block by block, where other operators jump from row to row.
    return torch.where(_right(upper.shape[-1], upper.device), upper, upper.mT.contiguous())


@lru_cache
def _right(size: int, device: torch.device) -> Tensor:
    """Whether an entry is right of the diagonal, or on it."""
    with torch.inference_mode(False):
        return torch.ones(size, size, dtype=torch.bool, device=device).triu()


@cache
def _program(blocking: Blocking, half: bool, paired: bool) -> MachineCode:
    name = "gram_pairs" if paired else "gram_bfloat16" if half else "gram_float32"
    return MachineCode(write_gram(name, blocking, half=half, paired=paired), name)
