"""What this processor's vectors hold."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from functools import cache

from llvmlite import binding


@dataclass(frozen=True)
class Blocking:
    """What of a matrix product is kept in registers.

    Attributes:
        lanes: float32 numbers in a vector.
        rows: of the left factor at a time.
        vectors: of columns of the right one at a time.
        pairs: whether products of pairs of bfloat16 numbers take as long as one of float32 (AVX512-BF16).
    """

    lanes: int
    rows: int
    vectors: int
    pairs: bool = False

    @property
    def columns(self) -> int:
        """Columns at a time, a strip: a multiple of `rows`."""
        return self.lanes * self.vectors


@cache
def features() -> frozenset[str]:
    """What the processor has, by LLVM's names (`avx2`, `amx-bf16`, …); nothing where LLVM cannot tell."""
    try:
        return frozenset(name for name, present in binding.get_host_cpu_features().items() if present)
    except RuntimeError:
        return frozenset()


def given_or_this(blocking: Blocking | None) -> Blocking:
    """A blocking as given, else this processor's, for which somebody has asked `suited` before."""
    blocking = blocking or this_blocking()
    assert blocking is not None, "no program has been measured on this processor"
    return blocking


def this_blocking() -> Blocking | None:
    """How to divide matrix products for this processor; None for one that the programs have not been measured on."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return None
    if "avx512f" in features():
        # 16 sums of 32 registers: with more, LLVM runs out of them.
        return Blocking(lanes=16, rows=8, vectors=2, pairs="avx512bf16" in features())
    if {"avx2", "fma"} <= features():
        return Blocking(lanes=8, rows=4, vectors=2)
    return None
