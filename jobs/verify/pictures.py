"""Whether the pictures of a committed shard are those of its records: as objects, or in packs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from jobs.commit import Rows, failed_ids, packs_of
from jobs.errors import NotFoundInStoreError
from jobs.packs import DamagedPackError, open_pack
from jobs.plan import OBJECTS, Shard
from jobs.storage import Store
from jobs.verify.findings import DAMAGED_PACK, MISSING, UNRECORDED, WRONG_BYTES, WRONG_SIZE, Finding

NO_SUCH_OBJECT = "its record says that it is done, but there is no such object"
_NO_SUCH_PACK = "its pairs' records say that they are done, but there is no such object"


def check_pictures(store: Store, shard: Shard, records: Rows, thorough: bool) -> Iterator[Finding]:
    """What is wrong with them. If not `thorough`, only packs are looked for; missing objects are found by listing.

    Raises:
        StorageError: the store cannot be read.
    """
    if shard.layout != OBJECTS:
        yield from _check_packs(store, shard, records, thorough)
    elif thorough:
        yield from _check_objects(store, shard, records)


def _check_objects(store: Store, shard: Shard, records: Rows) -> Iterator[Finding]:
    for pair in shard.pairs:
        if records[pair.row]["status"] == "done":
            try:
                problem = _compare(store.read(pair.output), records[pair.row])
            except NotFoundInStoreError:
                problem = MISSING, NO_SUCH_OBJECT
            if problem is not None:
                kind, words = problem
                yield Finding(kind, pair.output, words, shard.index, pair.row, pair.pair_id)


def _check_packs(store: Store, shard: Shard, records: Rows, thorough: bool) -> Iterator[Finding]:
    for key in packs_of(records):
        rows = tuple(row for row, record in records.items() if record["pack"] == key)
        try:
            if thorough:
                yield from _check_pack(store, shard, records, key, rows)
            elif not store.exists(key):
                raise NotFoundInStoreError(key)
        except NotFoundInStoreError:
            yield Finding(MISSING, key, _NO_SUCH_PACK, shard.index, rows=rows)
        except DamagedPackError as error:
            yield Finding(DAMAGED_PACK, key, str(error), shard.index, rows=rows)


def _check_pack(store: Store, shard: Shard, records: Rows, key: str, rows: tuple[int, ...]) -> Iterator[Finding]:
    """Compares a pack with the records that name it; whatever is wrong within it is the whole pack's fault.

    Raises:
        NotFoundInStoreError: it is not there.
        DamagedPackError: it does not hold what they say.
    """
    standing = dict(open_pack(store, shard, key))
    for row in rows:
        pair_id = records[row]["pair_id"]
        picture = standing.pop(pair_id, None)
        problem = "it is not there" if picture is None else (_compare(picture, records[row]) or (None, None))[1]
        if problem is not None:
            raise DamagedPackError(f"the picture of pair {pair_id!r}: {problem}")
    failed = failed_ids(records)
    for pair_id in standing:
        if pair_id not in failed:
            raise DamagedPackError(f"it holds a picture of pair {pair_id!r}, whose record names another place")
        words = "a pack holds it, though its record says that the pair failed"
        yield Finding(UNRECORDED, key, words, shard.index, failed[pair_id], pair_id)


def _compare(data: bytes, record: dict[str, Any]) -> tuple[str, str] | None:
    if len(data) != record["bytes"]:
        return WRONG_SIZE, f"it has {len(data)} bytes, its record says {record['bytes']}"
    digest = hashlib.sha256(data).hexdigest()
    if digest != record["sha256"]:
        return WRONG_BYTES, f"its SHA-256 is {digest}, its record says {record['sha256']}"
    return None
