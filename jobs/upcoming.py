"""The next pieces of work, dealt so that a style is encoded by few actors, though several are at its pairs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice

from jobs.work import Work

Styles = tuple[str, ...]
"""The URIs of a pair's styles."""


class Upcoming:
    """Looks a little ahead in work that comes in the order of its styles.

    Args:
        works: what is to be done, a stream.
        ahead: pieces to look ahead, at least 1; so many are in memory.
    """

    def __init__(self, works: Iterator[Work], ahead: int) -> None:
        self._works, self._ahead = works, ahead
        self._next: list[Work] = []

    def take(self, known: Styles | None, elsewhere: Collection[Styles]) -> Work | None:
        """A piece for an actor; None once there is no more.

        Args:
            known: the styles of the last pair that the actor was given: what begins with them costs least.
            elsewhere: those of other actors, to whom what begins with these is left as long as there is other work.
        """
        if self.empty:
            return None
        begins = [work.pairs[0].styles for work in self._next]
        mine = (index for index, styles in enumerate(begins) if styles == known)
        free = (index for index, styles in enumerate(begins) if styles not in elsewhere)
        return self._next.pop(next(mine, next(free, 0)))

    @property
    def empty(self) -> bool:
        """Whether everything has been taken."""
        self._next += islice(self._works, self._ahead - len(self._next))
        return not self._next
