"""Pictures that an actor has met: each is fetched, decoded and encoded once, for all pairs that name it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Executor, Future
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
L = TypeVar("L")
V = TypeVar("V")


class PictureCache(Generic[K, L, V]):
    """What was made of pictures; the least recently used is forgotten.

    Args:
        load: fetches and decodes; called in `threads`.
        compute: makes what is kept of what was loaded for a key.
        size_of: bytes of what is kept.
        threads: where to load.
        most: to keep.
        most_bytes: to keep; one is kept even if it is larger.
    """

    def __init__(
        self,
        load: Callable[[K], L],
        compute: Callable[[K, L], V],
        size_of: Callable[[V], int],
        threads: Executor,
        most: int,
        most_bytes: int,
    ) -> None:
        self._load, self._compute, self._size_of, self._threads = load, compute, size_of, threads
        self._most, self._most_bytes = most, most_bytes
        self._made: OrderedDict[K, V] = OrderedDict()
        self._bytes = 0
        self._pictures: OrderedDict[K, Future[L]] = OrderedDict()
        self._lock = threading.Lock()
        self._hits = self._misses = 0

    def lookups(self) -> tuple[int, int]:
        """How many keys were asked for since the last call, and were there; and how many were not."""
        with self._lock:
            found, self._hits, self._misses = (self._hits, self._misses), 0, 0
        return found

    def prefetch(self, key: K) -> None:
        """Begins to fetch and decode what is not there yet; returns at once."""
        with self._lock:
            known = self._pictures.get(key)
            if known is not None and known.done() and known.exception() is not None:
                del self._pictures[key]  # what failed for an earlier shard may be there by now
            self._begin(key)

    def get(self, key: K) -> V:
        """What is kept of a picture. To be called by one thread at a time, for it computes on the device.

        Raises:
            Exception: whatever loading the picture raised; the next call tries again.
        """
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
                self._hits += 1
                return self._made[key]
            self._misses += 1
            picture = self._begin(key)
        assert picture is not None
        try:
            made = self._compute(key, picture.result())
        finally:
            with self._lock:
                self._pictures.pop(key, None)
        with self._lock:
            self._keep(key, made)
        return made

    def _begin(self, key: K) -> Future[L] | None:
        """The picture on its way; None if what is made of it is there. The lock is held."""
        if key in self._made:
            return None
        if key not in self._pictures:
            self._pictures[key] = self._threads.submit(self._load, key)
            # Those of rows that failed before they came to their picture would stay for ever.
            if len(self._pictures) > self._most:
                self._pictures.popitem(last=False)
        return self._pictures[key]

    def _keep(self, key: K, made: V) -> None:
        """Adds one, and forgets others to make room. The lock is held."""
        self._made[key] = made
        self._bytes += self._size_of(made)
        while len(self._made) > self._most or (self._bytes > self._most_bytes and len(self._made) > 1):
            self._bytes -= self._size_of(self._made.popitem(last=False)[1])
