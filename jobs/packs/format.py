"""What a pack holds, what it is called, and the two forms that it may have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from jobs.errors import JobError
from jobs.manifest import IMAGES
from jobs.plan import PARQUET, WEBDATASET, PlannedPair, Shard

_SUFFIXES = {WEBDATASET: ".tar", PARQUET: ".parquet"}
_KEY = re.compile(rf"{IMAGES}shard-([0-9]{{6,18}})(?:\.([1-9][0-9]{{0,8}}))?(\.tar|\.parquet)")


class DamagedPackError(JobError):
    """The bytes of a pack are not what a worker wrote."""


@dataclass(frozen=True)
class Sample:
    """A picture in a pack, and what is told with it.

    Attributes:
        pair_id: by which it is found.
        path: its name in the tree of the outputs, such as class/name.jpg.
        picture: the bytes of the image file.
        label: the class of the content; None if it has none.
        content: URI of the content.
        styles: URIs of the styles.
        method: of the settings in short.
        preset: that the settings started from.
    """

    pair_id: str
    path: str
    picture: bytes
    label: str | None
    content: str
    styles: tuple[str, ...]
    method: str
    preset: str

    @classmethod
    def of(cls, pair: PlannedPair, picture: bytes) -> Sample:
        """The sample of a pair."""
        path = pair.output.removeprefix(IMAGES)
        return cls(pair.pair_id, path, picture, pair.label, pair.content, pair.styles, pair.method, pair.preset)

    @property
    def facts(self) -> dict[str, Any]:
        """All but the picture."""
        return {
            "pair_id": self.pair_id,
            "path": self.path,
            "label": self.label,
            "content": self.content,
            "styles": list(self.styles),
            "method": self.method,
            "preset": self.preset,
        }


class PackFormat(Protocol):
    """A form of pack."""

    def encode(self, samples: Iterable[Sample]) -> bytes:
        """The same bytes for the same samples."""

    def decode(self, data: bytes) -> Mapping[str, bytes]:
        """The pictures, by pair id.

        Raises:
            DamagedPackError: it is no such pack, or has a pair twice.
        """


def format_of_layout(layout: str) -> PackFormat:
    """The form of a layout's packs."""
    from jobs.packs import parquet, webdataset

    formats: dict[str, PackFormat] = {WEBDATASET: webdataset.FORMAT, PARQUET: parquet.FORMAT}
    return formats[layout]


def pack_key(shard: Shard, number: int) -> str:
    """The key of a shard's pack: images/shard-000012.tar, then images/shard-000012.1.tar, and so on."""
    return f"{IMAGES}{shard.name}{f'.{number}' if number else ''}{_SUFFIXES[shard.layout]}"


def packed_shard(key: str) -> int | None:
    """The index of the shard that a pack belongs to; None if the key is no pack's."""
    match = _KEY.fullmatch(key)
    return int(match[1]) if match else None
