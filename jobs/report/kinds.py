"""What is compared within one evaluation: the pairs of each preset and method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ift.metrics import METRICS, Metric

PERCENTILES = {"p5": 5, "median": 50, "p95": 95}


@dataclass(frozen=True)
class Kind:
    """The pairs of one preset and method.

    Attributes:
        name: for people; where all pairs have one preset, it is not mentioned.
        preset: None for pictures that no job made.
        method: likewise.
        rows: their places in the table, ascending.
    """

    name: str
    preset: str | None
    method: str | None
    rows: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Spread:
    """How one metric is spread over some pairs; of null values nothing is counted."""

    metric: Metric
    count: int
    mean: float
    p5: float
    median: float
    p95: float


def kinds_of(table: pa.Table) -> list[Kind]:
    """The kinds in a table of metrics, the most frequent first, then by name.

    Args:
        table: with the columns `preset` and `method`.
    """
    keys = table.select(["preset", "method"]).append_column("place", pa.array(np.arange(len(table))))
    grouped = keys.group_by(["preset", "method"], use_threads=False).aggregate([("place", "list")]).to_pylist()
    presets = {group["preset"] for group in grouped}
    kinds = [
        Kind(
            _name(group["method"], group["preset"] if len(presets) > 1 or not group["method"] else None),
            group["preset"],
            group["method"],
            np.sort(np.array(group["place_list"])),
        )
        for group in grouped
    ]
    return sorted(kinds, key=lambda kind: (-len(kind.rows), kind.name))


def _name(method: str | None, preset: str | None) -> str:
    return " · ".join(part for part in (method, preset) if part) or "all pairs"


def present(table: pa.Table) -> list[Metric]:
    """The metrics that have at least one value in a table."""
    return [
        metric for name, metric in METRICS.items() if name in table.column_names and table[name].null_count < len(table)
    ]


def numbers(table: pa.Table, name: str) -> npt.NDArray[np.float64]:
    """(rows,) one metric, null as NaN."""
    column: npt.NDArray[np.float64] = pc.cast(table[name], pa.float64()).fill_null(np.nan).to_numpy()
    return column


def spreads(table: pa.Table, rows: npt.NDArray[np.int64], metrics: Sequence[Metric]) -> list[Spread]:
    """Of each metric over some rows; metrics without a value there are left out."""
    found = []
    for metric in metrics:
        values = numbers(table, metric.name)[rows]
        values = values[np.isfinite(values)]
        if len(values):
            p5, median, p95 = np.percentile(values, list(PERCENTILES.values())).tolist()
            found.append(Spread(metric, len(values), float(values.mean()), p5, median, p95))
    return found


def columns_of(table: pa.Table, names: Sequence[str]) -> dict[str, list[Any]]:
    """Some columns as lists; of a column that is absent, nulls."""
    return {name: table[name].to_pylist() if name in table.column_names else [None] * len(table) for name in names}
