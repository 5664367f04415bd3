"""For what tests every program in machine code: each way to divide its products, and any number of threads."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ift.native.processor import Blocking, features

BLOCKINGS = [Blocking(lanes=4, rows=4, vectors=2), Blocking(lanes=8, rows=4, vectors=2)]
if "avx512f" in features():
    BLOCKINGS.append(Blocking(lanes=16, rows=8, vectors=2))
PAIRS = Blocking(lanes=16, rows=8, vectors=2, pairs=True) if "avx512bf16" in features() else None


@contextmanager
def with_threads(count: int) -> Iterator[None]:
    """PyTorch's threads, within it."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
