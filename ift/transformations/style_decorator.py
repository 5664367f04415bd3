"""The style decorator of Avatar-Net (Sheng et al., CVPR 2018): whitened content patches become style patches."""

from __future__ import annotations

from torch import Tensor

from ift.affine import AffineMap
from ift.moments import Moments
from ift.transformations.patch_swap import swap_patches
from ift.transformations.square_root import floored, roots


def decorate(content: Tensor, style: Tensor, of_content: Moments, of_style: Moments) -> Tensor:
    """Whitens both, replaces each patch of the content by the style patch most like it, and recolours.

    Args:
        content: (1, C, H, W) features.
        style: (1, C, H', W') features at the same level.
        of_content: moments of the content's features.
        of_style: moments of the style's.

    Returns:
        (1, C, H, W), in the content's precision.
    """
    sigma_c, sigma_s = floored(of_content, of_style)
    colour, whiten_style = roots(sigma_s)
    whitened = _whitened(content, roots(sigma_c)[1], of_content.mean)
    swapped = swap_patches(whitened[0], _whitened(style, whiten_style, of_style.mean)[0])
    recolour = AffineMap(colour.to(of_style.mean.dtype), of_style.mean)
    return recolour(swapped.unsqueeze(0)).to(content.dtype)


def _whitened(features: Tensor, whiten: Tensor, mean: Tensor) -> Tensor:
    return AffineMap.about(whiten.to(mean.dtype), mean)(features.to(mean.dtype))
