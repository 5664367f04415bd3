"""What of a source is still to be judged, or to be judged again."""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import closing

from jobs.committed import iter_records
from jobs.evaluate.records import JUDGED
from jobs.evaluate.source import Source
from jobs.storage import Store
from jobs.work import Work

_COLUMNS = ("row", "status", "sha256")


def fresh_works(source: Source, judged: Container[int]) -> Iterator[Work]:
    """The shards that are ready and not in `judged`."""
    return (Work(shard) for shard in source.iter_shards(index for index in source.ready if index not in judged))


def stale_works(store: Store, source: Source, judged: Container[int], *, retry: bool) -> Iterator[Work]:
    """The rows of judged shards that are to be judged again, of each shard together.

    These are pairs whose picture is another one than was judged (after `retry` or `repair` of the run), or which had
    none then and have one now, or the other way round.

    Args:
        store: of the evaluation.
        source: what is judged.
        judged: the shards that have their records.
        retry: whether pairs that could not be judged are to be tried again as well.

    Raises:
        DamagedRecordsError: a record object cannot be read; the message names the way out.
        StorageError: a store cannot be read.
    """
    if not source.changes and not retry:
        return
    indices = [index for index in source.ready if index in judged]
    with closing(iter_records(store, source, indices, _COLUMNS, JUDGED)) as records:
        for shard, (_, table) in zip(source.iter_shards(indices), records, strict=True):
            standing = {record["row"]: record for record in table.to_pylist()}
            rows = frozenset(
                triple.row
                for triple in shard.pairs
                if (source.changes and standing[triple.row]["sha256"] != triple.sha256)
                or (retry and standing[triple.row]["status"] == "failed")
            )
            if rows:
                yield Work(shard, rows)
