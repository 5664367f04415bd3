"""Style distance at equal content preservation, from the curves that methods draw as their knobs move.

A method's curve on a pair of pictures is the line through its results in the order of its knob, from the knob's 0 on,
straight between results. s*(c) is the least style distance on the curve where content preservation is c or better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from jobs.experiments.interval import Floats


@dataclass(frozen=True)
class Curve:
    """A method's results on one pair.

    Attributes:
        preservation: (points,) how much of the content is left, more is better; in the order of the knob.
        style: (points,) distances to the style.
    """

    preservation: Floats
    style: Floats

    def least_style(self, levels: Floats) -> Floats:
        """s*: (levels,) the least style distance where preservation is as good as each level; ∞ where it never is."""
        ends = np.where(self.preservation >= levels[:, None], self.style, np.inf)
        # Between two results the line is least at its ends, or where it comes to the level.
        start, end = self.preservation[:-1], self.preservation[1:]
        crosses = (levels[:, None] > np.minimum(start, end)) & (levels[:, None] < np.maximum(start, end))
        share = np.divide(levels[:, None] - start, end - start, out=np.zeros(crosses.shape), where=crosses)
        crossing = np.where(crosses, self.style[:-1] + share * np.diff(self.style), np.inf)
        least: Floats = np.concatenate([ends, crossing], axis=1).min(axis=1)
        return least


@dataclass(frozen=True)
class EqualContent:
    """The methods on one pair at levels of content preservation that all of them come to.

    Attributes:
        levels: (levels,) preservation, from high to low.
        least_style: s* at the levels, by method; each (levels,).
    """

    levels: Floats
    least_style: Mapping[str, Floats]


def common_range(curves: Mapping[str, Curve]) -> tuple[float, float]:
    """From the best preservation that all methods reach down to the worst end that all reach."""
    best = min(float(curve.preservation.max()) for curve in curves.values())
    worst = max(float(curve.preservation.min()) for curve in curves.values())
    return best, worst


def at_equal_content(curves: Mapping[str, Curve], fractions: Floats) -> EqualContent | None:
    """The methods compared over the range that they have in common.

    Args:
        curves: of one pair, by method.
        fractions: (levels,) of the range: 0 the best preservation that all reach, 1 the worst end that all reach.

    Returns:
        None if they have no range in common, for some method leaves the content as it is.
    """
    best, worst = common_range(curves)
    if best <= worst:
        return None
    levels = best + fractions * (worst - best)
    return EqualContent(levels, {method: curve.least_style(levels) for method, curve in curves.items()})
