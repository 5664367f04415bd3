"""What is committed of a run: which shards have their records, and these, a few at a time."""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.ahead import ahead
from jobs.ledger import DamagedRecordsError, RecordKind
from jobs.records import STYLIZED
from jobs.storage import Store

RECORDS = "records/"
"""The folder of the record objects."""

_NAME = re.compile(r"records/shard-([0-9]{6,18})\.parquet")
_THREADS, _AHEAD = 16, 64


class Shards(Protocol):
    """A plan, as far as its shards are counted and have names."""

    @property
    def shards(self) -> int:
        """Number of shards."""

    def record_key(self, index: int) -> str:
        """The key of the records of the shard at `index`."""


class Committed(Collection[int]):
    """The shards of a plan that have their record object: a byte for each shard of the plan.

    Args:
        plan: whose shards are meant.
        keys: of the objects below `RECORDS`.

    Attributes:
        others: the keys that are no shard's.
    """

    def __init__(self, plan: Shards, keys: Iterable[str]) -> None:
        self._there = np.zeros(plan.shards, dtype=bool)
        self.others: list[str] = []
        for key in keys:
            match = _NAME.fullmatch(key)
            index = int(match[1]) if match else plan.shards
            if index < plan.shards and plan.record_key(index) == key:
                self._there[index] = True
            else:
                self.others.append(key)

    def __contains__(self, index: object) -> bool:
        return isinstance(index, (int, np.integer)) and 0 <= int(index) < len(self._there) and bool(self._there[index])

    def __len__(self) -> int:
        return int(self._there.sum())

    def __iter__(self) -> Iterator[int]:
        return (int(index) for index in np.flatnonzero(self._there))


def committed_shards(store: Store, plan: Shards) -> Committed:
    """The shards whose records are there, by one listing."""
    return Committed(plan, store.list(RECORDS))


def iter_records(
    store: Store,
    plan: Shards,
    shards: Iterable[int],
    columns: Sequence[str] | None = None,
    kind: RecordKind = STYLIZED,
) -> Generator[tuple[int, pa.Table], None, None]:
    """The records of some shards, in the order given; threads read a bounded number of them ahead.

    Args:
        store: that holds the records.
        plan: whose shards are meant.
        shards: the indices of committed shards.
        columns: of the records' schema; None for all.
        kind: of the records.

    Raises:
        DamagedRecordsError: a record object cannot be read; the message names it, and the way out.
        StorageError: the store cannot be read.
    """

    def read(index: int) -> tuple[int, pa.Table]:
        key = plan.record_key(index)
        try:
            return index, kind.decode(store.read(key), columns)
        except DamagedRecordsError as error:
            raise DamagedRecordsError(f"{key} in {store.uri} is damaged: {error}; {kind.way_out}") from error

    with ThreadPoolExecutor(_THREADS, "records") as threads, closing(ahead(threads, read, shards, _AHEAD)) as tables:
        yield from tables


def together(tables: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """Tables as fewer larger ones, of so many rows or somewhat more."""
    some: list[pa.Table] = []
    for table in tables:
        some.append(table)
        if sum(map(len, some)) >= rows:
            yield pa.concat_tables(some)
            some = []
    if some:
        yield pa.concat_tables(some)


def failed_rows(
    store: Store, plan: Shards, shards: Iterable[int] | None = None
) -> Iterator[tuple[int, frozenset[int]]]:
    """The shards with failed records, and the rows of these.

    Args:
        store: that holds the records.
        plan: whose shards are meant.
        shards: the indices of committed shards to look at; None for all.

    Raises:
        DamagedRecordsError: see `iter_records`.
        StorageError: the store cannot be read.
    """
    shards = committed_shards(store, plan) if shards is None else shards
    for index, records in iter_records(store, plan, shards, ("row", "status")):
        failed = records.filter(pc.equal(records["status"], "failed"))
        if len(failed):
            yield index, frozenset(failed["row"].to_pylist())
