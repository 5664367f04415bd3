"""What is wrong is taken away, so that the job can do it again; nothing is thrown away."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import chain

from jobs.ahead import ahead
from jobs.errors import NotFoundInStoreError, StorageError
from jobs.storage import Store, check_key
from jobs.verify.findings import LOST_AND_FOUND, Verdict

_SUFFIXES = (
    "",
    *(f".{number}" for number in range(1, 100)),
)  # for objects of one key that are set aside again and again


def repair_storage(store: Store, verdict: Verdict, threads: int = 16) -> list[str]:
    """Moves damaged record objects and packs, and strays, to `LOST_AND_FOUND`, so that the job can do `verdict.redo`.

    Nothing is deleted that is not there under its other name. Killed half way, it can be called again. No other
    process should be at work on the run: a shard whose records are taken away is done anew.

    Returns:
        What could not be moved, as messages.

    Raises:
        StorageError: the store cannot be read or written.
    """
    damaged = (verdict.plan.record_key(shard) for shard, rows in verdict.redo.items() if rows is None)
    strays = (key.as_py() for key in verdict.strays)
    with (
        ThreadPoolExecutor(threads, "repair") as pool,
        closing(
            ahead(pool, partial(_set_aside, store), chain(damaged, verdict.packs, strays), 2 * threads)
        ) as problems,
    ):
        return [problem for problem in problems if problem is not None]


def _set_aside(store: Store, key: str) -> str | None:
    try:
        names = [check_key(LOST_AND_FOUND + check_key(key) + suffix) for suffix in _SUFFIXES]
    except StorageError as error:  # someone else's object, with a name that the job would not give
        return f"{error}; move the object away by hand"
    try:
        data = store.read(key)
    except NotFoundInStoreError:
        return None
    if not any(store.create(name, data) for name in names):
        return f"{key} cannot be moved: {LOST_AND_FOUND} holds {len(names)} others of that name; clear it up"
    store.delete(key)
    return None
