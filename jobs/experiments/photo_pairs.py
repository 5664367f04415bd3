"""The supplement's photo-realistic analysis: 30 pairs, no masks, no post-processing, n_upd 15, n_iter 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from jobs.experiments.pairs import Pair
from jobs.experiments.trials import Trial
from jobs.manifest.recipes import stem

MEASURES = ("ssim", "edge_ssim", "content_distance", "gram_distance", "mean_std_distance", "feature_frechet")
"""What is looked at: the first three of the content, the others of the style."""

_AS_PUBLISHED = {
    "method": "ift", "solver": "fixed_step", "centred": False, "eta": 0.01, "lambda": [1e4, 1e4, 1e3, 1e2],
    "n_upd": [10, 10, 10, 5],
}  # fmt: skip
"""The authors' released settings; where their step diverges, the trial fails."""


@dataclass(frozen=True)
class PhotoPairs:
    """What is varied and what is fixed.

    Attributes:
        methods: varied: columns of the manifest, by the name of the line; the others are compared with the first.
        n_upd: of lines that say nothing else.
        n_iter: how often the whole is repeated.
        preset: which lets the content's fine detail past the decoder.
        pairs: how many.
        resolution: longer side in pixels.
        seed: of the choice of pairs.
    """

    methods: Mapping[str, Mapping[str, object]] = field(
        default_factory=lambda: MappingProxyType(
            {**{name: {"method": name} for name in ("ift", "wct", "ost", "adain")}, "paper": _AS_PUBLISHED}
        )
    )
    n_upd: int = 15
    n_iter: int = 1
    preset: str = "photo"
    pairs: int = 30
    resolution: int = 512
    seed: int = 0


def trials(definition: PhotoPairs, pairs: Sequence[Pair]) -> list[Trial]:
    """Each pair by each method."""
    fixed = {"n_upd": definition.n_upd, "n_iter": definition.n_iter}
    return [
        Trial(
            trial_id(number, pair, name),
            pair.content,
            (pair.style,),
            definition.preset,
            definition.resolution,
            {**fixed, **knobs},
        )
        for number, pair in enumerate(pairs)
        for name, knobs in definition.methods.items()
    ]


def trial_id(number: int, pair: Pair, method: str) -> str:
    """Of a pair by a method."""
    return f"{number:03d}-{stem(str(pair.content))}-{stem(str(pair.style))}-{method}"
