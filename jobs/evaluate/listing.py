"""From a table or a folder of triples to the frozen list that an evaluation goes through."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from posixpath import splitext
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from jobs.errors import ManifestError, StorageError
from jobs.evaluate.folder import triples_of_folder
from jobs.evaluate.head import TRIPLES, Head, freeze
from jobs.evaluate.source import PAGE
from jobs.evaluate.table import LISTED, triples_of_table
from jobs.manifest.columns import KINDS
from jobs.parquet import to_parquet
from jobs.plan import Page, default_shard_size
from jobs.plan.pages import shard_groups
from jobs.plan.shards import shard_rows
from jobs.plan.workspace import Workspace, open_workspace
from jobs.storage import Store, check_allowed, copy_to_file, open_store
from jobs.storage.uris import absolute_uri

_TABLE = """CREATE TABLE triples (
    row BIGINT, pair_id VARCHAR, content VARCHAR, styles VARCHAR[], result VARCHAR, method VARCHAR, label VARCHAR
)"""
_COLUMNS = ", ".join(LISTED.names)


def freeze_list(store: Store, triples: str, judge: str, allowed: Sequence[str] = ()) -> Head:
    """Freezes a list of triples as what is judged in `store`, once; later the same list is found again.

    Memory is flat in the number of triples of a table.

    Args:
        store: of the evaluation.
        triples: a Parquet, CSV or JSONL file, or a folder with content/, style/ and result/; local or s3://.
        judge: SHA-256 of the weights that judge.
        allowed: folders and s3:// prefixes below which pictures must lie; anywhere if there are none.

    Raises:
        ManifestError: no list, or triples that cannot be used.
        PlanError: the store holds the evaluation of something else.
        StorageError: the list cannot be read, or the store not be reached.
    """
    uri = absolute_uri(triples)
    with TemporaryDirectory(prefix="ift-triples-") as name, open_workspace(Path(name)) as workspace:
        workspace.run(_TABLE)
        with workspace.transaction():
            for table in _read(uri, Path(name), allowed):
                workspace.insert("triples", table)
        _check_ids(workspace, uri)
        ((rows,),) = workspace.rows("SELECT count(*) FROM triples")
        digest = _digest(workspace)
        size = default_shard_size(rows)
        store.check()  # before anything is written there
        pages = tuple(_store_pages(store, workspace, digest, list(shard_rows([rows], size))))
    return freeze(store, Head(TRIPLES, digest, judge, pages=pages, shard_size=size))


def _read(uri: str, folder: Path, allowed: Sequence[str]) -> Iterator[pa.Table]:
    if splitext(uri)[1].lower() in KINDS:
        return triples_of_table(uri, copy_to_file(uri, folder), allowed)
    try:
        check_allowed(f"{uri.rstrip('/')}/result/any", allowed)
        return triples_of_folder(open_store(uri))
    except StorageError as error:
        raise ManifestError(
            f"{uri} is neither a table of triples ({', '.join(KINDS)}) nor a folder of them: {error}"
        ) from error


def _check_ids(workspace: Workspace, uri: str) -> None:
    twins = workspace.rows(
        """SELECT pair_id, min(row), max(row) FROM triples GROUP BY pair_id HAVING count(*) > 1
        ORDER BY min(row) LIMIT 1"""
    )
    for pair_id, first, second in twins:
        raise ManifestError(
            f"{uri}: rows {first} and {second} (counting from 0) have the same pair_id {pair_id!r}: remove one, or"
            " give each its own"
        )


def _digest(workspace: Workspace) -> str:
    """Of all triples, in the order of the list."""
    digest = hashlib.sha256()
    for batch in workspace.stream(f"SELECT {_COLUMNS} FROM triples ORDER BY row"):  # noqa: S608 (fixed names)
        for row in batch.to_pylist():
            digest.update(json.dumps(list(row.values())).encode() + b"\n")
    return digest.hexdigest()


def _store_pages(store: Store, workspace: Workspace, digest: str, sizes: Sequence[int]) -> Iterator[Page]:
    """Writes the triples, those of one style together, and gives each page once it is stored."""
    batches = workspace.stream(f"SELECT {_COLUMNS} FROM triples ORDER BY styles, row")  # noqa: S608 (fixed names)
    waiting: list[pa.Table] = []
    first_shard = 0
    for number, group in enumerate(shard_groups(sizes)):
        while sum(map(len, waiting)) < sum(group):
            waiting.append(pa.Table.from_batches([next(batches)]).cast(LISTED))
        table = pa.concat_tables(waiting)
        rows, waiting = table.slice(0, sum(group)), [table.slice(sum(group))]
        shards = np.repeat(np.arange(first_shard, first_shard + len(group)), group)
        data = to_parquet(rows.append_column("shard", pa.array(shards)).select(PAGE.names).cast(PAGE))
        sha256 = hashlib.sha256(data).hexdigest()
        # The digest in the key keeps racing drivers apart that have another version of pyarrow.
        key = f"triples/{digest[:16]}/{number:05d}-{sha256[:8]}.parquet"
        store.create(key, data)
        yield Page(key, first_shard, len(group), sum(group), sha256)
        first_shard += len(group)
