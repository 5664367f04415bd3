"""Whether a run's output is what its records say, nothing less and nothing more; and how to put it right."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import chain
from typing import Any

import pyarrow as pa
from rich.console import Console

from jobs.ahead import ahead
from jobs.committed import RECORDS, Committed
from jobs.errors import NotFoundInStoreError, StorageError
from jobs.inventory import Named, batches, open_inventory
from jobs.manifest import IMAGES
from jobs.plan import Plan, PlannedPair, Shard, load_plan
from jobs.records import DamagedRecordsError, decode_records
from jobs.storage import Store, check_key
from jobs.summary import quoted

VERDICT_KEY = "verify.json"
LOST_AND_FOUND = "lost+found/"
"""Where `repair_storage` puts what it takes away, each object under its own key."""

DAMAGED, MISSING, WRONG_SIZE, WRONG_BYTES, STRAY = (
    "damaged records",
    "missing picture",
    "wrong size",
    "wrong bytes",
    "stray object",
)
_REMEDIES = {
    DAMAGED: "sets the record object aside and does its pairs again",
    MISSING: "does the pair again",
    WRONG_SIZE: "does the pair again",
    WRONG_BYTES: "does the pair again",
    STRAY: f"moves the object to {LOST_AND_FOUND}",
}
_NO_SUCH_OBJECT = "its record says that it is done, but there is no such object"
_MOST_KEPT = 1000  # findings of a kind
_MOST_SHOWN = 5
_SUFFIXES = (
    "",
    *(f".{number}" for number in range(1, 100)),
)  # for objects of one key that are set aside again and again


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        kind: a key of `_REMEDIES`.
        key: of the object that is wrong, missing or too much.
        problem: what is wrong, in plain words.
        shard: that the object belongs to; None if to none.
        row: of the pair; None if no one pair is concerned.
        pair_id: of the pair.
    """

    kind: str
    key: str
    problem: str
    shard: int | None = None
    row: int | None = None
    pair_id: str | None = None


class Redo(Mapping[int, frozenset[int] | None]):
    """What is to be done again: a shard's rows, or None for all of a shard whose record object must go first.

    It takes a few bytes per row, for a whole run may have to be done again.
    """

    def __init__(self) -> None:
        self._rows: dict[int, array[int] | None] = {}

    def add(self, finding: Finding) -> None:
        """Has the finding's pair or shard done again."""
        if finding.shard is None:
            return
        if finding.row is None:
            self._rows[finding.shard] = None
        elif (rows := self._rows.setdefault(finding.shard, array("q"))) is not None:
            rows.append(finding.row)

    def __getitem__(self, shard: int) -> frozenset[int] | None:
        rows = self._rows[shard]
        return None if rows is None else frozenset(rows)

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


@dataclass
class Verdict:
    """What was looked at, and what was found.

    Attributes:
        plan: as it stood when the output had been listed.
        thorough: whether pictures were read, not only looked for.
        recorded: pairs with an intact record.
        pictures: that were promised and looked for.
        unfinished: objects that are there of pairs without a record: of shards in work, or still to be done.
        counts: findings by kind.
        findings: the first of each kind.
        redo: what is to be done again.
        strays: keys of what belongs to nothing, in a column of text.
    """

    output: str
    plan: Plan
    thorough: bool
    recorded: int = 0
    pictures: int = 0
    unfinished: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    redo: Redo = field(default_factory=Redo)
    strays: pa.ChunkedArray = field(default_factory=lambda: pa.chunked_array([], pa.string()))

    @property
    def fine(self) -> bool:
        """Whether nothing wrong was found."""
        return not self.counts

    @property
    def rows(self) -> int:
        """Pairs in the plan."""
        return self.plan.rows

    def to_json(self) -> bytes:
        """The verdict as one JSON object."""
        names = ("output", "thorough", "rows", "recorded", "pictures", "unfinished", "counts")
        verdict = {name: getattr(self, name) for name in names} | {"findings": [asdict(f) for f in self.findings]}
        return (json.dumps(verdict, indent=2, ensure_ascii=False) + "\n").encode()

    def add(self, finding: Finding) -> None:
        """Takes a finding down."""
        self.counts[finding.kind] += 1
        if self.counts[finding.kind] <= _MOST_KEPT:
            self.findings.append(finding)
        if finding.kind != STRAY:
            self.redo.add(finding)

    def add_strays(self, findings: Iterable[Finding]) -> None:
        """Takes down all strays."""
        keys = []
        for some in batches(findings):
            for finding in some:
                self.add(finding)
            keys.append(pa.array([finding.key for finding in some], pa.string()))
        self.strays = pa.chunked_array(keys, pa.string())


def verify(
    store: Store, *, pictures: bool = True, threads: int = 16, progress: Callable[[int], object] = lambda _: None
) -> Verdict:
    """Compares an output with its plan and records: every promised object is there and intact, and no other is.

    Memory does not grow with the number of rows; the names are compared in a temporary file. The job may be at work
    meanwhile. (Only a picture that `retry` has made and not recorded all that while is taken for a stray.)

    Args:
        store: that holds the run.
        pictures: read every picture and compare its size and SHA-256; else only see whether it is there.
        threads: that read.
        progress: called with how many more records have been checked.

    Raises:
        PlanError: there is no plan, or it is damaged.
        StorageError: the store cannot be read.
    """
    depth = 2 * threads
    with open_inventory() as inventory, ThreadPoolExecutor(threads, "verify") as pool:
        # A job freezes the plan, then writes pictures, then commits records. Here pictures are listed before records,
        # and the plan and the records are read after that: they explain whatever was listed, and what a job does
        # meanwhile is no stray. What has been promised since is not listed, and is looked for by name.
        inventory.add_listed(store.list(IMAGES))
        inventory.add_listed(store.list(RECORDS))
        plan = load_plan(store)
        verdict = Verdict(store.uri, plan, pictures)
        check = partial(_check, store, Committed(plan, inventory.listed_records()), pictures)
        with closing(ahead(pool, check, plan.iter_shards(), depth)) as checked:
            inventory.add_named(_take_down(checked, verdict, progress))
        verdict.unfinished = inventory.planned()
        absent = iter(()) if pictures else inventory.absent()
        with closing(ahead(pool, partial(_confirm_missing, store), absent, depth)) as missing:
            for finding in filter(None, missing):
                verdict.add(finding)
        with closing(ahead(pool, partial(_confirm_stray, store, plan), inventory.unexpected(), depth)) as strays:
            verdict.add_strays(filter(None, strays))
    return verdict


@dataclass(frozen=True)
class _Checked:
    """A shard with its records, by row; None if it has none, or none that are intact."""

    shard: Shard
    records: dict[int, dict[str, Any]] | None
    findings: list[Finding]


def _check(store: Store, committed: Committed, pictures: bool, shard: Shard) -> _Checked:
    if shard.index not in committed:
        return _Checked(shard, None, [])
    try:
        records = _intact(decode_records(store.read(shard.record_key)), shard)
    except NotFoundInStoreError:  # set aside since the listing
        return _Checked(shard, None, [])
    except DamagedRecordsError as error:
        return _Checked(shard, None, [Finding(DAMAGED, shard.record_key, str(error), shard.index)])
    findings = []
    for pair in shard.pairs if pictures else ():
        if records[pair.row]["status"] == "done":
            try:
                problem = _compare(store.read(pair.output), records[pair.row])
            except NotFoundInStoreError:
                problem = MISSING, _NO_SUCH_OBJECT
            if problem is not None:
                kind, words = problem
                findings.append(Finding(kind, pair.output, words, shard.index, pair.row, pair.pair_id))
    return _Checked(shard, records, findings)


def _intact(table: pa.Table, shard: Shard) -> dict[int, dict[str, Any]]:
    """The records by row, if they are those of the shard's pairs, each once, and consistent in themselves.

    Raises:
        DamagedRecordsError: they are not.
    """
    columns = ["row", "pair_id", "status", "fingerprint", "output", "bytes", "sha256"]
    rows = table.select(columns).to_pylist()
    records = {record["row"]: record for record in rows}
    planned = {pair.row: pair for pair in shard.pairs}
    if len(records) < len(rows):
        number, count = Counter(record["row"] for record in rows).most_common(1)[0]
        raise DamagedRecordsError(f"row {number} has {count} records")
    for number in sorted(records.keys() ^ planned.keys()):
        whose = f"pair {planned[number].pair_id!r} has no record" if number in planned else "is no row of this shard"
        raise DamagedRecordsError(f"row {number}: {whose}")
    for number, record in records.items():
        if problem := _inconsistency(record, planned[number], shard.fingerprint):
            raise DamagedRecordsError(f"row {number}, pair {planned[number].pair_id!r}: {problem}")
    return records


def _inconsistency(record: dict[str, Any], pair: PlannedPair, fingerprint: str) -> str | None:
    status, figures = record["status"], [record[name] for name in ("output", "bytes", "sha256")]
    problem = None
    if record["pair_id"] != pair.pair_id:
        problem = f"the record is of pair {record['pair_id']!r}"
    elif record["fingerprint"] != fingerprint:
        problem = f"the record is of another plan, {record['fingerprint']!r}"
    elif status not in ("done", "failed"):
        problem = f"the status is {status!r}"
    elif status == "failed" and figures != [None, None, None]:
        problem = "the record says that the pair failed, and yet promises a picture"
    elif status == "done" and None in figures:
        problem = "the record says that the pair is done, but not with which output, size and SHA-256"
    elif status == "done" and record["output"] != pair.output:
        problem = f"the record promises {record['output']!r} instead of {pair.output!r}"
    return problem


def _compare(data: bytes, record: dict[str, Any]) -> tuple[str, str] | None:
    if len(data) != record["bytes"]:
        return WRONG_SIZE, f"it has {len(data)} bytes, its record says {record['bytes']}"
    digest = hashlib.sha256(data).hexdigest()
    if digest != record["sha256"]:
        return WRONG_BYTES, f"its SHA-256 is {digest}, its record says {record['sha256']}"
    return None


def _take_down(checked: Iterable[_Checked], verdict: Verdict, progress: Callable[[int], object]) -> Iterator[Named]:
    """Adds the findings to the verdict; what is left is the names of the shards' objects."""
    for one in checked:
        index = one.shard.index
        for finding in one.findings:
            verdict.add(finding)
        yield Named(one.shard.record_key, "records", index)
        for pair in one.shard.pairs:
            status = "left" if one.records is None else one.records[pair.row]["status"]
            state = {"left": "planned", "done": "promised", "failed": "failed"}[status]
            verdict.pictures += state == "promised"
            yield Named(pair.output, state, index, pair.row, pair.pair_id)
        if one.records is not None:
            verdict.recorded += len(one.records)
            progress(len(one.records))


def _confirm_missing(store: Store, named: Named) -> Finding | None:
    if store.exists(named.key):
        return None
    return Finding(MISSING, named.key, _NO_SUCH_OBJECT, named.shard, named.row, named.pair_id)


def _confirm_stray(store: Store, plan: Plan, found: tuple[str, Named | None]) -> Finding | None:
    key, named = found
    if named is None:
        return Finding(STRAY, key, "no record and no plan names it")
    # The pair had failed when its record was read. Since then the job may have removed what an earlier attempt left
    # behind, or have recorded that another attempt succeeded.
    try:
        records = decode_records(store.read(plan.record_key(named.shard)), ("row", "status"))
    except (NotFoundInStoreError, DamagedRecordsError):
        return None
    if {"row": named.row, "status": "failed"} not in records.to_pylist() or not store.exists(key):
        return None
    return Finding(
        STRAY, key, "it is there, though its pair has a failed record", named.shard, named.row, named.pair_id
    )


def repair_storage(store: Store, verdict: Verdict, threads: int = 16) -> list[str]:
    """Moves damaged record objects and strays to `LOST_AND_FOUND`, so that the job can do `verdict.redo`.

    Nothing is deleted that is not there under its other name. Killed half way, it can be called again. No other
    process should be at work on the run: a shard whose records are taken away is done anew.

    Returns:
        What could not be moved, as messages.

    Raises:
        StorageError: the store cannot be read or written.
    """
    damaged = (verdict.plan.record_key(shard) for shard, rows in verdict.redo.items() if rows is None)
    strays = (key.as_py() for key in verdict.strays)
    with (
        ThreadPoolExecutor(threads, "repair") as pool,
        closing(ahead(pool, partial(_set_aside, store), chain(damaged, strays), 2 * threads)) as problems,
    ):
        return [problem for problem in problems if problem is not None]


def _set_aside(store: Store, key: str) -> str | None:
    try:
        names = [check_key(LOST_AND_FOUND + check_key(key) + suffix) for suffix in _SUFFIXES]
    except StorageError as error:  # someone else's object, with a name that the job would not give
        return f"{error}; move the object away by hand"
    try:
        data = store.read(key)
    except NotFoundInStoreError:
        return None
    if not any(store.create(name, data) for name in names):
        return f"{key} cannot be moved: {LOST_AND_FOUND} holds {len(names)} others of that name; clear it up"
    store.delete(key)
    return None


def print_verdict(verdict: Verdict, console: Console) -> None:
    """The verdict for people: what was compared, what is wrong, and the way out."""

    def line(text: str) -> None:
        console.print(text, soft_wrap=True, highlight=False, emoji=False)

    for kind, count in verdict.counts.items():
        line(f"[red]{count:,} × {kind}[/]: `verify --repair` {_REMEDIES[kind]}")
        for finding in [finding for finding in verdict.findings if finding.kind == kind][:_MOST_SHOWN]:
            pair = f" of pair {quoted(finding.pair_id)}" if finding.pair_id is not None else ""
            line(f"    {quoted(finding.key)}{pair}: {quoted(finding.problem)}")
        if count > _MOST_SHOWN:
            line(f"    and {count - _MOST_SHOWN:,} more, in {VERDICT_KEY}{_kept(count)}")
    if verdict.recorded < verdict.rows:
        line(f"{verdict.rows - verdict.recorded:,} of {verdict.rows:,} pairs have no intact record: `run` does them")
    line(
        f"{verdict.recorded:,} records read, {verdict.pictures:,} pictures"
        f" {'read' if verdict.thorough else 'looked for'} in {quoted(verdict.output)}:"
        f" [bold]{'nothing' if verdict.fine else f'{verdict.counts.total():,}'} wrong[/]"
    )


def _kept(count: int) -> str:
    return f" (the first {_MOST_KEPT:,})" if count > _MOST_KEPT else ""
