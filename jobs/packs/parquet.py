"""Packs as tables: a row for each pair, with the bytes of its picture in a column that `datasets` knows as an image."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.packs.sample import DamagedPackError, Sample
from jobs.parquet import to_parquet

_TEXT = {"dtype": "string", "_type": "Value"}
_FEATURES = {
    "image": {"_type": "Image"},
    **dict.fromkeys(("pair_id", "path", "label", "content"), _TEXT),
    "styles": {"feature": _TEXT, "_type": "Sequence"},
    **dict.fromkeys(("method", "preset"), _TEXT),
}
SCHEMA = pa.schema(
    {
        "image": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
        **dict.fromkeys(("pair_id", "path", "label", "content"), pa.string()),
        "styles": pa.list_(pa.string()),
        **dict.fromkeys(("method", "preset"), pa.string()),
    },
    metadata={"huggingface": json.dumps({"info": {"features": _FEATURES}})},
)
"""The columns of a pack; the metadata tells the package `datasets` which of them is a picture."""


class ParquetFormat:
    """A table of `SCHEMA`."""

    def encode(self, samples: Iterable[Sample]) -> bytes:
        """A Parquet file."""
        rows = [{"image": {"bytes": s.picture, "path": s.path}, **s.facts} for s in samples]
        return to_parquet(pa.Table.from_pylist(rows, SCHEMA))

    def decode(self, data: bytes) -> Mapping[str, bytes]:
        """The pictures, by pair id.

        Raises:
            DamagedPackError: it is no such pack, or has a pair twice.
        """
        try:
            file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
            if not file.schema_arrow.equals(SCHEMA):
                raise DamagedPackError("its columns are not those of a pack")
            table = file.read(columns=["pair_id", "image"], use_threads=False)
        except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: text that is not UTF-8
            raise DamagedPackError(f"it is no intact Parquet object ({error})") from error
        pictures = {row["pair_id"]: row["image"]["bytes"] for row in table.to_pylist()}
        if len(pictures) < len(table):
            raise DamagedPackError("a pair is there twice")
        return pictures
