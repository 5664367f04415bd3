"""What the measurements of all sequences come to: each way of making frames over its reference."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jobs.experiments.flicker import Flicker, Scene, Way, ways
from jobs.experiments.flicker_measures import MEASURES
from jobs.experiments.interval import Estimate, Floats, estimates

Measured = Mapping[tuple[Scene, Way], Mapping[str, float]]
"""Of each sequence in each way, all of `MEASURES`."""

_LEAST = 1e-6
"""Far below what 8 bits can show; what is less, such as the flicker of a still camera, has no logarithm."""


@dataclass(frozen=True)
class Finding:
    """One measure of one way, over all sequences.

    Attributes:
        way: how the frames are made.
        measure: a name in `MEASURES`.
        value: geometric mean.
        over_decoder: over that of encoder and decoder alone, geometric mean with its interval.
        over_each: the same over that of frames each by itself; None for the references.
        least: of the ratios to the decoder.
        most: of the ratios to the decoder.
    """

    way: Way
    measure: str
    value: float
    over_decoder: Estimate
    over_each: Estimate | None
    least: float
    most: float

    def row(self) -> dict[str, object]:
        """For tables: flat."""
        each = self.over_each or Estimate(None, None, None)
        return {
            "preset": self.way.preset,
            "method": self.way.method,
            "sharing": self.way.sharing,
            "measure": self.measure,
            "value": self.value,
            "over_decoder": self.over_decoder.mean,
            "over_decoder_low": self.over_decoder.low,
            "over_decoder_high": self.over_decoder.high,
            "over_decoder_least": self.least,
            "over_decoder_most": self.most,
            "over_each": each.mean,
            "over_each_low": each.low,
            "over_each_high": each.high,
        }


def findings(definition: Flicker, scenes: Sequence[Scene], measured: Measured) -> dict[tuple[Way, str], Finding]:
    """Of every way and measure but those of the frames as they are, which have a gate of no preset to compare with."""
    found = {}
    for way in ways(definition):
        if not way.preset:
            continue
        own, alone = (_logarithms(scenes, measured, which) for which in (way, way.decoder))
        over_decoder = geometric(own - alone, scenes)
        over_each: Sequence[Estimate | None] = [None] * len(MEASURES)
        if way.method and "each" in definition.sharing:
            each = _logarithms(scenes, measured, Way(way.preset, way.method, "each"))
            over_each = geometric(own - each, scenes)
        for column, measure in enumerate(MEASURES):
            found[way, measure] = Finding(
                way,
                measure,
                math.exp(own[:, column].mean()),
                over_decoder[column],
                over_each[column],
                math.exp((own - alone)[:, column].min()),
                math.exp((own - alone)[:, column].max()),
            )
    return found


def geometric(logarithms: Floats, scenes: Sequence[Scene]) -> list[Estimate]:
    """The geometric mean of each column, whose logarithms are given, and its interval.

    Args:
        logarithms: (scenes, columns).
        scenes: whose they are.
    """
    return [
        Estimate(*(None if value is None else math.exp(value) for value in (each.mean, each.low, each.high)))
        for each in estimates(logarithms, [scene.pair for scene in scenes])
    ]


def _logarithms(scenes: Sequence[Scene], measured: Measured, way: Way) -> Floats:
    """(scenes, measures)."""
    values = [[measured[scene, way][measure] for measure in MEASURES] for scene in scenes]
    logarithms: Floats = np.log(np.maximum(np.array(values), _LEAST))
    return logarithms
