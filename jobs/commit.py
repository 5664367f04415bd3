"""The commit of a shard: its records become one object, once; and how records are replaced when rows are redone.

There is at most one record object per shard at any time, and in it exactly one record per pair.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from jobs.errors import NotFoundInStoreError
from jobs.ledger import AnyRecord, AnyShard, RecordKind, waits
from jobs.records import STYLIZED
from jobs.storage import Store

Rows = Mapping[int, dict[str, Any]]
"""What a record object holds, by the number of the row in the manifest."""


class Failure(NamedTuple):
    """What the record of a failed pair says."""

    pair_id: str
    error_type: str | None
    error: str | None


@dataclass(frozen=True)
class Outcome:
    """What came of a piece of work; the truth is in the record object."""

    shard: int
    done: int
    failures: tuple[Failure, ...] = ()

    @property
    def failed(self) -> int:
        """Number of pairs that failed."""
        return len(self.failures)

    @classmethod
    def of(cls, shard: AnyShard, records: Sequence[AnyRecord]) -> Outcome:
        """Counts records."""
        return cls.of_rows(shard, [vars(record) for record in records])

    @classmethod
    def of_rows(cls, shard: AnyShard, rows: Collection[Mapping[str, Any]]) -> Outcome:
        """Counts records that are rows of a table; pairs that wait are neither done nor failed."""
        failed = [row for row in rows if row["status"] == "failed"]
        failures = [Failure(row["pair_id"], row["error_type"], row["error"]) for row in failed if not waits(row)]
        return cls(shard.index, len(rows) - len(failed), tuple(failures))


def commit(store: Store, shard: AnyShard, records: Sequence[AnyRecord], kind: RecordKind = STYLIZED) -> Outcome:
    """Writes a shard's records, once and for all.

    It is a create: if another worker was first, its records stand, and the pictures, which have the same names and
    bytes, are the same.
    """
    if store.create(shard.record_key, kind.encode(records)):
        kind.discard(store, shard, {record.row for record in records if record.status == "failed"})
    return Outcome.of(shard, records)


def committed_rows(store: Store, shard: AnyShard, kind: RecordKind = STYLIZED) -> Rows | None:
    """The records that stand; None if the shard is not committed."""
    try:
        return _rows(kind, store.read(shard.record_key))
    except NotFoundInStoreError:
        return None


def packs_of(rows: Rows) -> list[str]:
    """The keys of the packs that records name."""
    return sorted({row["pack"] for row in rows.values() if row["pack"] is not None})


def failed_ids(rows: Rows) -> dict[str, int]:
    """The rows of the pairs whose records say that they failed, by pair id."""
    return {row["pair_id"]: number for number, row in rows.items() if row["status"] == "failed"}


def recommit(
    store: Store, shard: AnyShard, records: Iterable[AnyRecord], seen: Rows, kind: RecordKind = STYLIZED
) -> Outcome:
    """Replaces the records of some rows of a committed shard.

    Args:
        store: that holds the records.
        shard: that is committed.
        records: of the rows that were redone; attempts count from those of `seen` on.
        seen: what stood when the work began. A record that has changed since is another worker's, and stays.
        kind: of the records.
    """
    fresh = list(records)
    for record in fresh:
        record.attempts += seen[record.row]["attempts"]
    redone = _rows(kind, kind.encode(fresh))
    while True:
        current = store.read(shard.record_key)
        standing = _rows(kind, current)
        ours = {number: row for number, row in redone.items() if standing[number] == seen[number]}
        if not ours or store.replace(shard.record_key, _encode(kind, {**standing, **ours}), current):
            kind.discard(store, shard, {number for number, row in ours.items() if row["status"] == "failed"})
            return Outcome.of(shard, fresh)


def _rows(kind: RecordKind, data: bytes) -> Rows:
    return {row["row"]: row for row in kind.decode(data).to_pylist()}


def _encode(kind: RecordKind, rows: Rows) -> bytes:
    return kind.encode_rows([rows[number] for number in sorted(rows)])
