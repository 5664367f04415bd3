"""AdaIN: adaptive instance normalisation (Huang & Belongie, ICCV 2017)."""

from __future__ import annotations

import torch

from ift.affine import AffineMap
from ift.moments import Moments
from ift.transformations.square_root import about_the_means, floored


def adain_map(content: Moments, style: Moments) -> AffineMap:
    """A = diag(σ_s / σ_c): each channel of the result has the style's mean and deviation, up to the floor.

    Args:
        content: moments of the content features, batch B.
        style: moments of the style features, batch B or 1.
    """
    variance_c, variance_s = (sigma.diagonal(dim1=-1, dim2=-2) for sigma in floored(content, style))
    return about_the_means(torch.diag_embed((variance_s / variance_c).sqrt()), content, style)
