"""File names in the order in which people count: frame2 before frame10."""

from __future__ import annotations

import re

_DIGITS = re.compile(r"([0-9]+)")


def natural_order(name: str) -> tuple[list[tuple[str, int]], str]:
    """A key for sorting names by their words and numbers in turn, without regard to case.

    The name itself decides between those that differ in case or leading zeros only, so that the order is one.
    """
    pieces = _DIGITS.split(name.casefold())
    pairs = zip(pieces[::2], [*pieces[1::2], "-1"], strict=True)
    return [(word, int(number)) for word, number in pairs], name
