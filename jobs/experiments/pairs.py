"""Which contents are stylized with which styles: the same pictures, number and seed give the same pairs."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jobs.demo.__main__ import pictures_in
from jobs.errors import JobError


class Pair(NamedTuple):
    """A content and its style."""

    content: Path
    style: Path

    @property
    def name(self) -> str:
        """Of both, for people."""
        return f"{self.content.stem} + {self.style.stem}"


def crossed(contents: Sequence[Path], styles: Sequence[Path], most: int, seed: int = 0) -> list[Pair]:
    """Pairs in which every content occurs about as often as every other, and so every style.

    Args:
        contents: pictures.
        styles: pictures.
        most: pairs, fewer if there are not so many.
        seed: another one gives other pairs.
    """
    contents, styles = _shuffled(contents, seed), _shuffled(styles, seed)
    around = math.lcm(len(contents), len(styles)) or 1  # pairs until (k, k) comes back to the first
    return [
        Pair(contents[k % len(contents)], styles[(k + k // around) % len(styles)])
        for k in range(min(most, len(contents) * len(styles)))
    ]


def among(photos: Sequence[Path], most: int, seed: int = 0) -> list[Pair]:
    """Pairs of photos with each other, as `crossed`: never a photo with itself.

    Raises:
        JobError: there is one photo only.
    """
    if len(photos) < 2:
        raise JobError(f"{photos[0]} has no other photo to take its style from: give a folder with two or more")
    photos = _shuffled(photos, seed)
    count = len(photos)
    return [
        Pair(photos[k % count], photos[(k + 1 + k // count) % count]) for k in range(min(most, count * (count - 1)))
    ]


def matched(folder: Path, most: int, seed: int = 0) -> list[Pair]:
    """The pairs of a folder that has `content/` and `style/`, in which what belongs together has one name.

    Raises:
        JobError: there are no such pictures.
    """
    contents, styles = ({path.stem: path for path in pictures_in(folder / side)} for side in ("content", "style"))
    names = {contents[name]: name for name in contents.keys() & styles.keys()}
    if not names:
        raise JobError(f"no picture of {folder / 'content'} has a namesake in {folder / 'style'}")
    return [Pair(path, styles[names[path]]) for path in sorted(_shuffled(list(names), seed)[:most])]


def _shuffled(paths: Sequence[Path], seed: int) -> list[Path]:
    """By digests of their names, so that a picture that joins does not change the order of the others."""
    return sorted(paths, key=lambda path: (hashlib.sha256(f"{seed}/{path.name}".encode()).digest(), path))
