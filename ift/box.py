"""Rectangles of pixels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """Rows `top` to `bottom` and columns `left` to `right` of a picture, the last of each left out."""

    top: int
    left: int
    height: int
    width: int

    @property
    def bottom(self) -> int:
        """The first row below it."""
        return self.top + self.height

    @property
    def right(self) -> int:
        """The first column to the right of it."""
        return self.left + self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """Its rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def grown(self, margin: int) -> Box:
        """With so many pixels more on each side."""
        return Box(self.top - margin, self.left - margin, self.height + 2 * margin, self.width + 2 * margin)

    def within(self, other: Box) -> Box:
        """What of it lies in another, which it meets."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        return Box(top, left, min(self.bottom, other.bottom) - top, min(self.right, other.right) - left)

    def seen_from(self, other: Box) -> Box:
        """The same, in coordinates that begin at the corner of another."""
        return Box(self.top - other.top, self.left - other.left, self.height, self.width)

    def over(self, cell: int) -> Box:
        """The same in cells of so many pixels a side, of which all its sides are multiples."""
        return Box(self.top // cell, self.left // cell, self.height // cell, self.width // cell)
