"""Sizes and digests of pictures, where they decide which of them are used."""

# ruff: noqa: S608 (no name of a file is part of a query)

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from hashlib import sha256
from typing import NamedTuple

import pyarrow as pa
from tqdm import tqdm

from ift.errors import ImageError
from jobs.ahead import ahead
from jobs.errors import CredentialsError, ManifestError, StorageError, StorageUnavailableError
from jobs.inventory import batches
from jobs.manifest.building.pairing import Pairing
from jobs.manifest.building.roots import Root
from jobs.plan.workspace import Workspace
from jobs.storage import read_start, read_uri

UNREADABLE, SMALL, LARGE, DOUBLE = "unreadable", "smaller than asked for", "larger than asked for", "a double"

_HEADER = 1 << 16  # bytes in which nearly all pictures say how large they are
_THREADS = 16  # for stores that take long to answer
_LOOKS = pa.schema({"key": pa.string(), "objection": pa.string(), "digest": pa.string()})


class _Look(NamedTuple):
    key: str
    objection: str | None
    digest: str | None


def keep(workspace: Workspace, side: str, roots: Sequence[Root], pairing: Pairing, passed_over: Counter[str]) -> None:
    """Makes the table `kept_<side>` of those of `found_<side>` that are fit, with `known`: whether they have pairs.

    What has pairs already stays, and of pictures with the same bytes it comes first; then the first by key.

    Raises:
        StorageError: a store is away, or does not accept who asks.
        ManifestError: none is fit.
    """
    workspace.run(f"CREATE TABLE looks_{side} (key VARCHAR, objection VARCHAR, digest VARCHAR)")
    known = f"mark IN (SELECT {'content' if side == 'contents' else 'style'} FROM previous)"
    if pairing.unique or pairing.min_side is not None or pairing.max_side is not None:
        which = "" if pairing.unique else f"WHERE NOT {known}"
        _look_at(workspace, side, roots, pairing, which)
    workspace.run(
        f"""CREATE TABLE fit_{side} AS
        SELECT f.*, {known} AS known, objection, coalesce(digest, '/' || key) AS digest
        FROM found_{side} f LEFT JOIN looks_{side} USING (key)"""
    )
    once = "QUALIFY row_number() OVER (PARTITION BY digest ORDER BY known DESC, key) = 1" if pairing.unique else ""
    workspace.run(
        f"""CREATE TABLE kept_{side} AS
        SELECT key, name, reference, mark, known FROM fit_{side} WHERE known OR objection IS NULL {once}"""
    )
    refused = dict(
        workspace.rows(
            f"SELECT objection, count(*) FROM fit_{side} WHERE NOT known AND objection IS NOT NULL GROUP BY ALL"
        )
    )
    passed_over.update(refused)
    if not workspace.rows(f"SELECT 1 FROM kept_{side} LIMIT 1"):
        why = ", ".join(f"{count} {objection}" for objection, count in sorted(refused.items()))
        raise ManifestError(f"none of the {side} is fit: {why}")
    doubles = f"""SELECT (SELECT count(*) FROM fit_{side} WHERE known OR objection IS NULL)
        - (SELECT count(*) FROM kept_{side})"""
    passed_over[DOUBLE] += workspace.rows(doubles)[0][0]
    for table in ("found", "looks", "fit"):
        workspace.run(f"DROP TABLE {table}_{side}")


def _look_at(workspace: Workspace, side: str, roots: Sequence[Root], pairing: Pairing, which: str) -> None:
    ((total,),) = workspace.rows(f"SELECT count(*) FROM found_{side} {which}")
    pictures = _pictures(workspace, f"SELECT root, key FROM found_{side} {which}")
    with (
        ThreadPoolExecutor(_THREADS, "look") as pool,
        closing(ahead(pool, partial(_look, roots, pairing), pictures, 4 * _THREADS)) as looks,
        tqdm(looks, f"looking at {side}", total, unit=" pictures", dynamic_ncols=True, disable=None) as bar,
    ):
        for some in batches(bar):
            workspace.insert(f"looks_{side}", pa.table(list(zip(*some, strict=True)), schema=_LOOKS))


def _pictures(workspace: Workspace, query: str) -> Iterator[tuple[int, str]]:
    for batch in workspace.stream(query):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _look(roots: Sequence[Root], pairing: Pairing, picture: tuple[int, str]) -> _Look:
    root, key = picture
    try:
        return _examine(key, roots[root].uri(key), pairing)
    except (StorageUnavailableError, CredentialsError):
        raise
    except (StorageError, ImageError):
        return _Look(key, UNREADABLE, None)


def _examine(key: str, uri: str, pairing: Pairing) -> _Look:
    data = read_uri(uri) if pairing.unique else read_start(uri, _HEADER)
    digest = sha256(data).hexdigest() if pairing.unique else None
    objection = None
    if pairing.min_side is not None or pairing.max_side is not None:
        try:
            width, height = _size(data, uri)
        except ImageError:
            if len(data) != _HEADER:
                raise
            width, height = _size(read_uri(uri), uri)  # it was only the start
        if min(width, height) < (pairing.min_side or 0):
            objection = SMALL
        elif max(width, height) > (pairing.max_side or sys.maxsize):
            objection = LARGE
    return _Look(key, objection, digest)


def _size(data: bytes, uri: str) -> tuple[int, int]:
    from ift.images import decoding, open_picture  # PyTorch, which is not needed where nobody asks for sizes

    with decoding(uri):
        return open_picture(data, uri, sys.maxsize).size
