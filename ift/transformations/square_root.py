"""Square roots of covariances, on which the closed-form transformations rest, made safe by a floor."""

from __future__ import annotations

import torch
from torch import Tensor

from ift.affine import AffineMap
from ift.moments import Moments
from ift.transformations.rounding import is_flat, natural_scale

_FLOOR = 1e-3
"""Of the mean variance of a channel: it bounds what a direction that the content lacks can be amplified by. Chosen by
eye: at 1e-6 a picture of two tones turns to noise in the style's colours, up to 1e-2 photos look the same."""


def floored(content: Moments, style: Moments) -> tuple[Tensor, Tensor]:
    """Both covariances with the same small multiple of the identity added, in float64.

    A floor on the content alone would make every transformation shrink what is faint; on both, a picture in its own
    style stays as it is, and what neither picture has keeps its strength.

    Args:
        content: moments of the content features, batch B.
        style: moments of the style features, batch B or 1.

    Returns:
        (B, C, C) Σ_c + εI and Σ_s + εI, with ε in proportion to the mean of their traces.
    """
    scale = natural_scale(content, style, content.covariance) + natural_scale(style, content, style.covariance)
    channels = content.mean.shape[-1]
    epsilon = (_FLOOR / 2 / channels * scale.double()).reshape(-1, 1, 1)
    identity = torch.eye(channels, dtype=torch.float64, device=content.mean.device)
    return content.covariance.double() + epsilon * identity, style.covariance.double() + epsilon * identity


def roots(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """(B, C, C) Σ^{1/2} and Σ^{−1/2} of a positive definite Σ, symmetric.

    Through eigenvectors, in float64: measured at 512 channels, three times faster than a Newton–Schulz iteration in
    float32, and exact however wide the spectrum is.
    """
    values, vectors = torch.linalg.eigh(covariance)
    # Rounding may leave the least ones at or below 0.
    scales = values.clamp_min(torch.finfo(values.dtype).eps * values[..., -1:]).sqrt().unsqueeze(-2)
    return (vectors * scales) @ vectors.mT, (vectors / scales) @ vectors.mT


def about_the_means(a: Tensor, content: Moments, style: Moments) -> AffineMap:
    """F' = A (F − μ_c) + μ_s; pictures of one colour, whose covariance is rounding, are only moved to μ_s.

    Args:
        a: (B, C, C) A, in any precision.
        content: moments of the content features, batch B.
        style: moments of the style features, batch B or 1.
    """
    identity = torch.eye(a.shape[-1], dtype=a.dtype, device=a.device)
    a = torch.where(is_flat(content).reshape(-1, 1, 1), identity, a).to(content.mean.dtype)
    return AffineMap.about(a, content.mean, style.mean)
