"""A run's output against its plan and records, in memory that does not grow with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from jobs.ahead import ahead
from jobs.commit import Rows, committed_rows, failed_ids, packs_of
from jobs.committed import RECORDS, Committed
from jobs.errors import NotFoundInStoreError
from jobs.inventory import Named, open_inventory
from jobs.manifest import IMAGES
from jobs.packs import DamagedPackError, open_pack, pack_key, packed_shard
from jobs.plan import OBJECTS, Plan, Shard, load_plan
from jobs.records import DamagedRecordsError, decode_records
from jobs.storage import Store
from jobs.verify.findings import DAMAGED, MISSING, STRAY, UNRECORDED, Finding, Verdict
from jobs.verify.intact import intact
from jobs.verify.pictures import NO_SUCH_OBJECT, check_pictures

_NOBODYS = "no record and no plan names it"


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
    records: Rows | None
    findings: list[Finding]


def _check(store: Store, committed: Committed, pictures: bool, shard: Shard) -> _Checked:
    if shard.index not in committed:
        return _Checked(shard, None, [])
    try:
        records = intact(decode_records(store.read(shard.record_key)), shard)
    except NotFoundInStoreError:  # set aside since the listing
        return _Checked(shard, None, [])
    except DamagedRecordsError as error:
        return _Checked(shard, None, [Finding(DAMAGED, shard.record_key, str(error), shard.index)])
    return _Checked(shard, records, list(check_pictures(store, shard, records, pictures)))


def _take_down(checked: Iterable[_Checked], verdict: Verdict, progress: Callable[[int], object]) -> Iterator[Named]:
    """Adds the findings to the verdict; what is left is the names of the shards' objects."""
    for one in checked:
        index = one.shard.index
        for finding in one.findings:
            verdict.add(finding)
        yield Named(one.shard.record_key, "records", index)
        yield from _named_objects(one) if one.shard.layout == OBJECTS else _named_packs(one)
        if one.records is not None:
            verdict.recorded += len(one.records)
            verdict.pictures += sum(record["status"] == "done" for record in one.records.values())
            progress(len(one.records))


def _named_objects(one: _Checked) -> Iterator[Named]:
    for pair in one.shard.pairs:
        status = "left" if one.records is None else one.records[pair.row]["status"]
        state = {"left": "planned", "done": "promised", "failed": "failed"}[status]
        yield Named(pair.output, state, one.shard.index, pair.row, pair.pair_id)


def _named_packs(one: _Checked) -> Iterator[Named]:
    if one.records is None:
        yield Named(pack_key(one.shard, 0), "planned", one.shard.index)
    else:
        yield from (Named(key, "packed", one.shard.index) for key in packs_of(one.records))


def _confirm_missing(store: Store, named: Named) -> Finding | None:
    if store.exists(named.key):
        return None
    return Finding(MISSING, named.key, NO_SUCH_OBJECT, named.shard, named.row, named.pair_id)


def _confirm_stray(store: Store, plan: Plan, found: tuple[str, Named | None]) -> Finding | None:
    key, named = found
    if named is None:
        shard = packed_shard(key)
        if plan.layout != OBJECTS and shard is not None and shard < plan.shards:
            return _confirm_stray_pack(store, plan.shard(shard), key)
        return Finding(STRAY, key, _NOBODYS)
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


def _confirm_stray_pack(store: Store, shard: Shard, key: str) -> Finding | None:
    """A pack that no record named when they were read: of a shard in work, of pairs that failed then, or of nobody."""
    try:
        records = committed_rows(store, shard)
        standing = open_pack(store, shard, key)
    except (NotFoundInStoreError, DamagedRecordsError):
        return None
    except DamagedPackError as error:
        return Finding(STRAY, key, f"{_NOBODYS}; {error}")
    if records is None or key in packs_of(records):
        return None
    failed = failed_ids(records)
    if not standing.keys() <= failed.keys():
        return Finding(STRAY, key, _NOBODYS)
    rows = tuple(failed[pair_id] for pair_id in standing)
    return Finding(
        UNRECORDED, key, "it holds pictures of pairs whose records say that they failed", shard.index, rows=rows
    )
