"""Pictures into packs, each exactly once: a pack never changes, and who comes second takes what is in it.

A picture goes into pack k of its shard only after packs 0 … k-1 were found to be there and not to hold it, and a pack
is there from one moment to the next. So it is in one pack at most, whoever races and whoever dies; and whoever loses
a race, or goes on after a death, records the picture where it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count
from typing import NamedTuple

from jobs.errors import NotFoundInStoreError, StorageError
from jobs.packs.format import format_of_layout, layout_of_pack, pack_key
from jobs.packs.sample import DamagedPackError, Sample
from jobs.plan import Shard
from jobs.storage import Store


class Packed(NamedTuple):
    """Where a picture stands, and its bytes there."""

    pack: str
    picture: bytes


def put_in_packs(store: Store, shard: Shard, samples: Iterable[Sample]) -> dict[str, Packed]:
    """Puts pictures into packs of their shard; returns where each is, by pair id.

    Raises:
        StorageError: the store refuses, or a pack that is there is damaged; the message says what to do.
    """
    waiting = {sample.pair_id: sample for sample in samples}
    placed: dict[str, Packed] = {}
    numbers = count()
    while waiting:
        key = pack_key(shard, next(numbers))
        standing = _create_or_open(store, shard, key, waiting)
        placed |= {name: Packed(key, standing[name]) for name in waiting.keys() & standing.keys()}
        waiting = {name: sample for name, sample in waiting.items() if name not in standing}
    return placed


def _create_or_open(store: Store, shard: Shard, key: str, samples: Mapping[str, Sample]) -> Mapping[str, bytes]:
    """The pictures of the pack `key`: these samples', if there was none before."""
    data = format_of_layout(shard.layout).encode(samples.values())
    while not store.create(key, data):
        try:
            return open_pack(store, shard, key)
        except NotFoundInStoreError:  # set aside since
            continue
        except DamagedPackError as error:
            raise StorageError(
                f"{key} in {store.uri} is damaged: {error}; `verify --repair` sets it aside and does its pairs again"
            ) from error
    return {name: sample.picture for name, sample in samples.items()}


def open_pack(store: Store, shard: Shard, key: str) -> Mapping[str, bytes]:
    """The pictures in a pack, by pair id.

    Raises:
        NotFoundInStoreError: there is no such pack.
        DamagedPackError: it cannot be read.
        StorageError: the store cannot be read.
    """
    return format_of_layout(shard.layout).decode(store.read(key))


def read_pack(store: Store, key: str) -> Mapping[str, bytes]:
    """The same of a pack that a record names; raises as `open_pack`."""
    return format_of_layout(layout_of_pack(key)).decode(store.read(key))
