"""OST: optimal transport between Gaussians (Lu et al., "A closed-form solution to universal style transfer", 2019)."""

from __future__ import annotations

from ift.affine import AffineMap
from ift.moments import Moments
from ift.transformations.square_root import about_the_means, floored, roots


def ost_map(content: Moments, style: Moments) -> AffineMap:
    """T = Σ_c^{−1/2} (Σ_c^{1/2} Σ_s Σ_c^{1/2})^{1/2} Σ_c^{−1/2}: what WCT reaches, with the least change.

    Args:
        content: moments of the content features, batch B.
        style: moments of the style features, batch B or 1.
    """
    sigma_c, sigma_s = floored(content, style)
    root, inverse = roots(sigma_c)
    return about_the_means(inverse @ roots(root @ sigma_s @ root)[0] @ inverse, content, style)
