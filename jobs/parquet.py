"""A table as the bytes of one Parquet object, and back."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq


def to_parquet(table: pa.Table) -> bytes:
    """The same bytes for the same table, whatever the machine; another version of pyarrow may differ."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, version="2.6", compression="zstd", compression_level=3, write_page_checksum=True)
    return buffer.getvalue()


def from_parquet(data: bytes) -> pa.Table:
    """The table that `to_parquet` wrote; an error of pyarrow if a bit has changed since."""
    return pq.read_table(pa.BufferReader(data), page_checksum_verification=True)
