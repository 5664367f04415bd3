"""A bound on the memory of a worker's process: a picture that needs more is a failed row, not a dead process."""

from __future__ import annotations

import resource
from pathlib import Path

import pyarrow as pa


def limit_memory(most: int) -> None:
    """Makes allocations fail once this process holds `most` bytes of data, instead of the system ending it.

    What was reserved before this call and is not in use, such as the stacks of threads, does not count. Does nothing
    where the system does not say (other than Linux), or has a lower limit already.
    """
    # Arrow's own pool reserves a GiB at its first use, and some of Arrow uses it whatever it is told to.
    pa.allocate_buffer(1, memory_pool=pa.default_memory_pool())
    pa.set_memory_pool(pa.system_memory_pool())
    status = _kilobytes()
    if status is None:
        return
    limit = most + (status["VmData"] - status["RssAnon"]) * 1024
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def _kilobytes() -> dict[str, int] | None:
    """The figures of this process by name, in KiB."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    fields = (line.split() for line in lines)
    return {name.rstrip(":"): int(rest[0]) for name, *rest in fields if rest and rest[-1] == "kB"}
