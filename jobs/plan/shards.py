"""Pairs as they are planned, and the shards that they are worked on in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import pyarrow as pa

from jobs.ledger import AnyPair

OBJECTS, WEBDATASET, PARQUET = LAYOUTS = ("objects", "webdataset", "parquet")
"""How pictures are kept: an object each, or those of a shard together, in a tar file or a Parquet file."""

_FEW_SHARDS, _LARGEST_OF_FEW = 64, 32
_MANY_SHARDS, _LARGEST_OF_MANY = 4096, 256


@dataclass(frozen=True)
class PlannedPair:
    """One pair as a worker needs it.

    Attributes:
        row: position in the manifest that brought it, from 0.
        pair_id: unique in the job and safe in a file name.
        content: the picture to stylize, as a resolved URI.
        styles: one or more style pictures, as resolved URIs.
        style_weights: the share of each style; they sum to 1.
        content_mask: a label image for the content, as a resolved URI; None for no spatial control.
        style_masks: of each style a label image, as a resolved URI, or the label of the whole picture, after
            `jobs.manifest.LABEL`; None where the picture is the style of every label.
        resolution: target size of the content in pixels; None for its own size.
        style_resolution: the same for the styles; that of the content where neither row nor job says.
        output: the key of the result in the job's store.
        method: the method of the settings in short, `Settings.method_name`.
        preset: the preset that the settings started from.
        settings: all settings, as `Settings.to_json` writes them.
        label: the class of the content, for those who train on the result; None if it has none.
        group: pairs with the same one share the statistics of their contents, and so one map, as far as they are
            stylized alike; None for a pair by itself.
    """

    row: int
    pair_id: str
    content: str
    styles: tuple[str, ...]
    style_weights: tuple[float, ...]
    content_mask: str | None
    style_masks: tuple[str | None, ...]
    resolution: int | None
    style_resolution: int | None
    output: str
    method: str
    preset: str
    settings: str
    label: str | None = None
    group: str | None = None


P = TypeVar("P", bound=AnyPair)
S = TypeVar("S", bound="PairShard[Any]")


@dataclass(frozen=True)
class PairShard(Generic[P]):
    """Pairs of one kind that are worked on, and committed, together.

    Attributes:
        index: its place among the shards.
        pairs: at least one.
        fingerprint: of all that decides what is done.
    """

    index: int
    pairs: tuple[P, ...]
    fingerprint: str

    @property
    def name(self) -> str:
        """Such as shard-000012."""
        return shard_name(self.index)

    @property
    def record_key(self) -> str:
        """The key of the shard's records, whose existence means that the shard is done."""
        return record_key(self.index)

    def only(self: S, row: int) -> S:
        """The shard with this pair alone."""
        return replace(self, pairs=tuple(pair for pair in self.pairs if pair.row == row))


@dataclass(frozen=True)
class Shard(PairShard[PlannedPair]):
    """Pairs of one resolution that are stylized together.

    Attributes:
        index: place of the shard in the plan, counted through all its editions.
        pairs: at least one.
        fingerprint: that of the edition which brought it.
        layout: how its pictures are kept.
    """

    layout: str = OBJECTS


def shard_name(index: int) -> str:
    """Such as shard-000012."""
    return f"shard-{index:06d}"


def record_key(index: int) -> str:
    """The key of the records of the shard at `index`."""
    return f"records/{shard_name(index)}.parquet"


_WORD = pa.dictionary(pa.int32(), pa.string())  # few distinct values, of which settings are long

PAIRS = pa.schema(
    {
        "row": pa.int64(),
        "pair_id": pa.string(),
        "content": pa.string(),
        "styles": pa.list_(pa.string()),
        "style_weights": pa.list_(pa.float64()),
        "content_mask": pa.string(),
        "style_masks": pa.list_(pa.string()),
        "resolution": pa.int32(),
        "style_resolution": pa.int32(),
        "output": pa.string(),
        "method": _WORD,
        "preset": _WORD,
        "settings": _WORD,
        "label": pa.string(),
        "group": pa.string(),
        "shard": pa.int64(),
    }
)
"""The columns of a page of the plan: those of `PlannedPair`, and the shard of each pair."""


def planned_pairs(table: pa.Table) -> tuple[PlannedPair, ...]:
    """The pairs of a table of `PAIRS`."""
    return tuple(map(_pair, table.drop_columns("shard").to_pylist()))


def _pair(record: dict[str, Any]) -> PlannedPair:
    lists = {name: tuple(record[name]) for name in ("styles", "style_weights", "style_masks")}
    return PlannedPair(**{**record, **lists})


def default_shard_size(rows: int) -> int:
    """Most pairs in a shard where the user does not say, for one row or more.

    Some 64 shards of at most 32 pairs; where they are many, some 4096 of at most 256.
    """
    return min(-(-rows // _FEW_SHARDS), max(rows // _MANY_SHARDS, _LARGEST_OF_FEW), _LARGEST_OF_MANY)


def shard_rows(counts: Iterable[int], shard_size: int) -> Iterator[int]:
    """Number of pairs in each shard: at most `shard_size`, of one resolution; `counts` are the pairs of each."""
    for count in counts:
        yield from [shard_size] * (count // shard_size)
        if count % shard_size:
            yield count % shard_size
