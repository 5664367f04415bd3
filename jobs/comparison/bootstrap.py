"""How far the mean of paired differences could be off, by resampling contents and styles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

FEWEST_LEVELS = 5
"""A factor with fewer levels is not resampled: what so few say of all others cannot be told from them."""

_MOST_AT_ONCE = 4_000_000  # weights of pairs in memory, 8 bytes each


@dataclass(frozen=True)
class Interval:
    """Where a mean may lie: the middle share of what resampling gave."""

    low: float
    high: float


def resampled_factors(factors: dict[str, Codes]) -> dict[str, Codes]:
    """The factors that are to be resampled.

    Left out are those with fewer than `FEWEST_LEVELS` levels, and those that are nested in another one: where each
    content has one style only, all that the pairs of a style have in common, contents included, comes and goes with
    the style.

    Args:
        factors: by name, (n,) the level of each pair, counted from 0.

    Returns:
        Some of them; none if every pair is to be drawn on its own.
    """
    kept: dict[str, Codes] = {}
    for name, codes in factors.items():
        if len(np.unique(codes)) < FEWEST_LEVELS:
            continue
        kept = {other: levels for other, levels in kept.items() if not _nested(levels, codes)}
        if not any(_nested(codes, levels) for levels in kept.values()):
            kept[name] = codes
    return {name: codes for name, codes in kept.items() if len(np.unique(codes)) < len(codes)}


def mean_intervals(
    differences: Floats, factors: Sequence[Codes], *, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> list[Interval | None]:
    """Percentile bootstrap intervals of the means of columns (Efron 1979).

    Pairs that share a content or a style are not independent: a content that is hard is hard in every style, and a
    hundred pairs of ten contents know about ten contents only. So it is not the pairs that are drawn, but the levels
    of each factor, with replacement and each factor on its own; a pair counts as often as its content was drawn,
    times as often as its style was (the pigeonhole bootstrap: Owen 2007, Annals of Applied Statistics 1, 386–411).
    What is left to a single pair is counted up to three times over by that, so the interval errs on the wide side.
    With one factor it is the bootstrap of clusters, with none that of pairs.

    Args:
        differences: (n, m), a column for each metric; NaN where there is no difference to tell.
        factors: each (n,), the level of each pair, counted from 0; see `resampled_factors`.
        resamples: how often is drawn.
        seed: of the random numbers.
        level: the share of the resampled means between the ends of an interval.

    Returns:
        For each column its interval; None where fewer than two pairs have a difference.
    """
    count, columns = differences.shape
    known = np.isfinite(differences)
    filled = np.where(known, differences, 0.0)
    drawn = list(factors) or [np.arange(count)]
    random = np.random.default_rng(seed)
    means = np.full((resamples, columns), np.nan)
    at_once = max(1, _MOST_AT_ONCE // max(count, 1))
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        weights = np.ones((rows, count))
        for codes in drawn:
            levels = int(codes.max(initial=0)) + 1
            weights *= random.multinomial(levels, np.full(levels, 1 / levels), size=rows)[:, codes]
        with np.errstate(invalid="ignore"):  # none of a column's pairs were drawn: that says nothing
            means[start : start + rows] = (weights @ filled) / (weights @ known.astype(np.float64))
    tails = [100 * (1 - level) / 2, 100 * (1 + level) / 2]
    return [
        Interval(*np.nanpercentile(means[:, column], tails).tolist()) if known[:, column].sum() > 1 else None
        for column in range(columns)
    ]


def _nested(inner: Codes, outer: Codes) -> bool:
    """Whether each level of `inner` comes with one level of `outer` only."""
    return len(np.unique(np.stack([inner, outer]), axis=1).T) == len(np.unique(inner))
