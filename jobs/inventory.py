"""The names of what is in a store against the names of what should be: compared on disk, for they may be 10⁸."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa

from jobs.plan.workspace import Workspace, open_workspace

T = TypeVar("T")

_BATCH = 50_000


class Named(NamedTuple):
    """An object that is known of.

    Attributes:
        key: of the object.
        state: `promised` by a record, so it must be there; `planned`, so it may be; `failed`: its record says that
            there is none; `packed`: it is a pack, which was looked at; `records`: it is a record object.
        shard: that it belongs to.
        row: of its pair; None for a record object or a pack.
        pair_id: of its pair.
    """

    key: str
    state: str
    shard: int
    row: int | None = None
    pair_id: str | None = None


_LISTED = pa.schema({"key": pa.string()})
_NAMED = pa.schema(
    {"key": pa.string(), "state": pa.string(), "shard": pa.int64(), "row": pa.int64(), "pair_id": pa.string()}
)


class Inventory:
    """Takes down what is listed and what is named, in temporary tables, and tells the differences."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        workspace.run("CREATE TABLE listed (key VARCHAR)")
        workspace.run("CREATE TABLE named (key VARCHAR, state VARCHAR, shard BIGINT, row BIGINT, pair_id VARCHAR)")

    def add_listed(self, keys: Iterable[str]) -> None:
        """Takes down objects that are there."""
        for some in batches(keys):
            self._workspace.insert("listed", pa.table([some], schema=_LISTED))

    def add_named(self, objects: Iterable[Named]) -> None:
        """Takes down objects that are known of, none of them twice."""
        for some in batches(objects):
            self._workspace.insert("named", pa.table(list(zip(*some, strict=True)), schema=_NAMED))

    def listed_records(self) -> Iterator[str]:
        """The keys that are there in the folder of the record objects."""
        return (key for (key,) in self._rows("SELECT key FROM listed WHERE starts_with(key, 'records/')"))

    def absent(self) -> Iterator[Named]:
        """What is promised and not listed, by shard and row."""
        query = "SELECT * FROM named ANTI JOIN listed USING (key) WHERE state = 'promised' ORDER BY shard, row"
        return (Named(*row) for row in self._rows(query))

    def unexpected(self) -> Iterator[tuple[str, Named | None]]:
        """What is listed but not known of, or of failed pairs; by key, with what is known of it all the same."""
        query = """
            SELECT listed.key AS found, named.* FROM listed LEFT JOIN named USING (key)
            WHERE named.key IS NULL OR state = 'failed' ORDER BY found
        """
        return ((found, None if named[0] is None else Named(*named)) for found, *named in self._rows(query))

    def planned(self) -> int:
        """How many of the objects that are listed are planned and not promised yet."""
        query = "SELECT count(*) FROM listed SEMI JOIN (SELECT key FROM named WHERE state = 'planned') USING (key)"
        return int(self._workspace.rows(query)[0][0])

    def _rows(self, query: str) -> Iterator[tuple[Any, ...]]:
        for batch in self._workspace.stream(query):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


@contextmanager
def open_inventory() -> Iterator[Inventory]:
    """A new inventory. It lies where TMPDIR says, and takes about as much disk as the names have characters."""
    with TemporaryDirectory(prefix="ift-verify-") as folder, open_workspace(Path(folder)) as workspace:
        yield Inventory(workspace)


def batches(items: Iterable[T]) -> Iterator[list[T]]:
    """The items, many at a time."""
    rest = iter(items)
    while some := list(islice(rest, _BATCH)):
        yield some
