"""The grey picture on which content is compared."""

from __future__ import annotations

import torch
from torch import Tensor

_WEIGHTS = (0.299, 0.587, 0.114)
"""Of red, green and blue: Rec. 601, on sRGB values as they are stored; what published SSIM figures are taken on."""


def luma(picture: Tensor) -> Tensor:
    """(3, H, W) RGB in [0, 1] to (H, W) in [0, 1]."""
    return torch.einsum("chw,c->hw", picture, picture.new_tensor(_WEIGHTS))
