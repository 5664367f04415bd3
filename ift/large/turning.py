"""Raw pictures turned upright, a band of rows at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ift.errors import ImageError
from ift.raw_picture import RawPicture

_BAND = 1 << 25
"""Bytes that are read at once."""

_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda rows: rows[:, ::-1],
    3: lambda rows: rows[::-1, ::-1],
    4: lambda rows: rows[::-1],
    5: lambda rows: rows.swapaxes(0, 1),
    6: lambda rows: rows[::-1].swapaxes(0, 1),
    7: lambda rows: rows[::-1, ::-1].swapaxes(0, 1),
    8: lambda rows: rows[:, ::-1].swapaxes(0, 1),
}
_FROM_THE_END = (3, 4, 6, 7)
"""Those that put the first rows last: at the bottom, or at the right."""


def turned(raw: RawPicture, to: Path, orientation: int) -> RawPicture:
    """Writes a raw picture of EXIF orientation 2 to 8 upright, into a new file.

    Raises:
        ImageError: the disk is full.
    """
    lies = orientation >= 5
    height, width = (raw.width, raw.height) if lies else (raw.height, raw.width)
    result = RawPicture(to, height, width, 0, raw.depth).create()
    pixel = 3 * raw.depth
    rows = max(1, _BAND // (raw.width * pixel))
    with raw.path.open("rb") as source, to.open("r+b") as target:
        source.seek(raw.offset)
        for top in range(0, raw.height, rows):
            count = min(rows, raw.height - top)
            band = np.frombuffer(source.read(count * raw.width * pixel), np.uint8)
            if band.size != count * raw.width * pixel:
                raise ImageError(f"the scratch file {raw.path} is cut short: delete it and start again")
            block = np.ascontiguousarray(_TURNS[orientation](band.reshape(count, raw.width, pixel)))
            start = raw.height - top - count if orientation in _FROM_THE_END else top
            if not lies:
                target.seek(start * width * pixel)
                target.write(block.data)
                continue
            for row in range(height):  # the band has become columns: a piece of every row
                target.seek((row * width + start) * pixel)
                target.write(block[row].data)
    return result
