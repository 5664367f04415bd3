"""Photos in other colours: most have tame ones, and styles have any."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ift.metrics.luma import luma

_SATURATION = (-0.5, 1.5)
_GAMMA = (-0.4, 0.4)
"""Ranges of logarithms."""

_DARKEST = 0.6


@dataclass(frozen=True)
class Recolouring:
    """How the colours of a picture are changed.

    Attributes:
        saturation: factor of what distinguishes a colour from the grey of its luma.
        order: of red, green and blue.
        gammas: exponents of the three.
        brightness: factor of all three.
    """

    saturation: float
    order: tuple[int, int, int]
    gammas: tuple[float, float, float]
    brightness: float

    def __call__(self, photo: Tensor) -> Tensor:
        """(3, H, W) of 8 bits to the same."""
        x = photo.float() / 255
        grey = luma(x)
        x = (grey + (x - grey) * self.saturation).clamp(0, 1)[list(self.order)]
        x = self.brightness * x ** torch.tensor(self.gammas, device=x.device)[:, None, None]
        return (255 * x).round().to(photo.dtype)


def draw_recolouring(generator: np.random.Generator) -> Recolouring:
    """Paler to far stronger colours, in any order half of the time, each channel lighter or darker."""
    order = generator.permutation(3) if generator.random() < 0.5 else np.arange(3)
    red, green, blue = np.exp(generator.uniform(*_GAMMA, size=3)).tolist()
    return Recolouring(
        saturation=float(np.exp(generator.uniform(*_SATURATION))),
        order=(int(order[0]), int(order[1]), int(order[2])),
        gammas=(red, green, blue),
        brightness=float(generator.uniform(_DARKEST, 1)),
    )
