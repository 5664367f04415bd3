"""Which pairs a page has room for: the best, the worst, the ruined, the failed, and an even sample of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ift.metrics import METRICS
from jobs.report.kinds import numbers

MAIN = ("ssim", "gram_distance")
"""What best and worst are told by: how much of the content is kept, how much of the style is reached."""

BOTH = "both"

_EXTREMES = 12
_MOST_RUINED = 60
_MOST_FAILED = 200

Places = npt.NDArray[np.int64]
"""Rows of a table by their number in it."""


@dataclass(frozen=True)
class Choice:
    """The pairs of a page, all as places in the page's own table.

    Attributes:
        rows: of the table of the page, as places in the whole one, ascending.
        best: by `BOTH` and each of `MAIN`, the best first.
        worst: likewise, the worst first.
        ruined: the first of those that are suspected to be ruined.
        failed: the first of those that failed.
        pictured: all that have a result, in the order in which they are to be given pictures.
        featured: how many of `pictured` stand in one of the lists.
    """

    rows: Places
    best: dict[str, list[int]]
    worst: dict[str, list[int]]
    ruined: list[int]
    failed: list[int]
    pictured: list[int]
    featured: int


def choose(table: pa.Table, most_rows: int) -> Choice:
    """Chooses the pairs of a page.

    Args:
        table: of all pairs, with `status`, `ruin`, `preset`, `method` and the metrics.
        most_rows: in the page; the lists come first, then an even sample over presets, methods and rows.
    """
    done = pc.equal(table["status"], "done").to_numpy(zero_copy_only=False)
    orders = _orders(table, done)
    best = {name: order[:_EXTREMES] for name, order in orders.items()}
    worst = {name: order[::-1][:_EXTREMES] for name, order in orders.items()}
    ruined = np.flatnonzero(done & pc.is_valid(table["ruin"]).to_numpy(zero_copy_only=False))[:_MOST_RUINED]
    failed = np.flatnonzero(~done)[:_MOST_FAILED]
    lists = [*(order for pair in zip(best.values(), worst.values(), strict=True) for order in pair), ruined]
    featured = _once(np.concatenate(lists))
    sample = _spread_out(_by_kind(table))
    rows = np.sort(_once(np.concatenate([featured, failed, sample]))[: max(most_rows, 1)])
    place = {int(row): at for at, row in enumerate(rows)}

    def here(order: Places) -> list[int]:
        return [place[row] for row in order.tolist() if row in place]

    pictured = _once(np.concatenate([featured, sample[done[sample]]]))
    return Choice(
        rows,
        {name: here(order) for name, order in best.items()},
        {name: here(order) for name, order in worst.items()},
        here(ruined),
        here(failed),
        here(pictured),
        len(here(featured)),
    )


def _orders(table: pa.Table, done: npt.NDArray[np.bool_]) -> dict[str, Places]:
    """The places of the pairs that have both main metrics, from the best to the worst, by each and by both."""
    values = [numbers(table, name) for name in MAIN]
    places = np.flatnonzero(done & np.isfinite(values).all(axis=0))
    signs = [-1 if METRICS[name].better == "higher" else 1 for name in MAIN]
    orders = [
        places[np.argsort(sign * value[places], kind="stable")] for sign, value in zip(signs, values, strict=True)
    ]
    ranks = np.zeros(len(table))
    for order in orders:
        ranks[order] += np.arange(len(order))
    both = places[np.argsort(ranks[places], kind="stable")]
    return {BOTH: both, **dict(zip(MAIN, orders, strict=True))}


def _by_kind(table: pa.Table) -> Places:
    """All places, those of a preset and method together, so that an even sample has its share of each."""
    keys = table.select(["preset", "method"]).append_column("place", pa.array(np.arange(len(table))))
    order: Places = keys.sort_by([(name, "ascending") for name in ("preset", "method", "place")])["place"].to_numpy()
    return order


def _spread_out(places: Places) -> Places:
    """The same places in an order whose every beginning is evenly spread over them (van der Corput's)."""
    bits = max(len(places) - 1, 1).bit_length()
    counted, turned = np.arange(2**bits), np.zeros(2**bits, np.int64)
    for bit in range(bits):
        turned |= ((counted >> bit) & 1) << (bits - 1 - bit)
    return places[turned[turned < len(places)]]


def _once(places: Sequence[int] | Places) -> Places:
    """Each place where it comes first."""
    unique, first = np.unique(np.asarray(places, np.int64), return_index=True)
    return unique[np.argsort(first)]
