"""What is written down about a part at a station: what it counts, or where its picture is."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, fields
from typing import Any

import pyarrow as pa

from jobs.ledger import RecordKind, said_of
from jobs.parts.legs import PartPair

TIMED = ("encoder", "transform", "decoder")
"""Stages whose seconds are counted, each a column `<stage>_s` of a part that is written: of its whole way."""


@dataclass
class PartRecord:
    """The outcome of one part on one leg.

    Attributes:
        row: the part's number in its group.
        member: the row of its pair.
        status: `done` or `failed`.
        tensors: safetensors: what was counted, or the map that was solved; None where a picture was written.
        sha256: of the picture's bytes.
        encoder_s: seconds in the encoder on the whole way, of a part that was written; and so on.
    """

    pair_id: str
    row: int
    member: int
    status: str = "pending"
    attempts: int = 1
    error_type: str | None = None
    error: str | None = None
    finished_at: float = 0.0
    tensors: bytes | None = None
    sha256: str | None = None
    encoder_s: float = 0.0
    transform_s: float = 0.0
    decoder_s: float = 0.0

    @classmethod
    def begin(cls, pair: PartPair, fingerprint: str) -> PartRecord:
        """The record of a part that nothing has been done about yet."""
        return cls(pair.pair_id, pair.row, pair.member.row)

    def fail(self, error: BaseException) -> None:
        """Marks the part as failed with what went wrong."""
        self.status, self.tensors, self.sha256 = "failed", None, None
        self.error_type, self.error = said_of(error)

    def finish(self) -> None:
        """Marks it as done, unless it failed."""
        if self.status == "pending":
            self.status = "done"
        self.finished_at = time.time()


_TYPES = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bytes": pa.binary()}

PARTS_SCHEMA = pa.schema(
    [
        pa.field(f.name, _TYPES[str(f.type).removesuffix(" | None")], nullable="None" in str(f.type))
        for f in fields(PartRecord)
    ]
)
"""Columns of a record object of parts."""


def _row(record: PartRecord) -> dict[str, Any]:
    return asdict(record)


PARTED = RecordKind(
    PARTS_SCHEMA,
    PartRecord.begin,
    _row,
    "delete the folder parts/ of the output, which is work in progress, and run again",
)
"""The records of parts."""
