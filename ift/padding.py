"""Sizes: three poolings need multiples of 8, reflection needs 2 pixels at relu4_1, pictures have any size."""

from __future__ import annotations

import torch
from torch import Tensor

from ift.network_shape import MULTIPLE, padded_size


def pad_to_multiple(images: Tensor) -> Tensor:
    """(B, C, H, W) of any size from 1×1 up, extended by reflection at the right and bottom to multiples of 8."""
    height, width = images.shape[-2:]
    target = padded_size(height, width)
    if target == (height, width):
        return images
    rows, columns = (reflected(side, to, images.device) for side, to in zip((height, width), target, strict=True))
    return images[:, :, rows][:, :, :, columns].contiguous(memory_format=torch.channels_last)


def crop(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Undoes `pad_to_multiple`: the first H rows and W columns."""
    return images[..., : size[0], : size[1]]


def cut_to_multiple(images: Tensor) -> Tensor:
    """(…, H, W) without what exceeds multiples of 8 at the right and the bottom; the other way than padding."""
    height, width = images.shape[-2:]
    return crop(images, (height // MULTIPLE * MULTIPLE, width // MULTIPLE * MULTIPLE))


def reflected(side: int, to: int, device: torch.device) -> Tensor:
    """Indices 0, …, side−1, side−2, …, 1, 0, 1, …, `to` of them: reflection as often as needed, unlike torch's own."""
    period = max(1, 2 * (side - 1))
    index = torch.arange(to, device=device) % period
    return torch.minimum(index, period - index) if side > 1 else torch.zeros_like(index)
