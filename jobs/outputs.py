"""Where a worker puts the pictures of a shard: each into an object of its own, or all of them into packs."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from jobs.packs import Sample, put_in_packs
from jobs.plan import OBJECTS, PlannedPair, Shard
from jobs.records import Record
from jobs.storage import Store


class Outputs(Protocol):
    """Takes the pictures of a shard, from many threads, and sees that they are stored before they are recorded."""

    def keep(self, pair: PlannedPair, picture: bytes) -> None:
        """Takes the picture of a pair.

        Raises:
            StorageError: the store refuses, or does not answer.
        """

    def keep_file(self, pair: PlannedPair, picture: Path) -> None:
        """Takes the picture of a pair that lies in a file, of any size where pictures are objects.

        Raises:
            StorageError: the store refuses, or does not answer.
        """

    def settle(self, records: Sequence[Record]) -> None:
        """Returns once all that was kept is stored, and has the records of these pairs say where.

        Raises:
            StorageError: the store refuses, or does not answer.
        """


def open_outputs(store: Store, shard: Shard) -> Outputs:
    """What the shard's layout asks for."""
    return _Objects(store) if shard.layout == OBJECTS else _Packs(store, shard)


class _Objects:
    """Objects, overwritten by whoever comes later: their bytes are the same."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, pair: PlannedPair, picture: bytes) -> None:
        self._store.write(pair.output, picture)

    def keep_file(self, pair: PlannedPair, picture: Path) -> None:
        self._store.write_file(pair.output, picture)

    def settle(self, records: Sequence[Record]) -> None:
        pass


class _Packs:
    """Packs, made when the last picture is there: the pictures of a shard are in memory for so long."""

    def __init__(self, store: Store, shard: Shard) -> None:
        self._store, self._shard = store, shard
        self._kept: dict[int, Sample] = {}

    def keep(self, pair: PlannedPair, picture: bytes) -> None:
        self._kept[pair.row] = Sample.of(pair, picture)

    def keep_file(self, pair: PlannedPair, picture: Path) -> None:
        self.keep(pair, picture.read_bytes())

    def settle(self, records: Sequence[Record]) -> None:
        """An equal share of the time counts as each pair's upload."""
        started = time.perf_counter()
        packed = put_in_packs(self._store, self._shard, [self._kept[row] for row in sorted(self._kept)])
        done = [record for record in records if record.row in self._kept]
        for record in done:
            record.pack, picture = packed[record.pair_id]
            # As it stands there: an earlier attempt may have put it there.
            record.bytes, record.sha256 = len(picture), hashlib.sha256(picture).hexdigest()
            share = (time.perf_counter() - started) / len(done)
            for part in ("upload", "total"):
                record.seconds[part] = record.seconds.get(part, 0.0) + share
