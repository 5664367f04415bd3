"""Means over squares, at a cost that does not depend on their size."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ift.errors import SettingsError


def box_mean(x: Tensor, radius: int) -> Tensor:
    """The mean over the square of (2·radius + 1)² around each pixel, as far as it lies in the picture.

    Differences of running sums along rows, then along columns. They run in float64, where a sum over
    thousands of float32 values loses nothing that float32 could show.

    Args:
        x: (…, H, W), floating point.
        radius: in pixels, 0 or more; may exceed the picture.

    Returns:
        As `x`.

    Raises:
        SettingsError: `radius` is negative.
    """
    if radius < 0:
        raise SettingsError(f"the radius of a box filter is {radius}: it must be 0 or more")
    means = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    # Plane by plane, so that little is held in float64 at a time.
    for plane, mean in zip(x.reshape(-1, *x.shape[-2:]), means.view(-1, *x.shape[-2:]), strict=True):
        mean.copy_(_means_along_rows(_means_along_rows(plane.double(), radius).T, radius).T)
    return means


def _means_along_rows(x: Tensor, radius: int) -> Tensor:
    width = x.shape[-1]
    radius = min(radius, width - 1)
    sums = functional.pad(x, (radius + 1, radius)).cumsum(-1)
    index = torch.arange(width, device=x.device)
    counts = (index + radius).clamp(max=width - 1) - (index - radius).clamp(min=0) + 1
    return (sums[..., 2 * radius + 1 :] - sums[..., :width]) / counts
