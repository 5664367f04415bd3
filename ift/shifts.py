"""The shifts by which the phases of a picture differ: places of the networks' 8-pixel lattice."""

from __future__ import annotations

Shift = tuple[int, int]
"""(down, right) in pixels: rows above the picture, and columns to the left of it."""

SHIFTS: tuple[Shift, ...] = ((0, 0), (5, 7), (2, 6), (7, 5), (1, 3), (6, 2), (3, 1), (4, 4))
"""k·(1, 3) modulo 8. The first two differ at the first pooling, the first four at the second as well, and all eight at
all three, both downwards and to the right."""

UNSHIFTED: Shift = SHIFTS[0]

MOST_PHASES: int = len(SHIFTS)
