"""Small pictures for a page, each source once, within a budget of bytes."""

from __future__ import annotations

import base64
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from ift.errors import IftError
from jobs.errors import JobError, StorageUnavailableError

PICTURES_MB = 12.0
"""Megabytes of pictures in a page, as base64: with these it opens in less than a second on two cores."""

THUMB, ZOOM = 256, 512
"""Pixels of the longer side; smaller pictures stay as they are."""

_QUALITY = 76  # of WebP: at 256 px no difference is seen beside 90, at half the bytes
_TOGETHER = 128  # pairs read at a time, in the order of their rows: neighbours may be in one pack
_THREADS = 4
_WITH_ZOOM = 0.6  # of the budget, after which the pairs of the sample get thumbnails only

Row = Mapping[str, Any]

Reads = dict[Hashable, Callable[[], bytes]]
"""The pictures of a pair: what tells each from all others, and how to read its file."""


class PictureSource(Protocol):
    """The pictures of the pairs of a table of metrics; any method may raise a `JobError`."""

    def content(self, row: Row) -> bytes:
        """The file of the content picture."""

    def style(self, row: Row, number: int, /) -> bytes:
        """The file of a style picture, counted from 0."""

    def result(self, row: Row) -> bytes:
        """The file of the result."""


@dataclass(frozen=True)
class Rendition:
    """One picture as base64 of WebP files.

    Attributes:
        thumb: its longer side has at most `THUMB` pixels.
        zoom: at most `ZOOM`; None where the picture has not many more than the thumbnail, or there was no room.
    """

    thumb: str
    zoom: str | None

    @property
    def bytes(self) -> int:
        """In the page."""
        return len(self.thumb) + len(self.zoom or "")


@dataclass
class Renditions:
    """Pictures by number, and which of them a pair has.

    Attributes:
        pictures: None for one that cannot be read.
        pairs: by the place of the pair, the numbers of its pictures in their order.
        bytes: of all, in the page.
    """

    pictures: list[Rendition | None] = field(default_factory=list)
    pairs: dict[int, list[int]] = field(default_factory=dict)
    bytes: int = 0


def reads_of(source: PictureSource, row: Row) -> Reads:
    """The content, the styles and the result of a pair, in this order."""
    styles: Sequence[str] = row["styles"] or ()
    return {
        ("content", row["content"]): partial(source.content, row),
        **{("style", number, uri): partial(source.style, row, number) for number, uri in enumerate(styles)},
        ("result", row["row"]): partial(source.result, row),
    }


def render_pictures(pairs: Iterable[tuple[int, Reads]], featured: int, budget: float) -> Renditions:
    """Reads pictures until the budget is used up.

    Args:
        pairs: each with its place and its pictures, the most important first.
        featured: so many of them get larger renditions in any case.
        budget: bytes that the pictures may take in the page.

    Raises:
        StorageUnavailableError: a store does not answer.
    """
    made, known, waiting = Renditions(), dict[Hashable, int](), list(pairs)
    with ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, len(waiting), _TOGETHER):
            if made.bytes >= budget:
                break
            some = sorted(waiting[start : start + _TOGETHER], key=lambda pair: pair[0])
            zoomed = start < featured or made.bytes < _WITH_ZOOM * budget
            reads: Reads = {}
            for _, pictures in some:
                reads |= {name: read for name, read in pictures.items() if name not in known}
            rendered = pool.map(lambda read, zoomed=zoomed: _render(read, zoomed), reads.values())
            for name, rendition in zip(reads, rendered, strict=True):
                known[name] = len(made.pictures)
                made.pictures.append(rendition)
                made.bytes += rendition.bytes if rendition else 0
            made.pairs |= {place: [known[name] for name in pictures] for place, pictures in some}
    return made


def _render(read: Callable[[], bytes], zoomed: bool) -> Rendition | None:
    """None if it cannot be read or is no picture."""
    from torch.nn.functional import interpolate

    from ift.images import decode_image, encode_image

    try:
        large = decode_image(read(), "a picture", ZOOM)
    except StorageUnavailableError:
        raise
    except (JobError, IftError):
        return None
    height, width = large.shape[1:]
    scale = THUMB / max(height, width)
    small = large
    if scale < 1:
        size = max(1, round(height * scale)), max(1, round(width * scale))
        small = interpolate(large[None], size, mode="bicubic", antialias=True)[0].clamp(0, 1)
    zoom = _base64(encode_image(large, "webp", _QUALITY)) if zoomed and scale < 0.8 else None
    return Rendition(_base64(encode_image(small, "webp", _QUALITY)), zoom)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
