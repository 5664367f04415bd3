"""The trade-off: what each method's style distance is at equal content preservation, as its knob moves.

All methods run on the same encoder, decoders and pictures. Each begins at the content as it comes out of the decoder,
with its knob at 0, and moves towards the style: IFT by its strength κ, the others by their blend α.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jobs.experiments.curves import Curve
from jobs.experiments.pairs import Pair
from jobs.experiments.trials import Trial
from jobs.manifest.recipes import stem

_ALPHAS = (0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0)
_STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)

CONTENT_MEASURES = {"ssim": 1, "content_distance": -1}
"""By the sign that makes more of it better."""

STYLE_MEASURES = ("gram_distance", "mean_std_distance", "feature_frechet")
"""Less of each is better."""


@dataclass(frozen=True)
class Knob:
    """What a method is driven by: a column of the manifest, and its values from weak to strong."""

    method: str
    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class PairSet:
    """Pairs of one kind: their preset decides all but the knobs."""

    name: str
    preset: str
    pairs: int


@dataclass(frozen=True)
class TradeOff:
    """What is varied and what is fixed.

    Attributes:
        knobs: varied; the first method is the one that the others are compared with.
        sets: of pairs, each with its preset.
        resolution: longer side of the results and the styles, in pixels.
        seed: of the choice of pairs.
    """

    knobs: tuple[Knob, ...] = (
        Knob("ift", "strength", _STRENGTHS),
        *(Knob(method, "alpha", _ALPHAS) for method in ("wct", "ost", "adain", "avatar")),
    )
    sets: tuple[PairSet, ...] = (PairSet("artistic", "artistic", 60), PairSet("photo", "photo", 30))
    resolution: int = 256
    seed: int = 0

    @property
    def methods(self) -> tuple[str, ...]:
        """In the order of the knobs."""
        return tuple(knob.method for knob in self.knobs)


_START = {"method": "adain", "alpha": 0}
"""Decoder only; α = 0 is the same of every method."""


def trials(definition: TradeOff, pairs: Mapping[str, Sequence[Pair]]) -> list[Trial]:
    """All that is to be made: for each pair the start, and each method at each value of its knob."""
    return [
        Trial(f"{_prefix(each, number, pair)}-{suffix}", pair.content, (pair.style,), each.preset, size, knobs)
        for each in definition.sets
        for number, pair in enumerate(pairs[each.name])
        for suffix, knobs in _settings(definition).items()
        for size in (definition.resolution,)
    ]


def curves_of(
    definition: TradeOff,
    each: PairSet,
    pairs: Sequence[Pair],
    measures: Mapping[str, Mapping[str, Any]],
    content: str,
    style: str,
) -> dict[Pair, dict[str, Curve]]:
    """The curves of each pair of a set, by method; a pair of which any result failed or has no measure is left out.

    Args:
        definition: of the experiment.
        each: the set.
        pairs: its pairs.
        measures: by trial.
        content: a name in `CONTENT_MEASURES`.
        style: a name in `STYLE_MEASURES`.
    """
    found = {}
    for number, pair in enumerate(pairs):
        prefix = _prefix(each, number, pair)
        values = {
            suffix: [measures.get(f"{prefix}-{suffix}", {}).get(name) for name in (content, style)]
            for suffix in _settings(definition)
        }
        if any(value is None or not math.isfinite(value) for both in values.values() for value in both):
            continue
        sign = CONTENT_MEASURES[content]
        curves = {}
        for knob in definition.knobs:
            points = np.array([values["start"], *(values[_suffix(knob, value)] for value in knob.values)], np.float64)
            curves[knob.method] = Curve(sign * points[:, 0], points[:, 1])
        found[pair] = curves
    return found


def _settings(definition: TradeOff) -> dict[str, dict[str, object]]:
    """The knobs of every trial of a pair, by the end of its id."""
    moved = {
        _suffix(knob, value): {"method": knob.method, knob.name: value}
        for knob in definition.knobs
        for value in knob.values
    }
    return {"start": dict(_START), **moved}


def _suffix(knob: Knob, value: float) -> str:
    return f"{knob.method}-{value:g}"


def _prefix(each: PairSet, number: int, pair: Pair) -> str:
    return f"{each.name}-{number:03d}-{stem(str(pair.content))}-{stem(str(pair.style))}"
