"""Which styles a content gets.

At random means by rendezvous hashing: a hash of the seed and the two keys gives each pair a score, and a content takes
the styles with the highest. No content depends on another, and a new style takes no more than its share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

_CELLS = 1 << 15  # of scores at a time: as many as stay in the processor's cache

Pairs = tuple[np.ndarray, np.ndarray]
"""The places of contents, ascending, and of their styles."""


@dataclass(frozen=True)
class Waiting:
    """Contents that lack styles.

    Attributes:
        keys: below their roots.
        made: of each the number of pairs that it has; (contents,) int64.
        taken: the styles that it has of those that are still there.
        partner: of each the style of its name, -1 where there is none; (contents,) int64.
    """

    keys: Sequence[str]
    made: np.ndarray
    taken: Pairs
    partner: np.ndarray


Choice = Callable[[Waiting], Pairs]


def choice(mode: str, styles: Sequence[str], per_content: int, seed: int) -> Choice:
    """What finds new pairs in a mode of `Pairing`; `styles` are the keys of all styles, at least `per_content`."""
    if mode == "paired":
        return _by_name
    if mode == "cross":
        return lambda waiting: _all(waiting, len(styles))
    marks = hashes(styles, seed, b"style")
    return lambda waiting: _at_random(waiting, marks, per_content, seed)


def hashes(keys: Sequence[str], seed: int, kind: bytes) -> np.ndarray:
    """64 bits for each key, (keys,) uint64; `kind` keeps a content and a style of one name apart."""
    salt = b"%d\0" % seed
    digests = b"".join(blake2b(salt + key.encode(), digest_size=8, person=kind).digest() for key in keys)
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def highest(contents: np.ndarray, styles: np.ndarray, count: int, taken: Pairs) -> np.ndarray:
    """The places of the `count` styles of highest score for each content, highest first; (contents, count).

    Args:
        contents: hashes, (contents,) uint64.
        styles: hashes, (styles,) uint64, at least `count`.
        count: of styles.
        taken: pairs that come last, whatever their score.
    """
    scores = contents[:, None] ^ styles
    _mix(scores)
    scores[taken] = 0
    best = np.argpartition(scores, len(styles) - count, axis=1)[:, len(styles) - count :]
    order = np.argsort(np.take_along_axis(scores, best, 1), axis=1)[:, ::-1]
    return np.take_along_axis(best, order, 1)


def _mix(values: np.ndarray) -> None:
    """Stirs each of the 64-bit numbers in place: the finalizer of SplitMix64 (Steele et al. 2014)."""
    shifted = values >> np.uint64(30)
    values ^= shifted
    values *= np.uint64(0xBF58476D1CE4E5B9)
    np.right_shift(values, np.uint64(27), out=shifted)
    values ^= shifted
    values *= np.uint64(0x94D049BB133111EB)
    np.right_shift(values, np.uint64(31), out=shifted)
    values ^= shifted


def _by_name(waiting: Waiting) -> Pairs:
    has = np.flatnonzero((waiting.partner >= 0) & (waiting.made == 0))
    return has, waiting.partner[has]


def _all(waiting: Waiting, styles: int) -> Pairs:
    wanted = np.ones((len(waiting.keys), styles), bool)
    wanted[waiting.taken] = False
    contents, chosen = np.nonzero(wanted)
    return contents, chosen


def _at_random(waiting: Waiting, styles: np.ndarray, count: int, seed: int) -> Pairs:
    contents = hashes(waiting.keys, seed, b"content")
    wanted = np.clip(count - waiting.made, 0, None)
    places, chosen = [], []
    for part, taken in _parts(waiting, len(styles)):
        best = highest(contents[part], styles, count, taken)
        best[np.arange(count) >= wanted[part, None]] = -1
        best.sort(axis=1)
        rows, columns = np.nonzero(best >= 0)
        places.append(rows + part.start)
        chosen.append(best[rows, columns])
    return np.concatenate(places), np.concatenate(chosen)


def _parts(waiting: Waiting, styles: int) -> Iterator[tuple[slice, Pairs]]:
    """The contents, a few at a time, with what is taken of each part."""
    rows, columns = waiting.taken
    size = max(_CELLS // styles, 1)
    for start in range(0, len(waiting.keys), size):
        first, last = np.searchsorted(rows, [start, start + size])
        yield slice(start, start + size), (rows[first:last] - start, columns[first:last])
