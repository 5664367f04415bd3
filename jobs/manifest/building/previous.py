"""The manifest of before, whose rows stay: read from anywhere, its references made those of the new place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from posixpath import dirname

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ift.labels import is_label
from jobs.errors import ManifestError
from jobs.manifest.building.write import MANIFEST, MASKS
from jobs.storage import resolve_uri
from jobs.storage.uris import local_path, scheme, shown

_REQUIRED = ("content", "style", "pair_id", "output")
_REFERENCES = ("content", "style", *MASKS.names)
_BATCH_ROWS = 1 << 14


class Previous:
    """A manifest that `build` wrote; columns that somebody has added to it since are kept.

    Attributes:
        schema: of its batches.
        rows: how many it has.
    """

    def __init__(self, uri: str, file: Path, to: str) -> None:
        """Takes a local copy of what is at `uri`, to be carried on at `to`.

        Raises:
            ManifestError: it is not a manifest that was built.
        """
        self._uri, self._file, self._to = uri, file, to
        try:
            schema, self.rows = pq.read_schema(file).remove_metadata(), pq.read_metadata(file).num_rows
        except (pa.ArrowException, OSError) as error:
            raise ManifestError(f"{shown(uri)} cannot be read as Parquet: {shown(str(error))}") from error
        missing = [name for name in _REQUIRED if name not in schema.names]
        if missing or len(set(schema.names)) < len(schema.names):
            problem = f"has no column {' and no column '.join(missing)}" if missing else "has columns of the same name"
            raise ManifestError(f"{shown(uri)} {problem}: give a manifest that `build` wrote, or none")
        texts = {field.name: field.type for field in (*MANIFEST, *MASKS)}
        self.schema = pa.schema([pa.field(field.name, texts.get(field.name, field.type)) for field in schema])

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows as they are, but that relative references are those of the new place.

        Raises:
            ManifestError: it is damaged, or has columns that `build` writes otherwise.
        """
        try:
            first = 0
            with pq.ParquetFile(self._file) as source:
                for batch in source.iter_batches(_BATCH_ROWS):
                    columns = [self._column(first, field, batch.column(field.name)) for field in self.schema]
                    yield pa.RecordBatch.from_arrays(columns, schema=self.schema)
                    first += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise ManifestError(f"{shown(self._uri)} cannot be carried on: {shown(str(error))}") from error

    def _column(self, first: int, field: pa.Field, column: pa.Array) -> pa.Array:
        """A column of the rows from `first` on."""
        column = column.cast(field.type)
        if field.name in _REQUIRED and column.null_count:
            row = first + pc.index(column.is_null(), True).as_py()
            raise ManifestError(
                f"{shown(self._uri)}, row {row} (counting from 0), has no {field.name}: give a manifest that `build`"
                " wrote, or none"
            )
        if field.name not in _REFERENCES or self._stays:
            return column
        encoded = column.dictionary_encode()
        moved = [None if text is None else self._moved(text) for text in encoded.dictionary.to_pylist()]
        return pa.array(moved, pa.string()).take(encoded.indices)

    @property
    def _stays(self) -> bool:
        return _folder(self._uri) == _folder(self._to)

    def _moved(self, reference: str) -> str:
        return _relocated(reference, self._uri, self._to)


def _folder(uri: str) -> str:
    return dirname(uri) if scheme(uri) == "s3" else os.path.realpath(local_path(uri).parent)


@lru_cache(maxsize=1 << 16)
def _relocated(reference: str, source: str, to: str) -> str:
    """What is meant by a reference in the manifest at `source`, as the one at `to` has to say it."""
    if scheme(reference) or reference.startswith("/") or is_label(reference):
        return reference
    uri = resolve_uri(reference, source)
    if scheme(uri) == "s3" or scheme(to) == "s3":
        return uri
    folder, name = os.path.split(uri)
    return os.path.relpath(f"{os.path.realpath(folder)}/{name}", os.path.realpath(local_path(to).parent))
