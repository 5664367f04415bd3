"""Pictures that the networks see from several places of their 8-pixel lattice, and whose results are averaged.

Pooling and enlarging follow shifts by multiples of 8 pixels only: where a picture moves by others, its result changes
in ways that the picture does not. The average over shifts changes less ("cycle spinning": R. R. Coifman and D. L.
Donoho, Translation-invariant de-noising, 1995).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from ift.box import Box
from ift.errors import SettingsError
from ift.padding import reflected
from ift.parts.grid import Picture, Pixels
from ift.shifts import MOST_PHASES, SHIFTS, UNSHIFTED, Shift


@dataclass(frozen=True)
class Shifted:
    """A picture with rows above and columns to the left of it, by reflection, as `Pixels`.

    Attributes:
        pixels: of the picture.
        down: rows more.
        right: columns more.
    """

    pixels: Pixels
    down: int
    right: int

    @property
    def height(self) -> int:
        """In pixels."""
        return self.pixels.height + self.down

    @property
    def width(self) -> int:
        """In pixels."""
        return self.pixels.width + self.right

    def read(self, box: Box) -> Tensor:
        """(3, h, w) of a box in the picture as shifted."""
        rows = _source(box.top, box.height, self.down, self.pixels.height)
        columns = _source(box.left, box.width, self.right, self.pixels.width)
        top, left = int(rows.min()), int(columns.min())
        read = self.pixels.read(Box(top, left, int(rows.max()) + 1 - top, int(columns.max()) + 1 - left))
        return read[:, rows - top][:, :, columns - left]


def in_phases(pictures: Sequence[Picture], count: int) -> list[Picture]:
    """Each picture `count` times in a row, shifted, all of which together write their average.

    A picture is written when its last part in its last phase is; until then it is held in float32.

    Args:
        pictures: without masks.
        count: 1 to 8; the averages of 2, 4 and 8 treat all directions alike.

    Raises:
        SettingsError: another count, or there are masks.
    """
    if not 1 <= count <= MOST_PHASES:
        raise SettingsError(f"{count} phases: there may be 1 to {MOST_PHASES}")
    if count > 1 and any(picture.mask is not None for picture in pictures):
        raise SettingsError("pictures with masks have one phase")
    views = []
    for picture in pictures:
        write = averaged(picture.pixels.height, picture.pixels.width, count, picture.write)
        views += [
            Picture(in_phase(picture.pixels, shift), partial(write, shift), picture.mask) for shift in SHIFTS[:count]
        ]
    return views


def in_phase(pixels: Pixels, shift: Shift) -> Pixels:
    """A picture as it is in a phase."""
    return pixels if shift == UNSHIFTED else Shifted(pixels, *shift)


def averaged(
    height: int, width: int, count: int, write: Callable[[Box, Tensor], None]
) -> Callable[[Shift, Box, Tensor], None]:
    """Takes the pixels (3, h, w) of a box in each of `count` phases of a picture, and writes their mean.

    Args:
        height: of the picture, in pixels.
        width: the same.
        count: of phases; one is written as it comes, of several the mean once all are there.
        write: takes the pixels of a box in the picture.
    """
    if count == 1:
        return lambda shift, box, pixels: write(box, pixels)
    return _Average(height, width, count, write).add


@dataclass
class _Average:
    """Takes every pixel `count` times, then writes their mean."""

    height: int
    width: int
    count: int
    write: Callable[[Box, Tensor], None]
    _sum: Tensor | None = field(default=None, init=False)
    _left: int = field(default=0, init=False)

    def add(self, shift: Shift, box: Box, pixels: Tensor) -> None:
        """Takes the pixels (3, h, w) of a box in the picture shifted so."""
        down, right = shift
        if self._sum is None:
            self._sum = torch.zeros(3, self.height, self.width)
            self._left = self.count * self.height * self.width
        top, left = max(box.top, down), max(box.left, right)
        inner = Box(top - down, left - right, box.top + box.height - top, box.left + box.width - left)
        if inner.height > 0 and inner.width > 0:
            rows, columns = inner.slices
            self._sum[:, rows, columns] += pixels[:, top - box.top :, left - box.left :].cpu().float()
            self._left -= inner.height * inner.width
        if self._left == 0:
            mean, self._sum = self._sum / self.count, None
            self.write(Box(0, 0, self.height, self.width), mean)


def _source(start: int, length: int, more: int, side: int) -> Tensor:
    """Which pixels of a side those from `start` are, with so many more before it."""
    index = (torch.arange(start, start + length) - more).abs()
    return reflected(side, int(index.max()) + 1, index.device)[index]
