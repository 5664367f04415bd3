"""Seconds per stage and resolution from a run's records: the supplement's Table 1, from the job itself."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from jobs.records import STAGES

QUANTILES = {"p50": 50, "p90": 90, "p99": 99}

COLUMNS = ("status", "resolution", "preset", "width", "height", "bytes", *(f"{stage}_s" for stage in STAGES))
"""What `Timings` looks at in the records."""

_ON_DEVICE = ("style", "encoder", "transform", "decoder")

_GROUP = {"resolution": pa.int64(), "preset": pa.string()}
_ADDED = {"count": pa.int64(), "megapixels": pa.float64(), "bytes": pa.float64(), "busy": pa.float64()}
_SUMS = pa.schema({**_GROUP, **_ADDED})
_CELLS = pa.schema({**_GROUP, "stage": pa.int8(), "bin": pa.int32(), "count": pa.int64()})

_SCHEMA = pa.schema(
    [
        *_GROUP.items(),
        ("count", pa.int64()),
        ("megapixels", pa.float64()),
        ("bytes", pa.float64()),
        ("pairs_per_s", pa.float64()),
        ("megapixels_per_s", pa.float64()),
    ]
    + [(f"{stage}_{quantile}_s", pa.float64()) for stage in STAGES for quantile in QUANTILES]
)


class Timings:
    """Times of a stream of records, summed up per resolution and preset in memory that does not grow with the rows.

    Sums give the means. Quantiles come from histograms whose bins are 0.5 % wide, hence are exact to 0.5 %. Only
    bins that have something in them are kept.
    """

    def __init__(self) -> None:
        self._sums, self._cells = _SUMS.empty_table(), _CELLS.empty_table()

    def add(self, records: pa.Table) -> None:
        """Counts records in, of the pairs that are done; best some thousands at a time.

        Args:
            records: with at least the columns `COLUMNS`.
        """
        done = records.filter(pc.equal(records["status"], "done"))
        seconds = [done[f"{stage}_s"].fill_null(0).to_numpy() for stage in STAGES]
        group = {name: done[name] for name in _GROUP}
        busy = np.sum([seconds[STAGES.index(stage)] for stage in _ON_DEVICE], axis=0)
        pixels = done["width"].fill_null(0).to_numpy() * done["height"].fill_null(0).to_numpy()
        ones = np.ones(len(done), np.int64)
        sizes = done["bytes"].fill_null(0).to_numpy()
        sums = pa.table({**group, "count": ones, "megapixels": pixels / 1e6, "bytes": sizes, "busy": busy}, _SUMS)
        cells = [
            pa.table({**group, "stage": np.full(len(done), stage, np.int8), "bin": _bins(times), "count": ones}, _CELLS)
            for stage, times in enumerate(seconds)
        ]
        self._take(sums, pa.concat_tables(cells))

    def merge(self, other: Timings) -> None:
        """Counts in what another one was told."""
        self._take(other._sums, other._cells)

    def table(self) -> pa.Table:
        """One row per resolution and preset, of the pairs that are done.

        Returns:
            `resolution`, `preset`, `count`, `megapixels` and `bytes` (means of a picture), `pairs_per_s` and
            `megapixels_per_s` (of one worker: the inverse of the mean time on the device), and for each stage its
            p50, p90 and p99 in seconds, exact to 0.5 %.
        """
        ordered = self._sums.sort_by([(name, "ascending") for name in _GROUP]).to_pylist()
        rows = {_group(row): _means(row) for row in ordered}
        stages = self._cells.sort_by("bin").group_by([*_GROUP, "stage"], use_threads=False)
        for row in stages.aggregate([("bin", "list"), ("count", "list")]).to_pylist():
            values = _quantiles(np.array(row["bin_list"]), np.array(row["count_list"]))
            stage = STAGES[row["stage"]]
            rows[_group(row)] |= {f"{stage}_{name}_s": value for name, value in values.items()}
        return pa.Table.from_pylist(list(rows.values()), _SCHEMA)

    def _take(self, sums: pa.Table, cells: pa.Table) -> None:
        self._sums = _add_up(pa.concat_tables([self._sums, sums]), _SUMS, list(_ADDED))
        self._cells = _add_up(pa.concat_tables([self._cells, cells]), _CELLS, ["count"])


def _add_up(table: pa.Table, schema: pa.Schema, sums: list[str]) -> pa.Table:
    """One row for all those that differ in nothing but the columns `sums`, with the sums of these."""
    keys = [name for name in schema.names if name not in sums]
    added = table.group_by(keys).aggregate([(name, "sum") for name in sums])
    return pa.table([added[name] for name in keys] + [added[f"{name}_sum"] for name in sums], schema=schema)


def _group(row: dict[str, Any]) -> tuple[object, ...]:
    return tuple(row[name] for name in _GROUP)


def _means(row: dict[str, Any]) -> dict[str, Any]:
    megapixels = row["megapixels"] / row["count"]
    rate = row["count"] / row["busy"] if row["busy"] > 0 else None
    return {
        **{name: row[name] for name in _GROUP},
        "count": row["count"],
        "megapixels": megapixels,
        "bytes": row["bytes"] / row["count"],
        "pairs_per_s": rate,
        "megapixels_per_s": rate and rate * megapixels,
    }


# Histograms

_WIDTH = math.log(1.005)  # of a bin, on the scale of logarithms
_LEAST, _MOST = 1e-9, 1e9  # seconds; what is shorter counts as 0
_ZERO = -(2**31)  # the bin of 0, below all others


def _bins(seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    numbers = np.floor(np.log(np.clip(seconds, _LEAST, _MOST)) / _WIDTH)
    return np.where(seconds > _LEAST, numbers, _ZERO).astype(np.int32)


def _quantiles(bins: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> dict[str, float]:
    """The quantiles as numpy interpolates them, each value taken for the middle of its bin.

    Args:
        bins: in ascending order.
        counts: of values in each.
    """
    middles = np.exp((bins + 0.5) * _WIDTH)  # 0 for _ZERO
    ends = counts.cumsum()

    def value(rank: int) -> float:
        return float(middles[np.searchsorted(ends, rank, side="right")])

    quantiles = {}
    for name, percent in QUANTILES.items():
        rank, part = divmod(percent / 100 * (int(ends[-1]) - 1), 1)
        low, high = value(int(rank)), value(math.ceil(rank + part))
        quantiles[name] = low + part * (high - low)
    return quantiles
