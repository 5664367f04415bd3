"""Which parts a picture falls into."""

from __future__ import annotations

from collections.abc import Iterator

from ift.box import Box
from ift.errors import SettingsError
from ift.network_shape import MULTIPLE, padded_size
from ift.part import Part
from ift.shifts import SHIFTS, Shift


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


def parts_in_phases(height: int, width: int, tile: int | None, halo: int, phases: int) -> Iterator[tuple[Shift, Part]]:
    """The parts of a picture in each of its phases (`ift.parts.phases`); arguments as for `parts_of`."""
    for down, right in SHIFTS[:phases]:
        for part in parts_of(height + down, width + right, tile, halo):
            yield (down, right), part


def _spans(side: int, tile: int) -> list[tuple[int, int]]:
    cells, count = side // MULTIPLE, -(-side // tile)
    ends = [MULTIPLE * (cells * index // count) for index in range(count + 1)]
    return list(zip(ends, ends[1:], strict=False))
