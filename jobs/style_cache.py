"""Styles that an actor has met: each is fetched, decoded and encoded once, for all pairs that name it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from torch import Tensor

from ift import Style

StyleKey = tuple[str, int | None]
"""URI of a style picture, and the longer side to which it is scaled."""


class StyleCache:
    """The least recently used styles are forgotten; four levels of float32 moments are 1.4 MB each."""

    def __init__(
        self,
        load: Callable[[StyleKey], Tensor],
        compute: Callable[[Tensor], Style],
        threads: Executor,
        most: int = 128,
    ) -> None:
        self._load, self._compute, self._threads, self._most = load, compute, threads, most
        self._styles: OrderedDict[StyleKey, Style] = OrderedDict()
        self._pictures: OrderedDict[StyleKey, Future[Tensor]] = OrderedDict()
        self._lock = threading.Lock()

    def prefetch(self, key: StyleKey) -> None:
        """Begins to fetch and decode a style that is not there yet; returns at once."""
        with self._lock:
            self._begin(key)

    def get(self, key: StyleKey) -> Style:
        """The moments of a style. To be called by one thread at a time, for it computes on the device.

        Raises:
            Exception: whatever loading the picture raised; the next call tries again.
        """
        with self._lock:
            if key in self._styles:
                self._styles.move_to_end(key)
                return self._styles[key]
            picture = self._begin(key)
        assert picture is not None
        try:
            style = self._compute(picture.result())
        finally:
            with self._lock:
                self._pictures.pop(key, None)
        with self._lock:
            self._styles[key] = style
            _keep(self._styles, self._most)
        return style

    def _begin(self, key: StyleKey) -> Future[Tensor] | None:
        """The picture on its way; None if the style is there. The lock is held."""
        if key in self._styles:
            return None
        if key not in self._pictures:
            self._pictures[key] = self._threads.submit(self._load, key)
            # Those of rows that failed before they came to their style would stay for ever.
            _keep(self._pictures, self._most)
        return self._pictures[key]


def _keep(entries: OrderedDict[StyleKey, Any], most: int) -> None:
    while len(entries) > most:
        entries.popitem(last=False)
