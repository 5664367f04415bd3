"""The guided filter of He, Sun & Tang (TPAMI 2013) with a colour guide: smooth, but with the guide's edges."""

from __future__ import annotations

from torch import Tensor

from ift.box_filter import box_mean
from ift.errors import SettingsError

GUIDED_EPSILON = 1e-3
"""ε for stylized photos: edges of the content fainter than about its root, 3 % of the range, do not count."""


def guided_filter(image: Tensor, guide: Tensor, radius: int, epsilon: float) -> Tensor:
    """The image as what the guide's colours, linearly in each neighbourhood, can say of it.

    In each square ω of (2·radius + 1)² pixels, an affine function of the guide I is fitted to the image p,

        (a, b) = argmin Σ_ω ((a·I + b − p)² + ε‖a‖²),   so  a = (Σ + ε)⁻¹ cov(I, p),  b = mean(p) − a·mean(I),

    and each pixel takes the mean over the squares that it lies in: q = mean(a)·I + mean(b). With a photo as guide
    and its stylized version as image, blotches and halos go while the photo's edges stay; with the shares of
    regions as image, they follow the photo's edges.

    Args:
        image: p, (B, K, H, W), floating point.
        guide: I, (B, 3, H, W), in [0, 1].
        radius: in pixels, 0 or more.
        epsilon: ε, above 0; what varies by less than √ε in a square counts as flat.

    Returns:
        q, as `image`.

    Raises:
        SettingsError: `radius` or `epsilon` is out of its range, or the shapes do not fit.
    """
    if not (radius >= 0 and epsilon > 0):
        raise SettingsError(f"radius {radius}, ε {epsilon}: a guided filter needs a radius of 0 or more and ε above 0")
    if guide.dim() != 4 or image.dim() != 4 or guide.shape != (len(image), 3, *image.shape[2:]):
        raise SettingsError(
            f"the image is {tuple(image.shape)}, the guide {tuple(guide.shape)}: give (B, K, H, W) and (B, 3, H, W)"
        )
    # In float64, because covariances are small differences of large means.
    guides, target = guide.double().unbind(1), image.double()
    means, mean_target = [box_mean(plane, radius) for plane in guides], box_mean(target, radius)

    def covariance(i: int, j: int) -> Tensor:
        spread = box_mean(guides[i] * guides[j], radius) - means[i] * means[j]
        return spread + epsilon if i == j else spread

    matrix = {(i, j): covariance(i, j).unsqueeze(1) for i in range(3) for j in range(i, 3)}
    right = [
        box_mean(plane.unsqueeze(1) * target, radius) - mean.unsqueeze(1) * mean_target
        for plane, mean in zip(guides, means, strict=True)
    ]
    slopes = _solve(matrix, right)
    result = mean_target
    for mean, slope in zip(means, slopes, strict=True):
        result = result - slope * mean.unsqueeze(1)
    result = box_mean(result, radius)
    for plane, slope in zip(guides, slopes, strict=True):
        result += box_mean(slope, radius) * plane.unsqueeze(1)
    return result.to(image.dtype)


def _solve(matrix: dict[tuple[int, int], Tensor], right: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Solve a symmetric positive definite 3×3 system per pixel, by its factors L D Lᵀ."""
    d0 = matrix[0, 0]
    l10, l20 = matrix[0, 1] / d0, matrix[0, 2] / d0
    d1, rest = matrix[1, 1] - l10 * matrix[0, 1], matrix[1, 2] - l10 * matrix[0, 2]
    l21 = rest / d1
    d2 = matrix[2, 2] - l20 * matrix[0, 2] - l21 * rest
    y0 = right[0]
    y1 = right[1] - l10 * y0
    y2 = right[2] - l20 * y0 - l21 * y1
    x2 = y2 / d2
    x1 = y1 / d1 - l21 * x2
    x0 = y0 / d0 - l10 * x1 - l20 * x2
    return x0, x1, x2
