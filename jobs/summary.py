"""How a run stands, from its storage: for people as a table, for programs as summary.json."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.table import Table

from jobs.plan import Plan
from jobs.records import SCHEMA, STAGES, decode_records
from jobs.storage import Store

SUMMARY_KEY = "summary.json"
TIMINGS_KEY = "timings.parquet"
_SHOWN_ERRORS = 5


@dataclass(frozen=True)
class Summary:
    """How a run stands.

    Attributes:
        rows: pairs in the plan.
        done: pairs with a picture.
        failed: pairs with a failed record.
        left: pairs without a record.
        seconds: that the last call of the program took, 0 for a mere look.
        errors: the most frequent kinds of failure: type, count, and one message.
        timings: as in timings.parquet.
    """

    output: str
    manifest: str
    fingerprint: str
    rows: int
    done: int
    failed: int
    left: int
    seconds: float = 0.0
    errors: list[dict[str, object]] = field(default_factory=list)
    timings: list[dict[str, object]] = field(default_factory=list)

    def to_json(self) -> bytes:
        """The summary as one JSON object."""
        return (json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n").encode()


def committed_shards(store: Store) -> set[int]:
    """The indices of the shards whose records are there."""
    names = (key.removeprefix("records/shard-").removesuffix(".parquet") for key in store.list("records/shard-"))
    return {int(name) for name in names if name.isdigit()}


def read_records(store: Store, plan: Plan, shards: set[int]) -> pa.Table:
    """The records of some shards, as one table."""
    keys = [plan.record_key(index) for index in sorted(shards)]
    with ThreadPoolExecutor(16) as threads:
        tables = list(threads.map(lambda key: decode_records(store.read(key)), keys))
    return pa.concat_tables([SCHEMA.empty_table(), *tables])


def summarize(plan: Plan, output: str, records: pa.Table, timings: pa.Table, seconds: float = 0.0) -> Summary:
    """The summary of a run.

    Args:
        plan: the frozen plan.
        output: URI of the run's output.
        records: all records, with at least `status`, `error_type` and `error`.
        timings: what `jobs.timings.timing_table` makes of them.
        seconds: that this call of the program took.
    """
    failed = records.filter(pc.equal(records["status"], "failed"))
    return Summary(
        output,
        plan.manifest,
        plan.fingerprint,
        plan.rows,
        len(records) - len(failed),
        len(failed),
        plan.rows - len(records),
        round(seconds, 3),
        list(_errors(failed)),
        timings.to_pylist(),
    )


def print_summary(summary: Summary, console: Console) -> None:
    """The summary for people: counts, seconds per stage and resolution, failures, and where to look."""
    if summary.timings:
        console.print(_timings(summary.timings))
    for error in summary.errors:
        console.print(
            f"[red]{error['count']} × {error['type']}[/]: {error['example']}", soft_wrap=True, highlight=False
        )
    left = f", {summary.left} left" if summary.left else ""
    console.print(
        f"[bold]{summary.done} done, {summary.failed} failed{left}[/] of {summary.rows} pairs in {summary.output}",
        soft_wrap=True,
        highlight=False,
    )


def _errors(failed: pa.Table) -> Iterator[dict[str, object]]:
    types, messages = failed["error_type"].to_pylist(), failed["error"].to_pylist()
    examples = dict(zip(reversed(types), reversed(messages), strict=True))
    for name, count in Counter(types).most_common(_SHOWN_ERRORS):
        yield {"type": name, "count": count, "example": examples[name]}


def _timings(rows: list[dict[str, object]]) -> Table:
    table = Table(title="Median seconds per pair", title_justify="left")
    table.add_column("stage")
    for row in rows:
        table.add_column(f"{row['resolution']} px\n{row['preset']}", justify="right")
    table.add_row("pairs", *(str(row["count"]) for row in rows), end_section=True)
    for stage in STAGES:
        table.add_row(stage, *(f"{row[f'{stage}_p50_s']:.3f}" for row in rows))
    return table
