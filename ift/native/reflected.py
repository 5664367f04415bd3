"""Where rows and columns of a padded picture are found."""

from __future__ import annotations

import ctypes
from functools import lru_cache


@lru_cache(256)
def reflected(size: int, covered: int, step: int) -> ctypes.Array[ctypes.c_int64]:
    """Where rows begin, or columns, from one before the first to one behind the last of those that are worked on.

    They are reflected at the borders; what is farther out may be anything that is there.

    Args:
        size: at least 2.
        covered: that are worked on, at least the size.
        step: from one to the next.
    """
    wanted = range(-1, covered + 1)
    within = (abs(i) if i < size else max(2 * (size - 1) - i, 0) for i in wanted)
    return (ctypes.c_int64 * len(wanted))(*(i * step for i in within))
