"""Parts of pictures: tiles with a halo, or a whole picture as a part of its group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ift.box import Box
from ift.content_mask import Mask
from ift.padding import reflected
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


@dataclass(eq=False)  # tensors have no one answer
class InMemory:
    """A picture (3, H, W) in [0, 1] as `Pixels`."""

    tensor: Tensor

    @property
    def height(self) -> int:
        """In pixels."""
        return self.tensor.shape[1]

    @property
    def width(self) -> int:
        """In pixels."""
        return self.tensor.shape[2]

    def read(self, box: Box) -> Tensor:
        """(3, h, w) of a box in the picture."""
        rows, columns = box.slices
        return self.tensor[:, rows, columns]


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


def _source(start: int, length: int, side: int) -> tuple[Tensor, int, int]:
    """Where the pixels start … of the padded side come from, and the first and the end of those."""
    index = reflected(side, start + length, torch.device("cpu"))[start:]
    return index, int(index.min()), int(index.max()) + 1
