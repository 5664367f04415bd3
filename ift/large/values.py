"""Numbers of any type as 8 or 16 bits, by the conventions of `ift.images`."""

from __future__ import annotations

import math
from typing import Any

from ift.errors import ImageError

_WHOLE_RANGE = {"uchar": (0.0, 255.0), "ushort": (0.0, 65_535.0)}
_FLOATS = ("float", "double")
_COMPLEX = ("complex", "dpcomplex")


def range_of(image: Any, name: str) -> tuple[float, float]:
    """The values that stand for black and white; reads the whole picture where its type does not tell.

    Raises:
        ImageError: a value is not finite, or complex.
        pyvips.Error: the file is damaged.
    """
    if image.format in _COMPLEX:
        raise ImageError(f"{name} holds complex numbers, which are no picture")
    if image.format in _WHOLE_RANGE:
        return _WHOLE_RANGE[image.format]
    statistics = image.stats()  # of all bands in the first row; NaN passes into the sum alone
    low, high, total = (statistics.getpoint(column, 0)[0] for column in range(3))
    if not all(map(math.isfinite, (low, high, total))):
        raise ImageError(f"{name} contains NaN or infinite values")
    if image.format in _FLOATS:
        return 0.0, float(next((white for white in (1, 255) if high <= white), high))
    if low >= 0 and high <= 65_535:
        return 0.0, 65_535.0
    return low, max(high, low + 1)  # no convention says what white is: stretch the range that is there


def in_range(image: Any, black: float, white: float) -> Any:
    """8 and 16 bits as they are; anything else as floats with white at 65535."""
    if image.format in _WHOLE_RANGE:
        return image
    scale = 65_535 / (white - black)
    return (image.cast("double") * scale - black * scale).cast("float")


def whole_numbers(image: Any) -> Any:
    """Floats rounded to 16 bits and cut off at black and white; others as they are."""
    return image.rint().cast("ushort") if image.format in _FLOATS else image


def white_of(image: Any) -> int:
    """The value of white in 8 bits, or in 16 or floats."""
    return 255 if image.format == "uchar" else 65_535


def eight_bits(image: Any) -> Any:
    """16 bits rounded to 8; 8 bits as they are."""
    return image if image.format == "uchar" else (image / 257).rint().cast("uchar")
