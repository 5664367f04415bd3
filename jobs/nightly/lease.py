"""One night at a time: an object in the output's store that says who is at work, renewed while it is.

It only saves work. Two nights that went on at once would record nothing twice: that is the commit's promise.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from uuid import uuid4

from jobs.errors import BusyError, NotFoundInStoreError, StorageError
from jobs.storage import Store
from jobs.storage.local import is_alive, pid_space

LEASE_KEY = "night.json"
STALE_S = 300.0
"""Seconds without a renewal after which its holder counts as dead, by the clocks of both machines."""

_RENEWALS = 5  # in that time
_PATIENCE_S = 30.0


@dataclass(frozen=True)
class _Holder:
    """Who is at work.

    Attributes:
        owner: of this very night.
        place: the host or container within which `pid` means one process.
        since: seconds since 1970.
        renewed: seconds since 1970; 0 when the night is over.
    """

    owner: str
    place: str
    pid: int
    since: float
    renewed: float

    def to_json(self) -> bytes:
        return (json.dumps(asdict(self), indent=2) + "\n").encode()

    def is_at_work(self, stale: float) -> bool:
        """Whether it may be: a process that is gone is not, and one elsewhere is if it has said so lately."""
        if self.place == pid_space() and not is_alive(self.pid):
            return False
        return time.time() - self.renewed < stale


@contextmanager
def lease(store: Store, stale: float = STALE_S) -> Iterator[None]:
    """Holds the output of a store: a thread renews the lease until the context ends.

    Args:
        store: of the output.
        stale: seconds without a renewal after which another holder counts as dead.

    Raises:
        BusyError: someone else holds it.
        StorageError: the store cannot be reached.
    """
    now = time.time()
    mine = _Holder(uuid4().hex, pid_space(), os.getpid(), now, now)
    _take(store, mine, stale)
    over = threading.Event()
    renewing = threading.Thread(target=_renew, args=(store, mine, stale / _RENEWALS, over), name="lease", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        over.set()
        renewing.join(_PATIENCE_S)  # if the store is away, the lease grows stale


def _take(store: Store, mine: _Holder, stale: float) -> None:
    while not store.create(LEASE_KEY, mine.to_json()):
        try:
            seen = store.read(LEASE_KEY)
        except NotFoundInStoreError:  # somebody has removed it since
            continue
        held = _parse(seen)
        if held and held.is_at_work(stale):
            since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(held.since))
            raise BusyError(
                f"a night is at work on {store.uri} since {since}, as process {held.pid} of {held.place.split('~')[0]};"
                f" nothing was done. If it is dead, it no longer counts {stale:.0f} s after its last sign of life"
            )
        if store.replace(LEASE_KEY, mine.to_json(), seen):
            return


def _renew(store: Store, mine: _Holder, pause: float, over: threading.Event) -> None:
    """Renews the lease now and then, and gives it back when the night is over; gives up if another has taken it."""
    ended = False
    while not ended:
        ended = over.wait(pause)
        renewed = replace(mine, renewed=0.0 if ended else time.time())
        with suppress(StorageError):  # then the next time, or it grows stale
            if not store.replace(LEASE_KEY, renewed.to_json(), mine.to_json()):
                return
            mine = renewed


def _parse(data: bytes) -> _Holder | None:
    """Who holds the lease; None if it is not one."""
    try:
        return _Holder(**json.loads(data))
    except (ValueError, TypeError):
        return None
