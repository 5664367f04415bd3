"""Means over pairs with what they are sure to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobs.comparison.bootstrap import mean_intervals, resampled_factors
from jobs.experiments.pairs import Pair

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean over pairs, and the ends of its 95 % interval; None of no pairs, the ends also of a single one."""

    mean: float | None
    low: float | None
    high: float | None

    def times(self, factor: float) -> Estimate:
        """In other units."""
        return Estimate(*(None if value is None else factor * value for value in (self.mean, self.low, self.high)))

    def words(self, form: str = ".3f") -> str:
        """For tables; a dash where there is nothing."""
        if self.mean is None:
            return "–"
        ends = "" if self.low is None or self.high is None else f" [{self.low:{form}}, {self.high:{form}}]"
        return f"{self.mean:{form}}{ends}"


def estimates(values: Floats, pairs: Sequence[Pair]) -> list[Estimate]:
    """The mean of each column and its interval, in which contents and styles are drawn rather than pairs.

    Args:
        values: (pairs, columns), NaN where there is none; the same values always give the same.
        pairs: whose values they are, so that what shares a content or a style does not count as independent.
    """
    factors = {
        side: np.unique([str(getattr(pair, side)) for pair in pairs], return_inverse=True)[1].astype(np.int64)
        for side in Pair._fields
    }
    intervals = mean_intervals(values, list(resampled_factors(factors).values()))
    return [
        Estimate(_mean(column), interval.low if interval else None, interval.high if interval else None)
        for column, interval in zip(values.T, intervals, strict=True)
    ]


def estimate(values: Floats, pairs: Sequence[Pair]) -> Estimate:
    """The same of one value a pair, (pairs,)."""
    return estimates(values[:, None], pairs)[0]


def _mean(values: Floats) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None
