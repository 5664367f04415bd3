"""What is written down about each pair: one Parquet object per shard, which is also its completion mark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.errors import JobError
from jobs.parquet import to_parquet
from jobs.plan import PlannedPair

STAGES = ("fetch", "decode", "style", "encoder", "transform", "decoder", "encode", "upload", "total")
"""Parts of a pair's time, each a column `<stage>_s` in seconds; `style` is 0 where the style was cached."""

_MOST_ERROR_CHARACTERS = 2000


class DamagedRecordsError(JobError):
    """The bytes of a record object are not what a worker wrote."""


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

    def fail(self, error: BaseException) -> None:
        """Marks the pair as failed with what went wrong."""
        self.status, self.error_type = "failed", type(error).__name__
        self.error = (str(error) or repr(error))[:_MOST_ERROR_CHARACTERS]
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


def encode_records(records: Iterable[Record]) -> bytes:
    """One Parquet object."""
    rows = []
    for record in records:
        row = asdict(record)
        seconds = row.pop("seconds")
        rows.append(row | {f"{stage}_s": seconds.get(stage) for stage in STAGES})
    return to_parquet(pa.Table.from_pylist(rows, SCHEMA))


def decode_records(data: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """The table that `encode_records` wrote, or some of its columns, in the order of `SCHEMA`.

    Raises:
        DamagedRecordsError: it is no Parquet object, or not one of records.
    """
    try:
        # Half the time of pq.read_table, which is made for folders of large files.
        file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
        if not file.schema_arrow.equals(SCHEMA):
            raise DamagedRecordsError("its columns are not those of records")
        names = None if columns is None else [name for name in SCHEMA.names if name in columns]
        return file.read(columns=names, use_threads=False)
    except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: text that is not UTF-8
        raise DamagedRecordsError(f"it is no intact Parquet object ({error})") from error
