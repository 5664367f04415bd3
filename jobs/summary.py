"""How a run stands, from its storage: for people as a table, for programs as summary.json."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from tqdm import tqdm

from jobs import timings
from jobs.committed import committed_shards, iter_records, together
from jobs.ledger import WaitsForPartsError
from jobs.plan import Plan
from jobs.records import STAGES
from jobs.storage import Store
from jobs.storage.uris import shown
from jobs.timings import Timings

SUMMARY_KEY = "summary.json"
TIMINGS_KEY = "timings.parquet"

_COLUMNS = ("row", "status", "pack", "error_type", "error", "attempts", "finished_at", *timings.COLUMNS)
_TOGETHER = 8192  # records summed up at a time, or somewhat more
_LATELY = 600  # seconds of activity that the rate is taken from
_MOST_KINDS = 1000
_OTHER_KINDS = "other kinds"
_SHOWN_ERRORS, _SHOWN_GROUPS = 5, 6


@dataclass(frozen=True)
class Summary:
    """How a run stands.

    Attributes:
        rows: pairs in the plan.
        done: pairs with a picture.
        failed: pairs with a failed record.
        left: pairs without a record.
        retried: pairs that took more than one attempt.
        shards: in the plan.
        shards_done: shards with their records.
        editions: of the plan: 1, and one for each time that the manifest had grown.
        seconds: that the last call of the program took, 0 for a mere look.
        last_finished: when the latest pair was finished, ISO 8601 in UTC; None if none was.
        pairs_per_minute: over the last ten minutes in which pairs were finished; None if too few were.
        seconds_left: for the pairs that are left, at that rate; None if none are, or the rate is not known.
        errors: the most frequent kinds of failure: type, count, and the message of the lowest row.
        timings: as in timings.parquet.
    """

    output: str
    manifest: str
    fingerprint: str
    rows: int
    done: int
    failed: int
    left: int
    retried: int = 0
    shards: int = 0
    shards_done: int = 0
    editions: int = 1
    seconds: float = 0.0
    last_finished: str | None = None
    pairs_per_minute: float | None = None
    seconds_left: float | None = None
    errors: list[dict[str, object]] = field(default_factory=list)
    timings: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> bytes:
        """The summary as one JSON object."""
        return (json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n").encode()


def summarize(
    store: Store, plan: Plan, seconds: float = 0.0, also: Callable[[pa.Table], object] = lambda records: None
) -> tuple[Summary, pa.Table]:
    """The summary of a run and its table of timings, in one pass over the records, a few at a time.

    Args:
        store: that holds the run.
        plan: the frozen plan.
        seconds: that this call of the program took.
        also: who else is shown the records, with status and pack.

    Raises:
        DamagedRecordsError: a record object cannot be read; the message names it, and the way out.
        StorageError: the store cannot be read.
    """
    committed = committed_shards(store, plan)
    tally, times = _Tally(), Timings()
    with closing(iter_records(store, plan, committed, _COLUMNS)) as records:
        for table in together((table for _, table in records), _TOGETHER):
            tally.add(table)
            times.add(table)
            also(table)
    left = plan.rows - tally.done - tally.failed
    rate = tally.pairs_per_second()
    table = times.table()
    summary = Summary(
        store.uri,
        plan.manifest,
        plan.fingerprint,
        plan.rows,
        tally.done,
        tally.failed,
        left,
        tally.retried,
        plan.shards,
        len(committed),
        len(plan.editions),
        round(seconds, 3),
        tally.last_finished(),
        rate and round(60 * rate, 3),
        round(left / rate, 1) if rate and left else None,
        tally.most_frequent_errors(),
        table.to_pylist(),
    )
    return summary, table


class _Tally:
    """What is counted of a stream of records, in memory that does not grow with it."""

    def __init__(self) -> None:
        self.done = self.failed = self.retried = 0
        self._kinds: dict[str, tuple[int, int, str]] = {}  # by type: count, lowest row, its message
        self._finished: Counter[int] = Counter()  # pairs by the second, of the last `_LATELY`

    def add(self, records: pa.Table) -> None:
        failed = records.filter(pc.equal(records["status"], "failed"))
        self.done += len(records) - len(failed)
        # What waits to be made in parts is left to do.
        failed = failed.filter(pc.not_equal(failed["error_type"], WaitsForPartsError.__name__))
        self.failed += len(failed)
        self.retried += pc.sum(pc.greater(records["attempts"], 1)).as_py() or 0
        self._add_errors(failed)
        self._add_finished(records["finished_at"].to_numpy())

    def _add_errors(self, failed: pa.Table) -> None:
        # The first of each kind is that of the lowest row only in one thread.
        kinds = failed.sort_by("row").group_by("error_type", use_threads=False)
        for kind in kinds.aggregate([("row", "count"), ("row", "first"), ("error", "first")]).to_pylist():
            name = str(kind["error_type"])
            if name not in self._kinds and len(self._kinds) >= _MOST_KINDS:
                name = _OTHER_KINDS
            count, row, message = self._kinds.get(name, (0, kind["row_first"], ""))
            if kind["row_first"] <= row:
                row, message = kind["row_first"], str(kind["error_first"])
            self._kinds[name] = count + kind["row_count"], row, message

    def _add_finished(self, times: npt.NDArray[np.float64]) -> None:
        seconds, counts = np.unique(times[times > 0].astype(np.int64), return_counts=True)
        self._finished.update(dict(zip(seconds.tolist(), counts.tolist(), strict=True)))
        if self._finished:
            start = max(self._finished) - _LATELY
            self._finished = Counter({at: count for at, count in self._finished.items() if at >= start})

    def last_finished(self) -> str | None:
        if not self._finished:
            return None
        return datetime.fromtimestamp(max(self._finished), timezone.utc).isoformat()

    def pairs_per_second(self) -> float | None:
        """Of the pairs after the first second, so that what led up to that does not matter."""
        if len(self._finished) < 2:
            return None
        first, last = min(self._finished), max(self._finished)
        return (self._finished.total() - self._finished[first]) / (last - first)

    def most_frequent_errors(self) -> list[dict[str, object]]:
        kinds = sorted(self._kinds.items(), key=lambda item: (-item[1][0], item[1][1]))
        return [
            {"type": name, "count": count, "example": message} for name, (count, _, message) in kinds[:_SHOWN_ERRORS]
        ]


def print_summary(summary: Summary, console: Console) -> None:
    """The summary for people: counts, seconds per stage and resolution, failures, and how long the rest will take."""

    def line(text: str) -> None:
        console.print(text, soft_wrap=True, highlight=False, emoji=False)

    if summary.timings:
        console.print(_timings(summary.timings))
        hidden = len(summary.timings) - _SHOWN_GROUPS
        if hidden > 0:
            line(f"and {hidden} more resolutions and presets, in {TIMINGS_KEY}")
    for error in summary.errors:
        line(f"[red]{error['count']:,} × {quoted(error['type'])}[/]: {quoted(error['example'])}")
    if summary.seconds_left is not None:
        line(
            f"about {tqdm.format_interval(summary.seconds_left)} for the {summary.left:,} pairs left, at"
            f" {summary.pairs_per_minute:,.1f} pairs a minute as in the ten minutes before {summary.last_finished}"
        )
    left = f", {summary.left:,} left" if summary.left else ""
    line(
        f"[bold]{summary.done:,} done, {summary.failed:,} failed{left}[/] of {summary.rows:,} pairs"
        f" in {quoted(summary.output)}"
    )


def quoted(text: object) -> str:
    """A text from outside as one line that can harm no terminal, for a line of rich's markup."""
    return escape(shown(str(text)))


def _timings(rows: Sequence[dict[str, Any]]) -> Table:
    frequent = sorted(range(len(rows)), key=lambda at: -rows[at]["count"])[:_SHOWN_GROUPS]
    shown = [rows[at] for at in sorted(frequent)]
    table = Table(title="Median seconds per pair", title_justify="left")
    table.add_column("stage")
    for row in shown:
        table.add_column(f"{row['resolution']} px\n{escape(row['preset'])}", justify="right")
    table.add_row("pairs", *_each(shown, "count", ","), end_section=True)
    for stage in STAGES:
        table.add_row(stage, *_each(shown, f"{stage}_p50_s", ".3f"))
    return table


def _each(rows: Iterable[dict[str, Any]], column: str, form: str) -> Iterator[str]:
    return (format(row[column], form) for row in rows)
