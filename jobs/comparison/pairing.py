"""Which pair of one evaluation belongs to which of another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_COLUMNS = ("pair_id", "content", "styles", "preset", "method", "resolution")


@dataclass(frozen=True)
class Pairing:
    """Rows of two tables that belong together.

    Attributes:
        a: (n,) places in the first table.
        b: (n,) places in the second, of the same pairs.
        by_id: how many were found by their pair_id.
        by_pictures: how many by their content and styles.
        only_a: rows of the first table that have no counterpart, or more than one.
        only_b: likewise of the second.
    """

    a: npt.NDArray[np.int64]
    b: npt.NDArray[np.int64]
    by_id: int
    by_pictures: int
    only_a: int
    only_b: int


def match_pairs(a: pa.Table, b: pa.Table) -> Pairing:
    """Matches rows by pair_id, and those that are left by content and styles.

    Where a content comes with the same styles several times, rows are told apart by preset, method and resolution if
    these are the same in both tables. A row that could have several counterparts is left out rather than guessed.

    Args:
        a: with the columns pair_id, content, styles, preset, method and resolution.
        b: likewise.
    """
    rows_a, rows_b = (table.select(_COLUMNS).to_pylist() for table in (a, b))
    found: dict[int, int] = {}
    counts = []
    for key in (_by_id, _by_pictures_and_settings, _by_pictures):
        new = _matches(rows_a, rows_b, found, key)
        found |= new
        counts.append(len(new))
    order = sorted(found)
    return Pairing(
        np.array(order, np.int64),
        np.array([found[place] for place in order], np.int64),
        counts[0],
        counts[1] + counts[2],
        len(a) - len(found),
        len(b) - len(found),
    )


_Row = dict[str, Any]


def _by_id(row: _Row) -> Hashable:
    pair_id: str = row["pair_id"]
    return pair_id


def _by_pictures(row: _Row) -> Hashable:
    return row["content"], tuple(row["styles"] or ())


def _by_pictures_and_settings(row: _Row) -> Hashable:
    return _by_pictures(row), row["preset"], row["method"], row["resolution"]


def _matches(
    rows_a: Sequence[_Row], rows_b: Sequence[_Row], found: dict[int, int], key: Callable[[_Row], Hashable]
) -> dict[int, int]:
    """Of the rows that are still without a counterpart, those whose key occurs once on either side."""
    taken = set(found.values())
    left_a = _unique({place: key(row) for place, row in enumerate(rows_a) if place not in found})
    left_b = _unique({place: key(row) for place, row in enumerate(rows_b) if place not in taken})
    return {place: left_b[name] for name, place in left_a.items() if name in left_b}


def _unique(keys: dict[int, Hashable]) -> dict[Hashable, int]:
    counts = Counter(keys.values())
    return {key: place for place, key in keys.items() if counts[key] == 1}
