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
        self._next: list[tuple[Styles, Work]] = []  # with the styles of the first pair

    def take(self, known: Styles | None, elsewhere: Collection[Styles]) -> Work | None:
        """A piece for an actor; None once there is no more.

        Args:
            known: the styles of the last pair that the actor was given: what begins with them costs least.
            elsewhere: those of other actors, to whom what begins with these is left as long as there is other work.
        """
        if self.empty:
            return None
        mine = (index for index, (styles, _) in enumerate(self._next) if styles == known)
        free = (index for index, (styles, _) in enumerate(self._next) if styles not in elsewhere)
        return self._next.pop(next(mine, next(free, 0)))[1]

    @property
    def empty(self) -> bool:
        """Whether everything has been taken."""
        fresh = islice(self._works, self._ahead - len(self._next))
        self._next += ((work.pairs[0].styles, work) for work in fresh)
        return not self._next
