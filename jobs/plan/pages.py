"""Rows in the order of shards, stored page by page; the pairs of an edition, streamed out of a workspace."""

# ruff: noqa: S608 (no text of a manifest is part of a query)

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from jobs.parquet import to_parquet
from jobs.plan.editions import Page
from jobs.plan.shards import PAIRS
from jobs.plan.workspace import Workspace
from jobs.storage import Store

PAGE_ROWS = 8192
"""Most rows of a page, unless one shard has more."""

_FEW_RECIPES = 1 << 17
_ROW = 'fresh.row, fresh.pair_id, fresh.content, fresh.content_mask, fresh.output, fresh.label, fresh."group"'
_SAID = "styles, style_weights, style_masks, resolution, style_resolution, method, preset, settings"
_ORDER = "ORDER BY places.place, fresh.row"


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
    store: Store, tables: Iterator[pa.Table], schema: pa.Schema, folder: str, first_shard: int, sizes: Iterable[int]
) -> Iterator[Page]:
    """Writes rows into pages, and gives each page once it is stored.

    Args:
        store: of the job.
        tables: the rows in the order of their shards, a few at a time.
        schema: of a page: the columns of the rows, and `shard`.
        folder: for the pages; named by what decides their rows.
        first_shard: the index of the first shard.
        sizes: number of rows in each shard.

    Raises:
        PlanError: no room.
        StorageError: the store cannot be written to.
    """
    groups = list(shard_groups(sizes))
    for number, (group, rows) in enumerate(zip(groups, _portions(tables, map(sum, groups)), strict=True)):
        shards = np.repeat(np.arange(first_shard, first_shard + len(group)), group)
        data = to_parquet(rows.append_column("shard", pa.array(shards)).select(schema.names).cast(schema))
        digest = hashlib.sha256(data).hexdigest()
        # The digest in the key keeps racing drivers apart that have other shards, or another version of pyarrow.
        key = f"{folder}/{number:05d}-{digest[:8]}.parquet"
        store.create(key, data)
        yield Page(key, first_shard, len(group), len(rows), digest)
        first_shard += len(group)


def _portions(tables: Iterator[pa.Table], sizes: Iterable[int]) -> Iterator[pa.Table]:
    """As many rows at a time as `sizes` say."""
    waiting: list[pa.Table] = []
    for size in sizes:
        while sum(map(len, waiting)) < size:
            waiting.append(next(tables))
        table = pa.concat_tables(waiting)
        yield table.slice(0, size).unify_dictionaries().combine_chunks()
        waiting = [table.slice(size)]


def planned_rows(workspace: Workspace) -> Iterator[pa.Table]:
    """The rows of table `fresh` and what their recipes say, in the order of shards, in batches.

    The recipes stay in memory while they are few, so that sorting moves but their numbers.

    Args:
        workspace: with the tables of `load_manifest`, and `fresh`.
    """
    said = "FROM recipes JOIN words USING (words)"
    ((count,),) = workspace.rows("SELECT count(*) FROM recipes")
    if count > _FEW_RECIPES:
        joined = f"fresh JOIN (SELECT * {said}) USING (recipe)"
        yield from _tables(workspace, f"SELECT {_ROW}, {_SAID} FROM {joined} JOIN places USING (recipe) {_ORDER}")
        return
    recipes = pa.concat_tables(_tables(workspace, f"SELECT {_SAID}, recipe {said} ORDER BY recipe"))
    recipes = recipes.unify_dictionaries().combine_chunks()
    numbers = recipes["recipe"].to_numpy()
    for rows in _tables(workspace, f"SELECT {_ROW}, fresh.recipe FROM fresh JOIN places USING (recipe) {_ORDER}"):
        its = recipes.take(np.searchsorted(numbers, rows["recipe"].to_numpy())).drop_columns("recipe")
        yield pa.table({**_columns(rows), **_columns(its)})


def _tables(workspace: Workspace, sql: str) -> Iterator[pa.Table]:
    """The batches of a result, with the types that its columns have in `PAIRS`."""
    for batch in workspace.stream(sql):
        table = pa.Table.from_batches([batch])
        fields = [PAIRS.field(field.name) if field.name in PAIRS.names else field for field in table.schema]
        yield table.cast(pa.schema(fields))


def _columns(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    return {name: table[name] for name in table.column_names}
