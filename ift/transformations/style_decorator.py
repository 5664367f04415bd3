"""The style decorator of Avatar-Net (Sheng et al., CVPR 2018): whitened content patches become style patches."""

from __future__ import annotations

from torch import Tensor

from ift.affine import AffineMap
from ift.moments import Moments
from ift.transformations.patch_swap import swap_patches
from ift.transformations.square_root import floored, roots


def decorate(content: Tensor, style: Tensor) -> Tensor:
    """Whitens both, replaces each patch of the content by the style patch most like it, and recolours.

    Args:
        content: (1, C, H, W) features.
        style: (1, C, H', W') features at the same level.

    Returns:
        (1, C, H, W), in the content's precision.
    """
    of_content, of_style = Moments.of(content), Moments.of(style)
    sigma_c, sigma_s = floored(of_content, of_style)
    colour, whiten_style = roots(sigma_s)
    whitened = _whitened(content, roots(sigma_c)[1], of_content.mean)
    swapped = swap_patches(whitened[0], _whitened(style, whiten_style, of_style.mean)[0])
    recolour = AffineMap(colour.to(of_style.mean.dtype), of_style.mean)
    return recolour(swapped.unsqueeze(0)).to(content.dtype)


def _whitened(features: Tensor, whiten: Tensor, mean: Tensor) -> Tensor:
    whiten = whiten.to(mean.dtype)
    return AffineMap(whiten, -(whiten @ mean.unsqueeze(-1)).squeeze(-1))(features.to(mean.dtype))
