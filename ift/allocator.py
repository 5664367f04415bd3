"""Keeps large activations in the process instead of giving each back to the system."""

from __future__ import annotations

import ctypes
import resource
import sys
from pathlib import Path

import torch

_WORDS = ("not enough memory", "can't allocate memory", "bad_alloc", "could not create a memory object")
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -4, -8


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation has failed, or caused the error; PyTorch has no type of its own for that on CPUs."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    if isinstance(error, RuntimeError) and any(words in str(error) for words in _WORDS):
        return True
    return error.__cause__ is not None and is_out_of_memory(error.__cause__)


def keep_memory() -> bool:
    """Tells glibc to reuse freed memory for the next activation; true if it took effect.

    Without it every large CPU tensor is mapped afresh and its pages are faulted in one by one, which costs as much
    as the convolutions. One arena for all threads: otherwise each thread that runs the model keeps memory of its
    own. Does nothing on other C libraries; has no effect on GPU memory.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    options = {_M_ARENA_MAX: 1, _M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: -1, _M_TOP_PAD: 64 << 20}
    return all(mallopt(option, value) for option, value in options.items())


class MemoryLimit:
    """Gives kept memory back once it has grown too far: pictures of ever new sizes leave gaps that none of them fits.

    Args:
        growth: bytes that the process may grow beyond what it needed after the last release.
    """

    def __init__(self, growth: int = 1 << 30) -> None:
        self._growth = growth
        self._base = _resident()

    def enforce(self) -> None:
        """To be called between pictures; takes a tenth of a second when it releases, else microseconds."""
        resident = _resident()
        if resident is not None and self._base is not None and resident > self._base + self._growth:
            ctypes.CDLL("libc.so.6").malloc_trim(0)
            self._base = _resident()


class MemoryCeiling:
    """Gives kept memory back whenever the process holds more than so much.

    Args:
        most: bytes, of the whole process.
    """

    def __init__(self, most: int) -> None:
        self._most = most

    def enforce(self) -> None:
        """To be called between operations; takes a tenth of a second when it releases, else microseconds."""
        if resident_bytes() > self._most:
            ctypes.CDLL("libc.so.6").malloc_trim(0)


def resident_bytes() -> int:
    """Resident bytes of this process; 0 where the system does not say."""
    return _resident() or 0


def _resident() -> int | None:
    """Resident bytes of this process; None where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return None
