"""Keeps large activations in the process instead of giving each back to the system."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -4, -8


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
