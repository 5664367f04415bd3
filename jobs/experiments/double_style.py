"""Two styles in one picture, by every method: how much of each is left (the supplement's section 4)."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ift import Style, Stylizer
from ift.moments import Moments, mix
from ift.settings import METHODS
from ift.transformations.rounding import trace
from jobs.experiments.trials import Trial
from jobs.manifest.recipes import stem

STYLE_PAIRS = (("starry", "stained_glass"), ("woodblock", "pointillism"), ("ink", "fauve"))
"""Painted styles that differ strongly."""

SLOW = "nst"


@dataclass(frozen=True)
class DoubleStyle:
    """What is varied and what is fixed.

    Attributes:
        methods: varied.
        preset: of all settings but the method.
        resolution: longer side in pixels.
        nst_steps: of NST, where it is among the methods.
    """

    methods: tuple[str, ...] = tuple(name for name in METHODS if name != SLOW)
    preset: str = "artistic"
    resolution: int = 384
    nst_steps: int = 100


class StylePair(NamedTuple):
    """Two styles that are to meet, half and half."""

    first: Path
    second: Path

    @property
    def name(self) -> str:
        """As it stands in ids and file names."""
        return f"{stem(str(self.first))}_{stem(str(self.second))}"


class Remains(NamedTuple):
    """What is left of two styles in a picture.

    Attributes:
        to_first: the Gram distance ‖G − S‖/‖S‖ to the first style, the mean over the four levels.
        to_second: the same to the second.
        to_mixture: the same to the mean of both.
        variance: the trace of the picture's covariance over that of the mixture, the mean over the levels: below 1,
            what is shown is weaker than either.
    """

    to_first: float
    to_second: float
    to_mixture: float
    variance: float


def style_pairs(paths: Sequence[Path], *, own: bool) -> list[StylePair]:
    """Every two of the user's own styles that follow; of the demo's those in `STYLE_PAIRS`."""
    if own:
        return [StylePair(*two) for two in zip(paths[::2], paths[1::2], strict=False)]
    named = {path.stem: path for path in paths}
    return [StylePair(named[first], named[second]) for first, second in STYLE_PAIRS]


def trials(definition: DoubleStyle, contents: Sequence[Path], pairs: Sequence[StylePair]) -> list[Trial]:
    """Each content in each two styles by each method."""
    return [
        Trial(
            trial_id(number, content, pair, method),
            content,
            tuple(pair),
            definition.preset,
            definition.resolution,
            {"method": method, **({"nst_steps": definition.nst_steps} if method == SLOW else {})},
        )
        for pair in pairs
        for number, content in enumerate(contents)
        for method in definition.methods
    ]


def trial_id(number: int, content: Path, pair: StylePair, method: str) -> str:
    """Of a content, the number of which tells it from others of its name."""
    return f"{number:03d}-{stem(str(content))}-{pair.name}-{method}"


def remains(model: Stylizer, result: Tensor, styles: Sequence[Style]) -> Remains:
    """What is left of two styles.

    Args:
        model: of the encoder.
        result: (3, H, W) in [0, 1].
        styles: two, of one picture each.
    """
    own = model.style(result).pictures[0].moments
    first, second = (style.pictures[0].moments for style in styles)
    mixture = tuple(mix(level, torch.ones(2)) for level in zip(first, second, strict=True))
    spread = [float(trace(a.covariance) / trace(b.covariance)) for a, b in zip(own, mixture, strict=True)]
    return Remains(
        _gram_distance(own, first), _gram_distance(own, second), _gram_distance(own, mixture), statistics.mean(spread)
    )


def _gram_distance(ours: tuple[Moments, ...], theirs: tuple[Moments, ...]) -> float:
    return statistics.mean(
        float((a.second_moment - b.second_moment).norm() / b.second_moment.norm())
        for a, b in zip(ours, theirs, strict=True)
    )
