"""The transformations of features: what the paper's IFT and the systems it is compared with do at one level."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ift.affine import AffineMap, combine
from ift.moments import Moments, mix
from ift.settings import Settings
from ift.transformations.adain import adain_map
from ift.transformations.iterative import ift_map
from ift.transformations.ost import ost_map
from ift.transformations.wct import wct_map

_CLOSED_FORMS = {"wct": wct_map, "ost": ost_map, "adain": adain_map}


def transformation(
    content: Moments,
    styles: Sequence[Moments],
    weights: Tensor,
    level: int,
    settings: Settings,
    pixels: Tensor | None = None,
) -> AffineMap:
    """The affine map that `settings` asks for at one level, towards one style or several.

    IFT mixes what it is to reach: Σ_k λ_k‖G − S_k‖² = Λ‖G − S̄‖² + const. The closed forms mix what they reach,
    F = Σ_k w_k F_k (eq. 30), and are blended with the content by α.

    Args:
        content: moments of the content features, batch B.
        styles: moments of the K styles, batch B or 1.
        weights: (K, B) or (K, 1), the share of each style; each column sums to 1.
        level: N, 1 to 4.
        settings: which transformation, and how strong.
        pixels: (B,) see `ift_map`.

    Raises:
        DivergenceError: the fixed step of IFT did not lower the objective.
    """
    method = settings.method[level - 1]
    if method == "ift":
        target = styles[0] if len(styles) == 1 else mix(styles, weights)
        return ift_map(content, target, level, settings, pixels)
    alpha = settings.alpha[level - 1]
    maps = [_CLOSED_FORMS[method](content, style) for style in styles]
    shares = torch.cat([alpha * weights, torch.full_like(weights[:1], 1 - alpha)])
    return combine([*maps, AffineMap.identity(content)], shares)
