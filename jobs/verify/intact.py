"""Whether a record object is what a worker wrote about a shard."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa

from jobs.commit import Rows
from jobs.packs import packed_shard
from jobs.plan import OBJECTS, PlannedPair, Shard
from jobs.records import DamagedRecordsError


def intact(table: pa.Table, shard: Shard) -> Rows:
    """The records by row, if they are those of the shard's pairs, each once, and consistent in themselves.

    Raises:
        DamagedRecordsError: they are not.
    """
    columns = ["row", "pair_id", "status", "fingerprint", "output", "bytes", "sha256", "pack"]
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
        if problem := _inconsistency(record, planned[number], shard):
            raise DamagedRecordsError(f"row {number}, pair {planned[number].pair_id!r}: {problem}")
    return records


def _inconsistency(record: dict[str, Any], pair: PlannedPair, shard: Shard) -> str | None:
    status, figures = record["status"], [record[name] for name in ("output", "bytes", "sha256")]
    pack = record["pack"]
    problem = None
    if record["pair_id"] != pair.pair_id:
        problem = f"the record is of pair {record['pair_id']!r}"
    elif record["fingerprint"] != shard.fingerprint:
        problem = f"the record is of another plan, {record['fingerprint']!r}"
    elif status not in ("done", "failed"):
        problem = f"the status is {status!r}"
    elif status == "failed" and (figures != [None, None, None] or pack is not None):
        problem = "the record says that the pair failed, and yet promises a picture"
    elif status == "done" and None in figures:
        problem = "the record says that the pair is done, but not with which output, size and SHA-256"
    elif status == "done" and record["output"] != pair.output:
        problem = f"the record promises {record['output']!r} instead of {pair.output!r}"
    elif status == "done" and (pack is not None if shard.layout == OBJECTS else not _is_pack_of(shard, pack)):
        problem = f"the record says that the picture is in {pack!r}"
    return problem


def _is_pack_of(shard: Shard, key: str | None) -> bool:
    return key is not None and packed_shard(key) == shard.index
