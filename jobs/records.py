"""What is written down about each pair: one Parquet object per shard, which is also its completion mark."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import pyarrow as pa

from jobs.ledger import DamagedRecordsError, RecordKind, WaitsForPartsError, said_of
from jobs.plan import OBJECTS, PlannedPair, Shard
from jobs.storage import Store

__all__ = ["SCHEMA", "STAGES", "STYLIZED", "DamagedRecordsError", "Record", "decode_records", "encode_records"]

STAGES = ("fetch", "decode", "style", "encoder", "transform", "decoder", "encode", "upload", "total")
"""Parts of a pair's time, each a column `<stage>_s` in seconds; `style` is 0 where the style was cached."""


@dataclass
class Record:
    """The outcome of one pair.

    Attributes:
        method: of the settings in short, `Settings.method_name`.
        status: `done` or `failed`; a failed record has `error_type` and `error`, and no picture's figures.
        attempts: how often the pair was tried, counting processes that died on it.
        label: the class of the content; None if it has none.
        output: key of the picture, relative to the run's output.
        pack: key of the pack that holds the picture under that name; None where it is an object of its own.
        sha256: of the picture's bytes.
        resolution: the longer side asked for, or the picture's own where none was.
        seconds: by the names in `STAGES`.
        finished_at: seconds since 1970, UTC.
    """

    pair_id: str
    row: int
    status: str
    method: str
    preset: str
    fingerprint: str
    attempts: int = 1
    error_type: str | None = None
    error: str | None = None
    label: str | None = None
    output: str | None = None
    pack: str | None = None
    sha256: str | None = None
    bytes: int | None = None
    width: int | None = None
    height: int | None = None
    resolution: int | None = None
    device: str | None = None
    node: str | None = None
    actor: str | None = None
    finished_at: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)

    @classmethod
    def begin(cls, pair: PlannedPair, fingerprint: str) -> Record:
        """The record of a pair that nothing has been done about yet."""
        return cls(
            pair.pair_id, pair.row, "pending", pair.method, pair.preset, fingerprint, label=pair.label,
            resolution=pair.resolution,
        )  # fmt: skip

    def wait(self, height: int, width: int, why: str) -> None:
        """Leaves the pair, whose content has this size, to be made in parts after the others."""
        self.fail(WaitsForPartsError(f"{width}×{height} pixels, {why}: made in parts, after the others"))
        self.attempts, self.height, self.width = self.attempts - 1, height, width

    def fail(self, error: BaseException) -> None:
        """Marks the pair as failed with what went wrong."""
        self.fail_as(*said_of(error))

    def fail_as(self, error_type: str, error: str) -> None:
        """Marks the pair as failed with what another record says."""
        self.status, self.error_type, self.error = "failed", error_type, error
        self.output = self.pack = self.sha256 = self.bytes = None


_TYPES = {"str": pa.string(), "int": pa.int64(), "float": pa.float64()}

SCHEMA = pa.schema(
    [
        pa.field(f.name, _TYPES[str(f.type).removesuffix(" | None")], nullable="None" in str(f.type))
        for f in fields(Record)
        if f.name != "seconds"
    ]
    + [pa.field(f"{stage}_s", pa.float64()) for stage in STAGES]
)
"""Columns of a record object."""


def _row(record: Record) -> dict[str, Any]:
    row = asdict(record)
    seconds = row.pop("seconds")
    return row | {f"{stage}_s": seconds.get(stage) for stage in STAGES}


def _delete_pictures(store: Store, shard: Shard, failed: Container[int]) -> None:
    """Removes what an earlier attempt has left of pairs that failed now.

    Only after the records stand that promise no picture: another worker's might have promised it. Packs stay as they
    are: what is in one is found by the next attempt, and recorded.
    """
    if shard.layout != OBJECTS:
        return
    for pair in shard.pairs:
        if pair.row in failed:
            store.delete(pair.output)


STYLIZED = RecordKind(
    SCHEMA, Record.begin, _row, "`verify --repair` sets it aside and does its pairs again", _delete_pictures
)
"""The records of a run."""


def encode_records(records: Iterable[Record]) -> bytes:
    """One Parquet object."""
    return STYLIZED.encode(records)


def decode_records(data: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """The table that `encode_records` wrote, or some of its columns, in the order of `SCHEMA`.

    Raises:
        DamagedRecordsError: it is no Parquet object, or not one of records.
    """
    return STYLIZED.decode(data, columns)
