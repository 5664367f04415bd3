"""What a report says first: what was evaluated, how many pairs, the medians, the failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ift.metrics import METRICS
from jobs.report.kinds import Kind, numbers

_KEY = ("ssim", "edge_ssim", "content_distance", "gram_distance", "mean_std_distance", "colour_distance", "seconds")
_MOST_ERRORS = 12


def facts(table: pa.Table, kinds: Sequence[Kind]) -> dict[str, str]:
    """What was evaluated, for people."""
    finished = [at for at in (pc.min_max(table["finished_at"]).as_py() or {}).values() if at]
    contents = pc.count_distinct(table["content"]).as_py()
    styles = len({tuple(styles or ()) for styles in table["styles"].to_pylist()})
    resolutions = [at for at in pc.unique(table["resolution"]).to_pylist() if at is not None]
    words = {
        "judged": " to ".join(dict.fromkeys(f"{_minute(at)}" for at in finished)) + " UTC" if finished else "",
        "pictures": f"{contents:,} contents, {styles:,} styles",
        "methods": ", ".join(sorted({kind.method for kind in kinds if kind.method})),
        "presets": ", ".join(sorted({kind.preset for kind in kinds if kind.preset})),
        "resolutions": ", ".join(f"{at} px" for at in sorted(resolutions)[:8]),
    }
    return {name: text for name, text in words.items() if text}


def _minute(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%d %H:%M}"


def tiles(table: pa.Table) -> list[tuple[str, int, str]]:
    """Counts: their name, number, and the part of the page that has more about them."""
    done = pc.equal(table["status"], "done")
    ruined = len(table) - table["ruin"].null_count
    judged = pc.sum(done).as_py() or 0
    return [
        ("pairs", len(table), "table"),
        ("judged", judged, "pictures"),
        ("suspected ruins", ruined, "ruins"),
        ("failed", len(table) - judged, "failures"),
    ]


@dataclass(frozen=True)
class HeadCell:
    """A median in the first table, and whether it is the best of its column."""

    value: float | None
    best: bool


def medians(table: pa.Table, kinds: Sequence[Kind]) -> dict[str, Any]:
    """Medians of the key metrics for each kind."""
    names = [name for name in _KEY if name in table.column_names and table[name].null_count < len(table)]
    found = {name: [_median(numbers(table, name)[kind.rows]) for kind in kinds] for name in names}
    best = {name: _best(values, _better(name)) for name, values in found.items()}
    return {
        "columns": [(METRICS[name].title if name in METRICS else name, _better(name)) for name in names],
        "rows": [
            (
                kind,
                [HeadCell(found[name][at], len(kinds) > 1 and found[name][at] == best[name]) for name in names],
            )
            for at, kind in enumerate(kinds)
        ],
    }


def _better(name: str) -> str | None:
    return METRICS[name].better if name in METRICS else "lower"  # seconds


def _best(values: Sequence[float | None], better: str | None) -> float | None:
    known = [value for value in values if value is not None]
    return (max(known) if better == "higher" else min(known)) if known and better else None


def _median(values: npt.NDArray[np.float64]) -> float | None:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else None


def errors(table: pa.Table) -> list[tuple[str, int, str]]:
    """The most frequent kinds of failure: type, count, and the message of the first row."""
    failed = table.filter(pc.equal(table["status"], "failed")).select(["error_type", "error", "row"]).sort_by("row")
    grouped = failed.group_by("error_type", use_threads=False).aggregate([("row", "count"), ("error", "first")])
    kinds = [(str(row["error_type"]), row["row_count"], str(row["error_first"])) for row in grouped.to_pylist()]
    return sorted(kinds, key=lambda kind: -kind[1])[:_MOST_ERRORS]
