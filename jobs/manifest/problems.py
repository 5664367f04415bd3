"""What is wrong with the rows of a manifest: the first few in words, all of them counted."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from jobs.errors import ManifestError

SHOWN_PROBLEMS = 10
"""In the message of an error; more are only counted."""

_AFTER_USER = re.compile(r"://[^/\s]*[:@]\S*")  # all of it: passwords have slashes, too
_LONGEST_VALUE, _LONGEST_REASON = 80, 500  # characters of a message


class Problems:
    """Rows that cannot be used. A row is to be added once, and rows in any order.

    Attributes:
        count: how many there are.
        most: of them are described.
        first: these, by their rows.
    """

    def __init__(self, most: int = SHOWN_PROBLEMS) -> None:
        self.count = 0
        self.most = most
        self.first: list[tuple[int, str]] = []

    def add(self, rows: np.ndarray, describe: Callable[[int], str], more: int = 0) -> None:
        """Adds rows by their ascending numbers; only the first few are described, each by its place in `rows`.

        `more` is how many come after them that are only counted.
        """
        self.count += len(rows) + more
        last = self.first[-1][0] if len(self.first) == self.most else None
        for place, row in enumerate(rows[: self.most].tolist()):
            if last is None or row < last:
                self.first.append((row, describe(place)))
        self.first = sorted(self.first)[: self.most]

    def error(self, uri: str, rows: int) -> ManifestError:
        """All that is wrong with a manifest of so many rows."""
        first = f"; the first {len(self.first)}" if self.count > len(self.first) else ""
        lines = [text for _, text in self.first]
        return ManifestError("\n  ".join([f"{uri}: {self.count} of {rows} rows cannot be used{first}:", *lines]))


def problem(row: int, column: str, value: object, reason: str) -> str:
    """One line: where, what stands there, and the way out."""
    return f"row {row} (counting from 0), column {column}, value {shown(value)}: {shortened(reason)}"


def shown(value: object) -> str:
    """A value as it goes into a message, cut where it is long, and without the user and password of a URI."""
    if isinstance(value, str):
        value = _AFTER_USER.sub("://…", value)
    try:
        text = _AFTER_USER.sub("://…", repr(value[:_LONGEST_VALUE] if isinstance(value, (str, bytes)) else value))
    except (RecursionError, ValueError):  # ValueError: a number of more digits than Python turns into text
        return "a value that is too large to be shown"
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def listed(names: Sequence[str], most: int) -> str:
    """Names in quotes; of many the first."""
    return ", ".join([*map(shown, names[:most]), *(["…"] if len(names) > most else [])])


def shortened(text: str) -> str:
    """A text of somebody else as it goes into a message, cut where it is very long."""
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"
