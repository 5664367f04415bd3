"""WCT: whitening and colouring (Li et al., NeurIPS 2017)."""

from __future__ import annotations

from ift.affine import AffineMap
from ift.moments import Moments
from ift.transformations.square_root import about_the_means, floored, roots


def wct_map(content: Moments, style: Moments) -> AffineMap:
    """A = Σ_s^{1/2} Σ_c^{−1/2}: the result has the style's mean and covariance, up to the floor.

    Args:
        content: moments of the content features, batch B.
        style: moments of the style features, batch B or 1.
    """
    sigma_c, sigma_s = floored(content, style)
    return about_the_means(roots(sigma_s)[0] @ roots(sigma_c)[1], content, style)
