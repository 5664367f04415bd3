"""What is written down about pairs, whatever it is: one Parquet object per shard, which is also its completion mark.

Stylizing and judging differ in what they record of a pair. How records are committed, replaced and read is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.errors import JobError
from jobs.parquet import to_parquet
from jobs.storage import Store

_MOST_ERROR_CHARACTERS = 2000


class DamagedRecordsError(JobError):
    """The bytes of a record object are not what a worker wrote."""


class WaitsForPartsError(Exception):
    """Not an error but a pair that waits: it is made in parts, by all workers together, after the others."""


def waits(row: Mapping[str, Any]) -> bool:
    """Whether a record says that its pair has not failed, but waits to be made in parts."""
    return bool(row["status"] == "failed" and row["error_type"] == WaitsForPartsError.__name__)


class AnyPair(Protocol):
    """A pair to be worked on."""

    @property
    def row(self) -> int:
        """By which its record is found."""

    @property
    def pair_id(self) -> str:
        """For messages."""

    @property
    def content(self) -> str:
        """URI of the content."""

    @property
    def styles(self) -> tuple[str, ...]:
        """URIs of the styles."""


class AnyShard(Protocol):
    """Pairs that are worked on, and committed, together."""

    @property
    def index(self) -> int:
        """Its place among the shards."""

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def record_key(self) -> str:
        """The key of its records, whose existence means that it is done."""

    @property
    def fingerprint(self) -> str:
        """Of all that decides what is done."""

    @property
    def pairs(self) -> Sequence[AnyPair]:
        """At least one."""

    def only(self, row: int) -> AnyShard:
        """The shard with this pair alone."""


class AnyRecord(Protocol):
    """The outcome of one pair."""

    pair_id: str
    row: int
    status: str
    attempts: int
    error_type: str | None
    error: str | None
    finished_at: float

    def fail(self, error: BaseException) -> None:
        """Marks the pair as failed with what went wrong."""


def _leave(store: Store, shard: Any, failed: Container[int]) -> None:
    """Nothing was made beside the records."""


@dataclass(frozen=True)
class RecordKind:
    """A kind of records.

    Attributes:
        schema: of a record object; it has the columns row, pair_id, status, attempts, error_type and error.
        begin: the record of a pair that nothing has been done about yet, from the pair and the shard's fingerprint.
        to_row: the values of a record by the columns of the schema.
        way_out: what helps where a record object is damaged, for messages.
        discard: removes what an earlier attempt has left in the store of the pairs of a shard that failed now.
    """

    schema: pa.Schema
    begin: Callable[[Any, str], AnyRecord]
    to_row: Callable[[Any], dict[str, Any]]
    way_out: str
    discard: Callable[[Store, Any, Container[int]], None] = _leave

    def encode(self, records: Iterable[AnyRecord]) -> bytes:
        """One Parquet object."""
        return self.encode_rows([self.to_row(record) for record in records])

    def encode_rows(self, rows: Sequence[dict[str, Any]]) -> bytes:
        """The same of rows that `decode` gave."""
        return to_parquet(pa.Table.from_pylist(rows, self.schema))

    def decode(self, data: bytes, columns: Collection[str] | None = None) -> pa.Table:
        """The table that `encode` wrote, or some of its columns, in the order of the schema.

        Raises:
            DamagedRecordsError: it is no Parquet object, or not one of such records.
        """
        try:
            # Half the time of pq.read_table, which is made for folders of large files.
            file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
            if not file.schema_arrow.equals(self.schema):
                raise DamagedRecordsError("its columns are not those of records")
            names = None if columns is None else [name for name in self.schema.names if name in columns]
            return file.read(columns=names, use_threads=False)
        except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: text that is not UTF-8
            raise DamagedRecordsError(f"it is no intact Parquet object ({error})") from error


def said_of(error: BaseException) -> tuple[str, str]:
    """What a failed record says of an error: its type, and its message or the start of it."""
    return type(error).__name__, (str(error) or repr(error))[:_MOST_ERROR_CHARACTERS]
