"""Seconds per stage and resolution from a run's records: the supplement's Table 1, from the job itself."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.records import STAGES

QUANTILES = {"p50": 50, "p90": 90, "p99": 99}


def timing_table(records: pa.Table) -> pa.Table:
    """One row per resolution and preset, of the pairs that are done.

    Args:
        records: all records of a run.

    Returns:
        `resolution`, `preset`, `count`, `megapixels` (mean of a picture), `pairs_per_s` and `megapixels_per_s` (of
        one worker: the inverse of the mean time on the device), and for each stage its p50, p90 and p99 in seconds.
    """
    done = records.filter(pc.equal(records["status"], "done"))
    groups = sorted(set(zip(done["resolution"].to_pylist(), done["preset"].to_pylist(), strict=True)))
    return pa.Table.from_pylist([_row(done, *group) for group in groups], _SCHEMA)


_SCHEMA = pa.schema(
    [
        ("resolution", pa.int64()),
        ("preset", pa.string()),
        ("count", pa.int64()),
        ("megapixels", pa.float64()),
        ("pairs_per_s", pa.float64()),
        ("megapixels_per_s", pa.float64()),
    ]
    + [(f"{stage}_{quantile}_s", pa.float64()) for stage in STAGES for quantile in QUANTILES]
)


def _row(done: pa.Table, resolution: int, preset: str) -> dict[str, object]:
    chosen = done.filter(pc.and_(pc.equal(done["resolution"], resolution), pc.equal(done["preset"], preset)))
    columns = {stage: chosen[f"{stage}_s"].fill_null(0).to_numpy() for stage in STAGES}
    pixels = chosen["width"].to_numpy() * chosen["height"].to_numpy() / 1e6
    busy = sum(columns[stage] for stage in ("style", "encoder", "transform", "decoder"))
    rate = len(chosen) / busy.sum() if busy.sum() > 0 else None
    row: dict[str, object] = {
        "resolution": resolution,
        "preset": preset,
        "count": len(chosen),
        "megapixels": float(pixels.mean()),
        "pairs_per_s": rate,
        "megapixels_per_s": rate and rate * float(pixels.mean()),
    }
    for stage, seconds in columns.items():
        for name, quantile in QUANTILES.items():
            row[f"{stage}_{name}_s"] = float(np.percentile(seconds, quantile))
    return row
