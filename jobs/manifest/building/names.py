"""Names of pairs, made of the two pictures' keys and nothing else: no other picture, place or machine changes them."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from jobs.manifest.recipes import stem

LONGEST_NAME = 40 + 2 + 40 + 1 + 16
"""Characters of a pair's name: two stems, what joins them, and a digest."""


class Names:
    """Names pairs `<content>--<style>-<64 bits of a digest>`: what a pair is called, and its output.

    Args:
        styles: keys of all styles below their roots.
    """

    def __init__(self, styles: Sequence[str]) -> None:
        self._styles = [(stem(key), key.encode()) for key in styles]

    def of(self, contents: Sequence[str], pairs: tuple[np.ndarray, np.ndarray]) -> list[str]:
        """The names of pairs, given by the places of contents among these keys, and of styles among all."""
        halves = [(stem(key), key.encode() + b"\0") for key in contents]  # no key holds a zero
        names = []
        for c, s in zip(*(places.tolist() for places in pairs), strict=True):
            content, first = halves[c]
            style, second = self._styles[s]
            names.append(f"{content}--{style}-{blake2b(first + second, digest_size=8).hexdigest()}")
        return names
