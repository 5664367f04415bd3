"""Triples from a Parquet, CSV or JSONL file, checked row by row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from jobs.errors import StorageError
from jobs.evaluate.source import PAGE
from jobs.manifest import Problems, problem
from jobs.manifest.columns import Batch, Column, Table, Vocabulary
from jobs.manifest.recipes import stem
from jobs.manifest.rows import resolver
from jobs.manifest.values import parse

_REQUIRED = ("content", "style", "result")
_WORDS = Vocabulary(
    _REQUIRED,
    (*_REQUIRED, "pair_id", "method", "label"),
    "a table of triples",
    '{"content": "a.jpg", "style": "b.jpg", "result": "c.jpg"}',
)
_PARSED_AS = {"result": "content", "method": "label"}
"""Columns that a manifest does not have, or has otherwise, by one with such values."""

LISTED = pa.schema([field for field in PAGE if field.name != "shard"])


def triples_of_table(uri: str, file: Path, allowed: Sequence[str]) -> Iterator[pa.Table]:
    """The triples of a table, some ten thousand at a time, as tables of `LISTED`.

    Args:
        uri: where the table lies; relative references in it are taken from there.
        file: a local copy of it.
        allowed: folders and s3:// prefixes below which pictures must lie; anywhere if there are none.

    Raises:
        ManifestError: the file is no such table, or rows of it cannot be used (up to ten of them in one message).
    """
    table, problems, resolve = Table(uri, file, _WORDS), Problems(), resolver(uri, allowed)
    for batch in table.batches():
        yield _checked(batch, problems, resolve)
    if problems.count:
        raise problems.error(uri, table.rows)


def _checked(batch: Batch, problems: Problems, resolve: Callable[[str], str]) -> pa.Table:
    """The rows of a batch that can be used; the others join the problems."""
    wrong: dict[int, str] = {}
    nothing = Column([], np.full(batch.rows, -1))
    said = {name: _parsed(name, batch.columns.get(name, nothing), batch.first, wrong, resolve) for name in _WORDS.known}
    rows = np.array(sorted(wrong), np.int64)
    problems.add(rows + batch.first, lambda place: wrong[int(rows[place])])
    listed = [
        _row(at, batch, {name: values[at] for name, values in said.items()})
        for at in range(batch.rows)
        if at not in wrong
    ]
    return pa.Table.from_pylist(listed, LISTED)


def _row(at: int, batch: Batch, values: dict[str, Any]) -> dict[str, Any]:
    row = {**values, "row": at + batch.first, "styles": values.pop("style")}
    if row["pair_id"] is None:
        row["pair_id"] = _derived_id(row["result"], [_said(batch, name, at) for name in (*_REQUIRED, "method")])
    return row


def _said(batch: Batch, name: str, at: int) -> Any:
    """What a row says itself; of styles always a list."""
    column = batch.columns.get(name)
    value = None if column is None or column.codes[at] < 0 else column.values[column.codes[at]]
    return [value] if name == "style" and not isinstance(value, list) else value


def _derived_id(result: str, said: list[Any]) -> str:
    """An id of what the row itself says, so that moving the folder does not change it."""
    digest = hashlib.sha256(json.dumps(said).encode()).hexdigest()
    return f"{stem(result)}-{digest[:16]}"


def _parsed(name: str, column: Column, first: int, wrong: dict[int, str], resolve: Callable[[str], str]) -> list[Any]:
    """The value of each row; the first thing that is wrong with a row is taken down, by its place in the batch."""
    values: list[Any] = []
    reasons: dict[int, str] = {}
    for code, given in enumerate(column.values):
        try:
            values.append(_meant(name, given, resolve))
        except (ValueError, StorageError) as error:
            values.append(None)
            reasons[code] = str(error)
    if name in _REQUIRED:
        reasons[-1] = "is missing: name a picture, or remove the row"
    for at in np.flatnonzero(np.isin(column.codes, list(reasons))).tolist():
        code = int(column.codes[at])
        given = None if code < 0 else column.values[code]
        wrong.setdefault(at, problem(at + first, name, given, reasons[code]))
    return [None if code < 0 else values[code] for code in column.codes.tolist()]


def _meant(name: str, given: Any, resolve: Callable[[str], str]) -> Any:
    value = parse(_PARSED_AS.get(name, name), given)
    if name == "style":
        return [resolve(style) for style in value]
    return resolve(value) if name in _REQUIRED else value
