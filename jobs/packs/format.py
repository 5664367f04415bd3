"""What a pack is called, and the two forms that it may have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Protocol

from jobs.manifest import IMAGES
from jobs.packs.parquet import ParquetFormat
from jobs.packs.sample import DamagedPackError, Sample
from jobs.packs.webdataset import WebDatasetFormat
from jobs.plan import PARQUET, WEBDATASET, Shard

_SUFFIXES = {WEBDATASET: ".tar", PARQUET: ".parquet"}
_KEY = re.compile(rf"{IMAGES}shard-([0-9]{{6,18}})(?:\.([1-9][0-9]{{0,8}}))?(\.tar|\.parquet)")


class PackFormat(Protocol):
    """A form of pack."""

    def encode(self, samples: Iterable[Sample]) -> bytes:
        """The same bytes for the same samples."""

    def decode(self, data: bytes) -> Mapping[str, bytes]:
        """The pictures, by pair id.

        Raises:
            DamagedPackError: it is no such pack, or has a pair twice.
        """


_FORMATS: Mapping[str, PackFormat] = {WEBDATASET: WebDatasetFormat(), PARQUET: ParquetFormat()}


def format_of_layout(layout: str) -> PackFormat:
    """The form of a layout's packs."""
    return _FORMATS[layout]


def layout_of_pack(key: str) -> str:
    """The layout whose packs are called so.

    Raises:
        DamagedPackError: none's are.
    """
    for layout, suffix in _SUFFIXES.items():
        if key.endswith(suffix):
            return layout
    raise DamagedPackError(f"{key} is no name of a pack")


def pack_key(shard: Shard, number: int) -> str:
    """The key of a shard's pack: images/shard-000012.tar, then images/shard-000012.1.tar, and so on."""
    return f"{IMAGES}{shard.name}{f'.{number}' if number else ''}{_SUFFIXES[shard.layout]}"


def packed_shard(key: str) -> int | None:
    """The index of the shard that a pack belongs to; None if the key is no pack's."""
    match = _KEY.fullmatch(key)
    return int(match[1]) if match else None
