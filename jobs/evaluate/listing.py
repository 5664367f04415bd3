"""From a table or a folder of triples to the frozen list that an evaluation goes through."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from posixpath import splitext
from tempfile import TemporaryDirectory

import pyarrow as pa

from jobs.errors import ManifestError, StorageError
from jobs.evaluate.folder import triples_of_folder
from jobs.evaluate.head import TRIPLES, Head, freeze
from jobs.evaluate.source import PAGE
from jobs.evaluate.table import LISTED, triples_of_table
from jobs.manifest.columns import KINDS
from jobs.plan import default_shard_size
from jobs.plan.pages import store_pages
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
        folder = f"triples/{digest[:16]}"
        pages = tuple(store_pages(store, _rows(workspace), PAGE, folder, 0, shard_rows([rows], size)))
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


def _rows(workspace: Workspace) -> Iterator[pa.Table]:
    """All triples, those of one style together."""
    for batch in workspace.stream(f"SELECT {_COLUMNS} FROM triples ORDER BY styles, row"):  # noqa: S608 (fixed names)
        yield pa.Table.from_batches([batch]).cast(LISTED)
