"""Parts of pictures: tiles with a halo, or a whole picture as a part of its group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ift.box import Box
from ift.content_mask import Mask
from ift.errors import SettingsError
from ift.padding import MULTIPLE, padded_size, reflected
from ift.part import Part


class Pixels(Protocol):
    """A picture of which any rectangle can be read."""

    @property
    def height(self) -> int:
        """In pixels."""

    @property
    def width(self) -> int:
        """In pixels."""

    def read(self, box: Box) -> Tensor:
        """(3, h, w) float32 sRGB in [0, 1]; the box lies inside the picture."""


@dataclass(frozen=True)
class Picture:
    """A picture on its way through the networks in parts.

    Attributes:
        pixels: of the content.
        write: takes the result's pixels (3, h, w) of a box.
        mask: of the content; None without spatial control.
    """

    pixels: Pixels
    write: Callable[[Box, Tensor], None]
    mask: Mask | None = None


def parts_of(height: int, width: int, tile: int | None, halo: int) -> tuple[Part, ...]:
    """The parts of a picture, row by row: as equal as multiples of 8 can be, and no larger than `tile`.

    Args:
        height: of the picture, in pixels.
        width: of the picture, in pixels.
        tile: the longest side of a core, in pixels; None for the picture in one part.
        halo: pixels around a core that its result depends on, `Journey.halo`.

    Raises:
        SettingsError: `tile` is no positive multiple of 8.
    """
    if tile is None:
        return (Part.all_of(height, width),)
    if tile < MULTIPLE or tile % MULTIPLE:
        raise SettingsError(f"tiles of {tile} pixels: their side must be a multiple of {MULTIPLE}, such as 1024")
    padded = Box(0, 0, *padded_size(height, width))
    cores = [
        Box(top, left, bottom - top, right - left)
        for top, bottom in _spans(padded.height, tile)
        for left, right in _spans(padded.width, tile)
    ]
    return tuple(Part((height, width), core, core.grown(halo).within(padded)) for core in cores)


def window_of(pixels: Pixels, part: Part) -> Tensor:
    """(3, h, w) float32: the part's window of the picture as padded, with reflection at the true borders."""
    (rows, first_row, last_row), (columns, first_column, last_column) = (
        _source(start, length, side)
        for start, length, side in (
            (part.window.top, part.window.height, pixels.height),
            (part.window.left, part.window.width, pixels.width),
        )
    )
    read = pixels.read(Box(first_row, first_column, last_row - first_row, last_column - first_column))
    if read.shape[1:] == (part.window.height, part.window.width):
        return read
    return read[:, rows - first_row][:, :, columns - first_column]


def _spans(side: int, tile: int) -> list[tuple[int, int]]:
    cells, count = side // MULTIPLE, -(-side // tile)
    ends = [MULTIPLE * (cells * index // count) for index in range(count + 1)]
    return list(zip(ends, ends[1:], strict=False))


def _source(start: int, length: int, side: int) -> tuple[Tensor, int, int]:
    """Where the pixels start … of the padded side come from, and the first and the end of those."""
    index = reflected(side, start + length, torch.device("cpu"))[start:]
    return index, int(index.min()), int(index.max()) + 1
