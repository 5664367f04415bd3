"""Work that threads do ahead of whoever consumes it, never further than a bound."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ahead(threads: Executor, function: Callable[[T], R], items: Iterable[T], depth: int) -> Generator[R, None, None]:
    """`map`, in order, with at most `depth` calls begun and not yet consumed; to be closed if it is left early."""
    begun: deque[Future[R]] = deque()
    try:
        for item in items:
            begun.append(threads.submit(function, item))
            if len(begun) == depth:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        for future in begun:
            future.cancel()
