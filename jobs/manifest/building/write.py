"""Manifests as files: the same rows are the same bytes on any machine with the same pyarrow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.storage.local import plain_errors

MANIFEST = pa.schema({name: pa.string() for name in ("content", "style", "pair_id", "output", "label")})
"""The columns of a manifest that is built."""

MASKS = pa.schema({name: pa.string() for name in ("content_mask", "style_mask")})
"""Further columns, where masks are asked for."""

GROUP_ROWS = 1 << 16
_UNLIKE = ("pair_id", "output")  # no value of theirs comes twice


def open_writer(file: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """A writer of a new manifest; whoever opens it closes it."""
    encoded = [name for name in schema.names if name not in _UNLIKE]
    return pq.ParquetWriter(
        file,
        schema,
        version="2.6",
        compression="zstd",
        compression_level=3,
        use_dictionary=encoded,
        write_page_checksum=True,
    )


def write_rows(file: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Writes all rows in groups of one size, a group in memory at a time; returns how many there are.

    Columns that a batch lacks are null there, and those that are not in the schema are left out.

    Raises:
        StorageError: there is no room.
    """
    rows = 0
    with plain_errors("write", file), open_writer(file, schema) as writer:
        for group in grouped(batches, schema, GROUP_ROWS):
            writer.write_table(group, row_group_size=GROUP_ROWS)
            rows += len(group)
    return rows


def grouped(batches: Iterable[pa.RecordBatch], schema: pa.Schema, size: int) -> Iterator[pa.Table]:
    """The same rows in tables of `size`, but for the last."""
    held = schema.empty_table()
    for batch in batches:
        columns = [batch[f.name] if f.name in batch.schema.names else pa.nulls(len(batch), f.type) for f in schema]
        held = pa.concat_tables([held, pa.table(columns, schema=schema)])
        while len(held) >= size:
            yield held.slice(0, size)
            held = held.slice(size)
    if len(held):
        yield held
