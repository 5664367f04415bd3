"""The colour space Oklab (Ottosson 2020), in which equal distances look about equally large."""

from __future__ import annotations

import torch
from torch import Tensor

# From linear sRGB.
_LMS = torch.tensor(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    dtype=torch.float64,
)
_LAB = torch.tensor(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ],
    dtype=torch.float64,
)


def oklab(srgb: Tensor) -> Tensor:
    """(…, 3) sRGB in [0, 1] to lightness in [0, 1] and the two opponent colours, about ±0.3."""
    linear = torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return (linear @ _LMS.T.to(srgb)).clamp(min=0) ** (1 / 3) @ _LAB.T.to(srgb)


def linear_rgb(oklab: Tensor) -> Tensor:
    """(…, 3) Oklab to linear sRGB, outside [0, 1] where no such colour exists."""
    return (oklab @ _LAB.inverse().T.to(oklab)) ** 3 @ _LMS.inverse().T.to(oklab)


def gamma(linear: Tensor) -> Tensor:
    """Linear sRGB in [0, 1] to sRGB."""
    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
