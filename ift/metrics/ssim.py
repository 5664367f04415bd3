"""SSIM (Wang, Bovik, Sheikh & Simoncelli 2004) and MS-SSIM (Wang, Simoncelli & Bovik 2003)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

WINDOW = 11
"""Pixels on a side of the Gaussian window; its σ is 1.5."""

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of MS-SSIM, from the finest scale to the coarsest."""

_SIGMA = 1.5
_C1, _C2 = 0.01**2, 0.03**2
"""(K₁L)² and (K₂L)² with L = 1, the range of the values."""


def ssim(a: Tensor, b: Tensor) -> float:
    """The mean structural similarity of two planes; symmetric, at most 1, and 1 where they are equal.

    The mean is over the places where the whole window lies in the picture, and variances are divided by n: what
    scikit-image gives with `gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1`. Along a
    side shorter than the window the window is cut to it.

    Args:
        a: (H, W) in [0, 1], from 1×1 up.
        b: the same shape.
    """
    return _similarity(a, b)[0]


def ms_ssim(a: Tensor, b: Tensor) -> float:
    """SSIM over several scales, each half the last one's size; symmetric, 0 to 1, and 1 where the planes are equal.

    Π cs_j^{w_j} · SSIM_M^{w_M} with the contrast-structure term cs at the scales 1 … M−1. A scale whose term is
    negative counts as 0, and so does the whole. All five scales need a shorter side of 176 pixels; below that M is
    the number of scales at which the window fits, at least 1, and the weights are raised to sum to what five do:
    figures of smaller pictures compare among their own size only.

    Args:
        a: (H, W) in [0, 1], from 1×1 up.
        b: the same shape.
    """
    scales = scale_count(a.shape[-2], a.shape[-1])
    share = sum(SCALE_WEIGHTS[:scales]) / sum(SCALE_WEIGHTS)
    product = 1.0
    for scale, weight in enumerate(SCALE_WEIGHTS[:scales], start=1):
        similarity, contrast_structure = _similarity(a, b)
        term = similarity if scale == scales else contrast_structure
        product *= max(term, 0.0) ** (weight / share)
        if scale < scales:
            a, b = functional.avg_pool2d(torch.stack([a, b]), 2)
    return product


def scale_count(height: int, width: int) -> int:
    """How many of MS-SSIM's five scales a picture has room for, at least 1."""
    fitting = [scale for scale in range(len(SCALE_WEIGHTS)) if min(height, width) >> scale >= WINDOW]
    return max(1, len(fitting))


def _similarity(a: Tensor, b: Tensor) -> tuple[float, float]:
    """The means of SSIM and of its contrast-structure term."""
    moments = torch.stack([a, b, a * a, b * b, a * b])
    mean_a, mean_b, square_a, square_b, product = _smooth(moments)
    covariance = product - mean_a * mean_b
    variances = (square_a - mean_a.square()) + (square_b - mean_b.square())
    contrast_structure = (2 * covariance + _C2) / (variances + _C2)
    luminance = (2 * mean_a * mean_b + _C1) / (mean_a.square() + mean_b.square() + _C1)
    means = torch.stack([luminance * contrast_structure, contrast_structure]).mean((1, 2), dtype=torch.float64)
    similarity, structure = means.tolist()
    return similarity, structure


def _smooth(planes: Tensor) -> Tensor:
    """(C, H, W) under the Gaussian window, where it fits."""
    channels, height, width = planes.shape
    # As channels, last in memory: many times faster on a CPU than a batch of planes of one channel.
    x = planes.unsqueeze(0).contiguous(memory_format=torch.channels_last)
    rows, columns = (_gaussian(min(WINDOW, side)).to(x).expand(channels, 1, -1) for side in (height, width))
    x = functional.conv2d(x, rows.unsqueeze(-1), groups=channels)
    return functional.conv2d(x, columns.unsqueeze(-2), groups=channels).squeeze(0)


def _gaussian(taps: int) -> Tensor:
    position = torch.arange(taps, dtype=torch.float64) - (taps - 1) / 2
    weights = torch.exp(-position.square() / (2 * _SIGMA**2))
    return weights / weights.sum()
