"""What is left of moments once rounding is taken off: no transformation may blow noise up to a style."""

from __future__ import annotations

import torch
from torch import Tensor

from ift.moments import Moments

NOTHING = 1e-12
"""A trace that stands for a black picture's: normalised features have a mean of 1."""

_ROUNDING = 1e-6
"""The share of a second moment below which a covariance is rounding; the faintest real pictures have 4e-5."""


def is_flat(content: Moments) -> Tensor:
    """(B,) whether a picture has one colour, so that its covariance is rounding."""
    return trace(content.covariance) <= _ROUNDING * content.power


def natural_scale(content: Moments, style: Moments, moment: Tensor) -> Tensor:
    """(B,) tr `moment`, but never so much smaller than the second moments that it is their rounding noise."""
    floors = 1e-4 * content.power, 1e-6 * style.power
    return torch.maximum(trace(moment), torch.maximum(*floors)).clamp_min(NOTHING)


def trace(matrix: Tensor) -> Tensor:
    """(B, C, C) to (B,)."""
    return matrix.diagonal(dim1=-1, dim2=-2).sum(-1)
