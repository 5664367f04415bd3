"""The pairs of an edition, streamed out of a workspace in the order of shards, and stored page by page."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.parquet import to_parquet
from jobs.plan.editions import Page
from jobs.plan.shards import PAIRS
from jobs.plan.workspace import Workspace
from jobs.storage import Store

PAGE_ROWS = 8192
"""Most rows of a page, unless one shard has more."""


def shard_groups(sizes: Iterable[int]) -> Iterator[list[int]]:
    """The numbers of pairs of successive shards, in groups of one page each."""
    group: list[int] = []
    rows = 0
    for size in sizes:
        if group and rows + size > PAGE_ROWS:
            yield group
            group, rows = [], 0
        group.append(size)
        rows += size
    if group:
        yield group


def store_pages(
    store: Store, workspace: Workspace, fingerprint: str, first_shard: int, sizes: Iterable[int]
) -> Iterator[Page]:
    """Writes the pairs of table `fresh` into pages, and gives each page once it is stored.

    Args:
        store: of the job.
        workspace: with the tables of `load_manifest`, and `fresh`.
        fingerprint: of the edition.
        first_shard: the index of its first shard.
        sizes: number of pairs in each shard.

    Raises:
        PlanError: no room.
        StorageError: the store cannot be written to.
    """
    groups = list(shard_groups(sizes))
    for number, (group, rows) in enumerate(zip(groups, _in_order(workspace, map(sum, groups)), strict=True)):
        shards = np.repeat(np.arange(first_shard, first_shard + len(group)), group)
        data = to_parquet(_page(workspace, rows, shards))
        digest = hashlib.sha256(data).hexdigest()
        # The digest in the key keeps racing drivers apart that have other shards, or another version of pyarrow.
        key = f"plan/{fingerprint[:16]}/{number:05d}-{digest[:8]}.parquet"
        store.create(key, data)
        yield Page(key, first_shard, len(group), len(rows), digest)
        first_shard += len(group)


def _in_order(workspace: Workspace, sizes: Iterable[int]) -> Iterator[pa.Table]:
    """The rows of table `fresh` in the order of shards, as many at a time as each of `sizes` says."""
    batches = workspace.stream("SELECT fresh.* FROM fresh JOIN places USING (recipe) ORDER BY places.place, fresh.row")
    waiting: list[pa.RecordBatch] = []
    for size in sizes:
        while sum(map(len, waiting)) < size:
            waiting.append(next(batches))
        table = pa.Table.from_batches(waiting)
        yield table.slice(0, size)
        waiting = table.slice(size).to_batches()


def _page(workspace: Workspace, rows: pa.Table, shards: np.ndarray) -> pa.Table:
    """The table that is stored: the rows with what their recipes say, and their shards."""
    wanted = pc.unique(rows["recipe"]).to_pylist()
    recipes = workspace.table(
        "SELECT * FROM recipes JOIN words USING (words) WHERE recipe IN (SELECT unnest($1)) ORDER BY recipe",
        wanted,
    )
    said = recipes.take(np.searchsorted(recipes["recipe"].to_numpy(), rows["recipe"].to_numpy()))
    columns = {**{name: said[name] for name in said.column_names}, **{name: rows[name] for name in rows.column_names}}
    return pa.table({**columns, "shard": shards}).select(PAIRS.names).cast(PAIRS).combine_chunks()
