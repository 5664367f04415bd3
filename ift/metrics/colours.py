"""Colours: how far two pictures' are apart, and how colourful a picture is."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ift.metrics.frechet import frechet_distance
from ift.moments import Moments
from ift.oklab import oklab


def colour_moments(picture: Tensor) -> Moments:
    """The moments, batch 1, of the colours of (3, H, W) RGB in [0, 1], in Oklab, on the CPU."""
    moments = Moments.of(oklab(picture.movedim(0, -1)).movedim(-1, 0).unsqueeze(0))
    return Moments(moments.count.cpu(), moments.mean.cpu(), moments.covariance.cpu())


def colour_distance(a: Moments, b: Moments) -> float:
    """The 2-Wasserstein distance of the Gaussians of two pictures' colours, in units of Oklab.

    The difference between black and white is 1, a just visible one about 0.02.

    Args:
        a: what `colour_moments` gives.
        b: the same, or a mixture.
    """
    return math.sqrt(frechet_distance(a.mean[0], a.covariance[0], b.mean[0], b.covariance[0]))


def colourfulness(picture: Tensor) -> float:
    """σ + 0.3 μ of the opponent colours (Hasler & Süsstrunk 2003), on the scale 0 to 255.

    0 is grey, 15 slightly, 33 moderately, 45 averagely, 59 quite, 82 highly and 109 extremely colourful.

    Args:
        picture: (3, H, W) RGB in [0, 1].
    """
    red, green, blue = 255 * picture
    opponents = torch.stack([red - green, (red + green) / 2 - blue]).flatten(1).double()
    spread = torch.linalg.vector_norm(opponents.std(1, correction=0))
    return float(spread + 0.3 * torch.linalg.vector_norm(opponents.mean(1)))
