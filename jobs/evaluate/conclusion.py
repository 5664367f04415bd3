"""The end of an evaluation: all records as one table, and what they say together."""

# ruff: noqa: S608 (names of columns, no text of a record, are part of a query)

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ift.metrics import METRICS
from jobs.committed import Committed, committed_shards, iter_records, together
from jobs.evaluate.descriptors import PairSets
from jobs.evaluate.head import Head
from jobs.evaluate.places import METRICS_KEY, SUMMARY_KEY
from jobs.evaluate.records import DESCRIPTORS, JUDGED, METRICS_SCHEMA
from jobs.evaluate.source import Source
from jobs.evaluate.triple import NotStylizedError
from jobs.plan.workspace import Workspace, open_workspace
from jobs.storage import Store

_SQL_TYPES = {
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.string(): "VARCHAR",
    pa.list_(pa.string()): "VARCHAR[]",
    pa.list_(pa.float64()): "DOUBLE[]",
}
_TOGETHER = 4096  # records taken in at a time, or somewhat more
_ROW_GROUP = 1 << 16
_MOST_GROUPS = 24  # of presets and methods, each of which takes 6 MB for its sets of pictures
_MOST_ERRORS = 5
_NORMAL_95 = 1.959964  # standard errors on each side of a mean


@dataclass(frozen=True)
class Summary:
    """What an evaluation found.

    Attributes:
        output: URI of the place of the evaluation.
        kind: `run` or `triples`.
        fingerprint: of the evaluation.
        rows: pairs of the run or list.
        judged: pairs with metrics.
        failed: pairs with a failed record, those without a picture among them.
        not_stylized: pairs of which the run has no picture.
        left: pairs that the run has not come to yet.
        unjudged: pairs that the run has come to, and that have no record here yet.
        seconds: that the last call of the program took.
        ruined: by what is wrong with the picture, how many.
        errors: the most frequent kinds of failure: type, count, and the message of the lowest row.
        metrics: per metric, over all pairs: count, mean, low and high (the 95 % interval of the mean), median, p5,
            p95; all but count are null where there is no value, the interval where there are fewer than two.
        groups: the same per preset and method, the largest first: preset, method, pairs, ruined, metrics,
            vgg_frechet.
        vgg_frechet: of the results to `styles` and to `contents`; null for fewer than two pairs.
        vgg_frechet_pairs: how many pairs that is of; figures of different numbers do not compare.
    """

    output: str
    kind: str
    fingerprint: str
    rows: int
    judged: int
    failed: int
    not_stylized: int
    left: int
    unjudged: int
    seconds: float
    ruined: dict[str, int] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[str, dict[str, float | None]] = field(default_factory=dict)
    groups: list[dict[str, Any]] = field(default_factory=list)
    vgg_frechet: dict[str, float | None] = field(default_factory=dict)
    vgg_frechet_pairs: int = 0

    def to_json(self) -> bytes:
        """The summary as one JSON object."""
        return (json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def conclude(store: Store, head: Head, source: Source, seconds: float) -> Summary:
    """Writes metrics.parquet and evaluation.json; memory does not grow with the number of pairs.

    Args:
        store: of the evaluation.
        head: of the evaluation.
        source: what is judged.
        seconds: that this call of the program took.

    Raises:
        DamagedRecordsError: a record object cannot be read; the message names it, and the way out.
        StorageError: the store cannot be read or written.
    """
    ready = source.ready
    standing = committed_shards(store, source)
    with TemporaryDirectory(prefix="ift-evaluation-") as name, open_workspace(Path(name)) as workspace:
        sets = _take_in(store, source, standing, workspace)
        file = Path(name) / METRICS_KEY
        _write(workspace, file)
        store.write_file(METRICS_KEY, file)
        reached = sum(map(source.rows_of, ready))
        ((judged, failed, not_stylized),) = workspace.rows(
            f"""SELECT count(*) FILTER (status = 'done'), count(*) FILTER (status = 'failed'),
            count(*) FILTER (error_type = '{NotStylizedError.__name__}') FROM metrics"""
        )
        summary = Summary(
            output=store.uri,
            kind=head.kind,
            fingerprint=head.fingerprint,
            rows=source.rows,
            judged=judged,
            failed=failed,
            not_stylized=not_stylized,
            left=source.rows - reached,
            unjudged=sum(source.rows_of(index) for index in ready if index not in standing),
            seconds=round(seconds, 3),
            ruined=dict(workspace.rows("SELECT ruin, count(*) AS n FROM metrics WHERE ruin IS NOT NULL GROUP BY ruin")),
            errors=_errors(workspace),
            metrics=_figures(workspace, ""),
            groups=list(_groups(workspace, sets)),
            vgg_frechet=sets.all.distances,
            vgg_frechet_pairs=sets.all.pairs,
        )
    store.write(SUMMARY_KEY, summary.to_json())
    store.sweep()
    return summary


@dataclass
class _Sets:
    """The sets of pictures of all pairs, and of those of the first few presets and methods that are met."""

    all: PairSets = field(default_factory=PairSets)
    of_group: dict[tuple[str | None, str | None], PairSets] = field(default_factory=dict)

    def add(self, records: pa.Table) -> None:
        self.all.add(records)
        keys = records.select(["preset", "method"])
        for key in keys.group_by(["preset", "method"]).aggregate([]).to_pylist():
            group = (key["preset"], key["method"])
            if group in self.of_group or len(self.of_group) < _MOST_GROUPS:
                self.of_group.setdefault(group, PairSets()).add(records.filter(_is(keys, key)))


def _is(keys: pa.Table, wanted: dict[str, str | None]) -> pa.ChunkedArray:
    tests = [
        pc.is_null(keys[name]) if value is None else pc.coalesce(pc.equal(keys[name], value), pa.scalar(False))
        for name, value in wanted.items()
    ]
    return pc.and_(*tests)


def _take_in(store: Store, source: Source, standing: Committed, workspace: Workspace) -> _Sets:
    """Fills the table `metrics` with the records that stand, and sums up their descriptors."""
    columns = ", ".join(f'"{each.name}" {_SQL_TYPES[each.type]}' for each in METRICS_SCHEMA)
    workspace.run(f"CREATE TABLE metrics ({columns})")
    sets = _Sets()
    with workspace.transaction(), closing(iter_records(store, source, standing, kind=JUDGED)) as records:
        for table in together((table for _, table in records), _TOGETHER):
            workspace.insert("metrics", table.drop_columns(list(DESCRIPTORS)))
            sets.add(table)
    return sets


def _write(workspace: Workspace, file: Path) -> None:
    with pq.ParquetWriter(file, METRICS_SCHEMA, version="2.6", compression="zstd", write_page_checksum=True) as writer:
        for table in together(_sorted(workspace), _ROW_GROUP):
            writer.write_table(table, _ROW_GROUP)


def _sorted(workspace: Workspace) -> Iterator[pa.Table]:
    for batch in workspace.stream("SELECT * FROM metrics ORDER BY row, pair_id"):
        yield pa.Table.from_batches([batch]).cast(METRICS_SCHEMA)


def _figures(workspace: Workspace, also: str) -> dict[str, dict[str, float | None]]:
    """The figures of every metric; of those done pairs for which `also` holds."""
    found = {}
    for name in METRICS:  # one by one, since the median needs all values at once
        ((count, mean, deviation, quantiles),) = workspace.rows(
            f"""SELECT count({name}), avg({name}), stddev_samp({name}), quantile_cont({name}, [0.05, 0.5, 0.95])
            FROM metrics WHERE status = 'done' {also}"""
        )
        p5, median, p95 = quantiles or (None, None, None)
        margin = None if count < 2 else _NORMAL_95 * deviation / count**0.5
        found[name] = {
            "count": count,
            "mean": mean,
            "low": None if margin is None else mean - margin,
            "high": None if margin is None else mean + margin,
            "median": median,
            "p5": p5,
            "p95": p95,
        }
    return found


def _groups(workspace: Workspace, sets: _Sets) -> Iterator[dict[str, Any]]:
    workspace.run(
        f"""CREATE TEMP TABLE groups AS
        SELECT row_number() OVER () AS number, * FROM (
            SELECT preset, method, count(*) AS pairs, count(ruin) AS ruined FROM metrics WHERE status = 'done'
            GROUP BY preset, method ORDER BY pairs DESC, preset, method LIMIT {_MOST_GROUPS}
        )"""
    )
    for number, preset, method, pairs, ruined in workspace.rows("SELECT * FROM groups ORDER BY number"):
        also = f"""AND EXISTS (
            SELECT 1 FROM groups WHERE number = {number} AND groups.preset IS NOT DISTINCT FROM metrics.preset
            AND groups.method IS NOT DISTINCT FROM metrics.method
        )"""
        group = sets.of_group.get((preset, method))
        if group is not None and group.pairs == sets.all.pairs:
            group = sets.all  # whose distances are known
        yield {
            "preset": preset,
            "method": method,
            "pairs": pairs,
            "ruined": ruined,
            "metrics": _figures(workspace, also),
            "vgg_frechet": None if group is None else group.distances,
        }


def _errors(workspace: Workspace) -> list[dict[str, Any]]:
    rows = workspace.rows(
        f"""SELECT error_type, count(*) AS n, arg_min(error, row) FROM metrics WHERE status = 'failed'
        GROUP BY error_type ORDER BY n DESC, error_type LIMIT {_MOST_ERRORS}"""
    )
    return [{"type": kind, "count": count, "example": example} for kind, count, example in rows]
