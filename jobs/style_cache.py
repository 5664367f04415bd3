"""Styles that an actor has met: each is fetched, decoded and encoded once, for all pairs that name it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import NamedTuple

from torch import Tensor

from ift import Style
from ift.stylizer import Labels

Loaded = tuple[Tensor, Labels]
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


class StyleCache:
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
        self._load, self._compute, self._threads = load, compute, threads
        self._most, self._most_bytes = most, most_bytes
        self._styles: OrderedDict[StyleKey, Style] = OrderedDict()
        self._bytes = 0
        self._pictures: OrderedDict[StyleKey, Future[Loaded]] = OrderedDict()
        self._lock = threading.Lock()
        self._hits = self._misses = 0

    def lookups(self) -> tuple[int, int]:
        """How many styles were asked for since the last call, and were there; and how many were not."""
        with self._lock:
            found, self._hits, self._misses = (self._hits, self._misses), 0, 0
        return found

    def prefetch(self, key: StyleKey) -> None:
        """Begins to fetch and decode a style that is not there yet; returns at once."""
        with self._lock:
            known = self._pictures.get(key)
            if known is not None and known.done() and known.exception() is not None:
                del self._pictures[key]  # what failed for an earlier shard may be there by now
            self._begin(key)

    def get(self, key: StyleKey) -> Style:
        """A style. To be called by one thread at a time, for it computes on the device.

        Raises:
            Exception: whatever loading the picture raised; the next call tries again.
        """
        with self._lock:
            if key in self._styles:
                self._styles.move_to_end(key)
                self._hits += 1
                return self._styles[key]
            self._misses += 1
            picture = self._begin(key)
        assert picture is not None
        try:
            style = self._compute(key, picture.result())
        finally:
            with self._lock:
                self._pictures.pop(key, None)
        with self._lock:
            self._keep(key, style)
        return style

    def _begin(self, key: StyleKey) -> Future[Loaded] | None:
        """The picture on its way; None if the style is there. The lock is held."""
        if key in self._styles:
            return None
        if key not in self._pictures:
            self._pictures[key] = self._threads.submit(self._load, key)
            # Those of rows that failed before they came to their style would stay for ever.
            if len(self._pictures) > self._most:
                self._pictures.popitem(last=False)
        return self._pictures[key]

    def _keep(self, key: StyleKey, style: Style) -> None:
        """Adds a style, and forgets others to make room. The lock is held."""
        self._styles[key] = style
        self._bytes += size_of(style)
        while len(self._styles) > self._most or (self._bytes > self._most_bytes and len(self._styles) > 1):
            self._bytes -= size_of(self._styles.popitem(last=False)[1])


def size_of(style: Style) -> int:
    """Bytes of what a style keeps."""
    tensors = [part for picture in style.pictures if (part := picture.patches) is not None]
    for picture in style.pictures:
        for moments in picture.moments:
            tensors += [moments.count, moments.mean, moments.covariance]
    return sum(tensor.nbytes for tensor in tensors)
