"""Styles that an actor has met: each is fetched, decoded and encoded once, for all pairs that name it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import NamedTuple

from ift import Style
from ift.copies import Sent
from ift.stylizer import Labels
from jobs.picture_cache import PictureCache

Loaded = tuple[Sent, Labels]
"""A style picture, and which labels it is the style of."""


class StyleKey(NamedTuple):
    """All that decides what is kept of a style picture.

    Attributes:
        uri: of the picture.
        resolution: the longer side to which it is scaled.
        mask: see `jobs.manifest.Pair.style_masks`.
        patches: whether Avatar-Net's are needed.
    """

    uri: str
    resolution: int | None
    mask: str | None
    patches: bool


class StyleCache(PictureCache[StyleKey, Loaded, Style]):
    """The least recently used styles are forgotten.

    Four levels of float32 moments are 1.4 MB for each region; patches are 8 MB at 512 px and 33 MB at 1024 px.

    Args:
        load: fetches and decodes; called in `threads`.
        compute: makes a style of what was loaded for a key.
        threads: where to load.
        most: styles to keep.
        most_bytes: to keep; one style is kept even if it is larger.
    """

    def __init__(
        self,
        load: Callable[[StyleKey], Loaded],
        compute: Callable[[StyleKey, Loaded], Style],
        threads: Executor,
        most: int = 128,
        most_bytes: int = 512 << 20,
    ) -> None:
        super().__init__(load, compute, size_of, threads, most, most_bytes)


def size_of(style: Style) -> int:
    """Bytes of what a style keeps."""
    tensors = [part for picture in style.pictures if (part := picture.patches) is not None]
    for picture in style.pictures:
        for moments in picture.moments:
            tensors += [moments.count, moments.mean, moments.covariance]
    return sum(tensor.nbytes for tensor in tensors)
