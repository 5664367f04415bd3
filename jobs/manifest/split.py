"""A manifest in parts, by a hash: a row stays in its part however the manifest grows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from jobs.errors import ManifestError
from jobs.manifest.building.choice import hashes
from jobs.manifest.building.write import open_writer
from jobs.storage import copy_from_file, copy_to_file
from jobs.storage.local import plain_errors
from jobs.storage.uris import shown

MOST_PARTS = 1000
COLUMNS = {"content": "content", "row": "pair_id"}
"""What keeps rows together, and the column that tells it."""

_BATCH_ROWS = 1 << 14
_HELD_ROWS = 1 << 20  # of all parts together
_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_dictionary)


class Part(NamedTuple):
    """A part that was written."""

    uri: str
    rows: int


def split_manifest(uri: str, shares: Sequence[float], *, by: str = "content", seed: int = 0) -> list[Part]:
    """Writes the parts beside a manifest, whose relative references so keep their meaning.

    Args:
        uri: local path or s3:// URI of a Parquet manifest, `a.parquet`; the parts are `a-00000-of-00002.parquet`, ….
        shares: of each part, positive, that sum to 1.
        by: `content`: all rows of one content are in one part; `row`: each goes by its pair_id. Rows of one `group`,
            which share their statistics, are in one part in any case.
        seed: other seeds give other parts.

    Raises:
        ManifestError: the shares make no sense, or it is not a Parquet manifest with such a column.
        StorageError: it cannot be read, or the parts not be written.
    """
    _check(shares, by)
    bounds = np.cumsum(np.asarray(shares) / math.fsum(shares))[:-1]
    stem = uri.removesuffix(".parquet")
    with TemporaryDirectory(prefix="ift-split-") as name:
        source = _open(uri, copy_to_file(uri, Path(name)), COLUMNS[by])
        files = [Path(name) / f"part-{place}.parquet" for place in range(len(shares))]
        with source, plain_errors("write", Path(name)):
            rows = _write(source, files, bounds, COLUMNS[by], seed)
        parts = [Part(f"{stem}-{k:05}-of-{len(files):05}.parquet", count) for k, count in enumerate(rows)]
        for file, part in zip(files, parts, strict=True):
            copy_from_file(file, part.uri)
    return parts


def _check(shares: Sequence[float], by: str) -> None:
    if by not in COLUMNS:
        raise ManifestError(f"split by {by!r}: choose one of {', '.join(COLUMNS)}")
    if not 1 < len(shares) <= MOST_PARTS:
        raise ManifestError(f"{len(shares)} parts: give 2 to {MOST_PARTS}")
    if not all(share > 0 for share in shares) or not math.isclose(math.fsum(shares), 1, abs_tol=1e-6):
        raise ManifestError(f"the shares {', '.join(f'{share:g}' for share in shares)} must be positive and sum to 1")


def _open(uri: str, file: Path, column: str) -> pq.ParquetFile:
    try:
        source = pq.ParquetFile(file, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise ManifestError(f"{shown(uri)} cannot be read as Parquet: {shown(str(error))}") from error
    schema = source.schema_arrow
    if column not in schema.names or not any(test(schema.field(column).type) for test in _TEXTS):
        raise ManifestError(f"{shown(uri)} has no column {column} of text, by which to split it")
    return source


def _write(source: pq.ParquetFile, files: Sequence[Path], bounds: np.ndarray, column: str, seed: int) -> list[int]:
    """Writes every row into the file of its part; returns how many each got."""
    schema = source.schema_arrow.remove_metadata()
    most = max(_HELD_ROWS // len(files), 1 << 10)
    held = [schema.empty_table() for _ in files]
    rows = [0 for _ in files]
    with ExitStack() as stack:
        writers = [stack.enter_context(open_writer(file, schema)) for file in files]
        for part, table in _parts(source, schema, bounds, column, seed):
            rows[part] += len(table)
            held[part] = pa.concat_tables([held[part], table])
            if len(held[part]) >= most:
                writers[part].write_table(held[part])
                held[part] = schema.empty_table()
        for writer, rest in zip(writers, held, strict=True):
            writer.write_table(rest)
    return rows


def _parts(
    source: pq.ParquetFile, schema: pa.Schema, bounds: np.ndarray, column: str, seed: int
) -> Iterator[tuple[int, pa.Table]]:
    with tqdm(desc="splitting", total=source.metadata.num_rows, unit=" rows", dynamic_ncols=True, disable=None) as bar:
        for batch in source.iter_batches(_BATCH_ROWS):
            if batch[column].null_count:
                raise ManifestError(f"a row has no {column}, by which to split: give one to each")
            part_of_row = _places(batch[column], bounds, seed, b"split")
            if "group" in schema.names:
                of_group = _places(batch["group"], bounds, seed, b"split groups")
                part_of_row = np.where(batch["group"].is_valid(), of_group, part_of_row)
            for part in np.unique(part_of_row).tolist():
                yield part, pa.Table.from_batches([batch.filter(pa.array(part_of_row == part))]).cast(schema)
            bar.update(batch.num_rows)


def _places(keys: pa.Array, bounds: np.ndarray, seed: int, purpose: bytes) -> np.ndarray:
    """The part of each row by its key; anything where that is null."""
    coded = keys.cast(pa.large_string()).fill_null("").dictionary_encode()
    place_of_key = np.searchsorted(bounds, hashes(coded.dictionary.to_pylist(), seed, purpose) / 2.0**64, "right")
    places: np.ndarray = place_of_key[coded.indices.to_numpy()]
    return places
