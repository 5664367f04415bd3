"""Fréchet distances: between the Gaussians of two sets of features."""

from __future__ import annotations

import torch
from torch import Tensor

from ift.moments import Moments


def frechet_distance(mean_a: Tensor, covariance_a: Tensor, mean_b: Tensor, covariance_b: Tensor) -> float:
    """‖μ_a − μ_b‖² + tr(Σ_a + Σ_b − 2(Σ_a^½ Σ_b Σ_a^½)^½), the squared 2-Wasserstein distance of two Gaussians.

    In float64 (Dowson & Landau 1982). Covariances may be singular. What rounding leaves below 0 counts as 0.

    Args:
        mean_a: (C,).
        covariance_a: (C, C), symmetric, positive semi-definite.
        mean_b: (C,).
        covariance_b: (C, C).
    """
    return frechet_distance_to(mean_a, root(covariance_a), mean_b, covariance_b)


def frechet_distance_to(mean_a: Tensor, root_a: Tensor, mean_b: Tensor, covariance_b: Tensor) -> float:
    """`frechet_distance` where `root` of the first covariance is known: the dearer half, for a set met often.

    Args:
        mean_a: (C,).
        root_a: (C, K), what `root` made of Σ_a.
        mean_b: (C,).
        covariance_b: (C, C).
    """
    covariance_b = covariance_b.double()
    # Any R with RRᵀ = Σ_a will do in place of Σ_a^½: the eigenvalues of RᵀΣ_bR are the same.
    common = torch.linalg.eigvalsh(root_a.T @ covariance_b @ root_a).clamp(min=0).sqrt().sum()
    traces = root_a.square().sum() + covariance_b.trace()
    distance = (mean_a.double() - mean_b.double()).square().sum() + traces - 2 * common
    return max(0.0, float(distance))


def root(covariance: Tensor) -> Tensor:
    """R with RRᵀ = Σ, (C, K) in float64, K the rank of Σ (C, C).

    What is left out is rounding in the precision that Σ comes in. Small pictures have fewer pixels than channels at
    relu4_1, and half the rank is a quarter of the work.
    """
    values, vectors = torch.linalg.eigh(covariance.double())
    kept = values > torch.finfo(covariance.dtype).eps * values[-1]
    return torch.mul(vectors[:, kept], values[kept].sqrt())


def descriptor_moments(descriptors: Tensor) -> Moments:
    """The moments, batch 1, of (n, C) descriptors in float64; those of parts add up to those of the whole."""
    return Moments.of(descriptors.double().T[None, :, :, None])


def set_frechet(descriptors_a: Tensor, descriptors_b: Tensor) -> float:
    """How far two sets of pictures are apart: the Fréchet distance of their descriptors, "vgg_frechet".

    Not FID: the features are the mean relu4_1 features of this project's encoder, not those of Inception, and the
    figures do not compare with published ones. Like FID it is *biased for few pictures*: two samples of one source
    look the further apart the smaller they are, about in inverse proportion. Two sets of photographs were 123 apart
    at 50 pictures each, 75 at 100 and 28 at 300, where 128 photographs and 128 paintings were 311 apart. Only
    compare figures of equally many pictures.

    Args:
        descriptors_a: (n, 512), n at least 1.
        descriptors_b: (m, 512).
    """
    return moments_frechet(descriptor_moments(descriptors_a), descriptor_moments(descriptors_b))


def moments_frechet(a: Moments, b: Moments) -> float:
    """`frechet_distance` of two moments of batch 1, which sets too large for memory are summed up to."""
    return frechet_distance(a.mean[0], a.covariance[0], b.mean[0], b.covariance[0])


def art_frechet(mean_lpips: float, vgg_frechet: float) -> float:
    """(1 + mean LPIPS to the contents) · (1 + `set_frechet` to the styles), lower is better.

    The form of ArtFID (Wright & Ommer 2022), which takes FID where this takes `set_frechet`: figures do not compare.
    """
    return (1 + mean_lpips) * (1 + vgg_frechet)
