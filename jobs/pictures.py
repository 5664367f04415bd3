"""The pictures that a run has made, wherever its layout keeps them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import lru_cache

from jobs.commit import committed_rows, packs_of
from jobs.errors import NotFoundInStoreError
from jobs.packs import open_pack, read_pack
from jobs.plan import OBJECTS, PlannedPair, Shard
from jobs.storage import Store

_PACKS_KEPT = 2


class Pictures:
    """Reads pictures; of packs, the last ones stay in memory.

    Args:
        store: of the run.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._opened = lru_cache(maxsize=_PACKS_KEPT)(self._open)

    def read(self, shard: Shard, pair: PlannedPair) -> bytes:
        """The image file of a pair.

        Raises:
            NotFoundInStoreError: there is none, or none that is recorded.
            DamagedPackError: its pack cannot be read.
            StorageError: the store cannot be read.
        """
        if shard.layout == OBJECTS:
            return self._store.read(pair.output)
        try:
            return self._opened(shard)[pair.pair_id]
        except KeyError:
            raise NotFoundInStoreError(f"{pair.output} is in no pack of {shard.name}") from None

    def _open(self, shard: Shard) -> Mapping[str, bytes]:
        """Of all packs that the shard's records name."""
        packs = packs_of(committed_rows(self._store, shard) or {})
        return {name: picture for key in packs for name, picture in open_pack(self._store, shard, key).items()}


class KeptPictures:
    """Reads pictures by what their records say of them; may be called from many threads.

    Args:
        store: of the run.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._opened = lru_cache(maxsize=_PACKS_KEPT)(lambda pack: read_pack(store, pack))
        self._lock = threading.Lock()  # so that threads which come to a new pack together read it once

    def read(self, output: str, pack: str | None, pair_id: str) -> bytes:
        """The image file of a pair; raises as `Pictures.read`."""
        if pack is None:
            return self._store.read(output)
        with self._lock:
            opened = self._opened(pack)
        if pair_id not in opened:
            raise NotFoundInStoreError(f"{output} is not in {pack}, which its record names")
        return opened[pair_id]
