"""Pictures made smaller, as `ift.images` does it."""

from __future__ import annotations

from typing import Any

_GAP = 3.0  # box filters may do the first part of it, as long as Lanczos has so much left to do


def shrink_of(width: int, height: int, target: tuple[int, int]) -> int:
    """By which of 1, 2, 4, 8 a JPEG may be decoded smaller: twice the target leaves Lanczos enough to work with.

    Only one that divides both sides: libvips would shift the rest by a fraction of a pixel.
    """
    spare = min(width // (2 * target[0]), height // (2 * target[1]))
    return next((shrink for shrink in (8, 4, 2) if spare >= shrink and width % shrink == height % shrink == 0), 1)


def scaled(image: Any, size: tuple[int, int]) -> Any:
    """A libvips image of `size`, (width, height), no larger than it is, by Lanczos."""
    if (image.width, image.height) == size:
        return image
    horizontal, vertical = size[0] / image.width, size[1] / image.height
    return image.resize(horizontal, vscale=vertical, kernel="lanczos3", gap=_GAP)
