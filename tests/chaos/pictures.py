"""Tiny pictures for thousands of pairs; a content says in its first pixels who it is and how its row is to behave."""

from __future__ import annotations

import io
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 32
STYLES = 8


class Behaviour(IntEnum):
    """What a stand-in model does when it meets a content; the numbers are the red of the first pixel."""

    PLAIN = 0
    RAISE = 1
    KILL = 2
    HANG = 3
    KILL_ONCE = 4
    HANG_ONCE = 5
    MISSING = 6
    TORN = 7

    @property
    def title(self) -> str:
        """As the report has it."""
        return f"row: {self.name.lower().replace('_', ' ')}"

    @property
    def error(self) -> str | None:
        """The error type of the row's record; None for a row that is done in the end."""
        return {
            Behaviour.RAISE: "ArithmeticError",
            Behaviour.KILL: "ProcessDiedError",
            Behaviour.HANG: "ProcessDiedError",
            Behaviour.MISSING: "NotFoundInStoreError",
            Behaviour.TORN: "ImageError",
        }.get(self)


@dataclass(frozen=True)
class Row:
    """A row of a manifest: a content of its own in one of a few styles."""

    content: int
    behaviour: Behaviour = Behaviour.PLAIN

    @property
    def pair_id(self) -> str:
        """Says what to expect of it."""
        return f"{self.behaviour.name.lower().replace('_', '-')}-{self.content:06d}"

    @property
    def style(self) -> int:
        """The number of its style."""
        return self.content % STYLES


def content_png(row: Row) -> bytes:
    """A picture that no other row has; the file of a torn row ends too soon."""
    pixels = np.random.default_rng(row.content).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    pixels[0, 0] = (row.behaviour, 17, 238)
    pixels[0, 1] = tuple(row.content.to_bytes(3, "big"))
    data = _png(pixels)
    return data[:100] if row.behaviour is Behaviour.TORN else data


def style_png(style: int) -> bytes:
    """A picture in shades of one colour."""
    random = np.random.default_rng(1_000_000 + style)
    colour, shades = random.integers(0, 256, 3), random.integers(-20, 21, (SIDE, SIDE, 1))
    return _png(np.clip(colour + shades, 0, 255).astype(np.uint8))


def read_row(content: Tensor) -> Row:
    """Who a content is: the inverse of `content_png`, for (3, H, W) in [0, 1]."""
    first, second = (content[:, 0, :2].T * 255).round().int().tolist()
    if first[1:] != [17, 238]:
        raise ValueError("the picture is none of these, or was scaled")
    return Row(int.from_bytes(bytes(second), "big"), Behaviour(first[0]))


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()
