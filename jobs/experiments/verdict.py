"""How far the methods of the trade-off are from one another at equal content preservation, over pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jobs.experiments.curves import Curve, at_equal_content
from jobs.experiments.interval import Estimate, Floats, estimate, estimates
from jobs.experiments.pairs import Pair

FRACTIONS = np.arange(1, 10) / 10
"""Of the range of content preservation that a method and the reference reach on a pair: 0 its best, 1 its worst."""


@dataclass(frozen=True)
class AtLevel:
    """A method at one level of content preservation.

    Attributes:
        fraction: of the common range; see `FRACTIONS`.
        content: the level itself, which differs from pair to pair, in units of its measure.
        style: s*, the least style distance there.
        difference: s* minus that of the reference; above 0 the reference is nearer to the style.
        relative: the same over s* of the reference.
        lower: share of the pairs where the reference's is lower.
    """

    fraction: float
    content: Estimate
    style: Estimate
    difference: Estimate
    relative: Estimate
    lower: float | None


@dataclass(frozen=True)
class AtKnob:
    """A method's results at one value of its knob, whatever content they keep; 0 is the start of all curves."""

    value: float
    content: Estimate
    style: Estimate


@dataclass(frozen=True)
class Verdict:
    """A method against the reference.

    Attributes:
        method: whose verdict it is.
        pairs: that were compared.
        without_range: further pairs, on which the two have no content preservation in common.
        difference: s* minus that of the reference, the mean over the levels of each pair.
        relative: the same over s* of the reference.
        lower: share of the pairs where the reference's mean is lower.
        levels: the same level by level.
        knobs: all pairs by the knob, the last the method at its strongest.
    """

    method: str
    pairs: int
    without_range: int
    difference: Estimate
    relative: Estimate
    lower: float | None
    levels: tuple[AtLevel, ...]
    knobs: tuple[AtKnob, ...]


def verdicts(
    curves: Mapping[Pair, Mapping[str, Curve]], values: Mapping[str, tuple[float, ...]], sign: int
) -> list[Verdict]:
    """Every method against the first, which is the reference.

    Two at a time, over the range that both reach: in a range of all, the method that ends first would hide the others.

    Args:
        curves: of each pair, by method; preservation is the content measure times `sign`.
        values: of each method's knob, from weak to strong; its curve has the start before them.
        sign: 1 or −1.
    """
    reference = next(iter(values))
    return [
        _verdict(
            _compared(curves, method, reference),
            _by_knob([own[method] for own in curves.values()], list(curves), (0.0, *knob), sign),
            sign,
        )
        for method, knob in values.items()
    ]


@dataclass(frozen=True)
class _Compared:
    """A method and the reference at the levels of preservation that both reach.

    Attributes:
        method: whose verdict it is to be.
        pairs: where they have a range in common.
        without_range: the number of the others.
        levels: (pairs, levels) preservation.
        style: (pairs, levels) s* of the method.
        reference: (pairs, levels) s* of the reference.
    """

    method: str
    pairs: list[Pair]
    without_range: int
    levels: Floats
    style: Floats
    reference: Floats


def _compared(curves: Mapping[Pair, Mapping[str, Curve]], method: str, reference: str) -> _Compared:
    both = {pair: {name: own[name] for name in (reference, method)} for pair, own in curves.items()}
    equal = {pair: at_equal_content(own, FRACTIONS) for pair, own in both.items()}
    found = {pair: each for pair, each in equal.items() if each is not None}
    return _Compared(
        method,
        list(found),
        len(curves) - len(found),
        _table([each.levels for each in found.values()]),
        *(_table([each.least_style[name] for each in found.values()]) for name in (method, reference)),
    )


def _verdict(compared: _Compared, knobs: tuple[AtKnob, ...], sign: int) -> Verdict:
    style, reference, pairs = compared.style, compared.reference, compared.pairs
    difference = style - reference
    relative = np.divide(difference, reference, out=np.full_like(difference, np.nan), where=reference > 0)
    columns = zip(
        FRACTIONS,
        estimates(sign * compared.levels, pairs),
        estimates(style, pairs),
        estimates(difference, pairs),
        estimates(relative, pairs),
        map(_share, difference.T),
        strict=True,
    )
    return Verdict(
        compared.method,
        len(pairs),
        compared.without_range,
        estimate(difference.mean(axis=1), pairs),
        estimate(relative.mean(axis=1), pairs),
        _share(difference.mean(axis=1)),
        tuple(AtLevel(float(fraction), *each) for fraction, *each in columns),
        knobs,
    )


def _by_knob(curves: Sequence[Curve], pairs: Sequence[Pair], values: Sequence[float], sign: int) -> tuple[AtKnob, ...]:
    content = estimates(sign * _table([curve.preservation for curve in curves], len(values)), pairs)
    style = estimates(_table([curve.style for curve in curves], len(values)), pairs)
    return tuple(AtKnob(*each) for each in zip(values, content, style, strict=True))


def _table(rows: Sequence[Floats], columns: int = len(FRACTIONS)) -> Floats:
    """(rows, columns), with columns even where there are no rows."""
    return np.array(rows, dtype=np.float64).reshape(len(rows), columns)


def _share(differences: Floats) -> float | None:
    return float((differences > 0).mean()) if len(differences) else None
