"""Whether frames that share their statistics flicker less than frames stylized one by one, on motion that is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ift import Settings
from jobs.experiments.flicker_camera import Motion
from jobs.experiments.pairs import Pair, crossed

BAR = 1.1
"""Frames of a group may have this much of the decoder's own warping error."""

MOTIONS = (
    Motion("pan right", right=2.3, down=0.7),
    Motion("zoom in", zoom=0.99),
    Motion("pan left", right=-1.6, down=0.4),
    Motion("zoom out", right=0.3, zoom=1.012),
    Motion("pan up", right=0.45, down=-2.85),
    Motion("wide pan", right=13.3),
)
"""By no multiple of the 8 pixels by which the networks can follow a shift exactly. The last one is for the still that
differs most from left to right: what enters and leaves changes the statistics of single frames."""


@dataclass(frozen=True)
class Sharing:
    """What frames have in common.

    Attributes:
        reach: how many frames before and after one share its map; None for all, 0 for each by itself.
        phases: of the networks' lattice, over which each frame is averaged.
    """

    reach: int | None
    phases: int = 1


@dataclass(frozen=True)
class Flicker:
    """What is varied and what is fixed.

    Attributes:
        methods: varied: all that are an affine map.
        presets: varied.
        sharing: varied: what frames have in common, by name.
        motions: a sequence for each.
        frames: of a sequence.
        resolution: longer side of a frame and of the style, in pixels.
        long_step: how many frames on the longer comparison is.
        margin: pixels from the borders that are left out.
        seed: of the choice of pairs.
    """

    methods: tuple[str, ...] = ("ift", "wct", "ost", "adain")
    presets: tuple[str, ...] = ("artistic", "photo")
    sharing: Mapping[str, Sharing] = field(
        default_factory=lambda: {
            "group": Sharing(None),
            "phases": Sharing(None, phases=4),
            "window": Sharing(2),
            "each": Sharing(0),
        }
    )
    motions: tuple[Motion, ...] = MOTIONS
    frames: int = 6
    resolution: int = 256
    long_step: int = 4
    margin: int = 16
    seed: int = 0

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) of a frame in pixels: 4:3, and multiples of 8, so that none of it is padding."""
        return round(self.resolution * 3 / 32) * 8, round(self.resolution / 8) * 8


@dataclass(frozen=True)
class Scene:
    """A still, its style, and how the camera moves over the still."""

    pair: Pair
    motion: Motion

    @property
    def name(self) -> str:
        """Of all three, for people."""
        return f"{self.pair.name}, {self.motion.name}"


@dataclass(frozen=True)
class Way:
    """How frames are made.

    Attributes:
        preset: which decides the gate; empty for the frames as they are.
        method: of all levels; empty for encoder and decoder alone, which is what the others are compared with.
        sharing: a name in `Flicker.sharing`; empty where there are no statistics to share.
    """

    preset: str = ""
    method: str = ""
    sharing: str = ""

    @property
    def decoder(self) -> Way:
        """The reference with the same gate."""
        return Way(self.preset)

    @property
    def settings(self) -> Settings | None:
        """What the model is told; None for the frames as they are."""
        if not self.preset:
            return None
        if not self.method:
            return Settings.from_options(self.preset, n_upd=0)
        return Settings.from_options(self.preset, method=self.method)


def ways(definition: Flicker) -> Iterator[Way]:
    """The references first."""
    yield Way()
    for preset in definition.presets:
        yield Way(preset)
        for method in definition.methods:
            for sharing in definition.sharing:
                yield Way(preset, method, sharing)


def scenes(
    definition: Flicker, contents: Sequence[Path], styles: Sequence[Path], unevenness: Callable[[Path], float]
) -> list[Scene]:
    """A pair for each motion; the last motion gets the content that is least even.

    Args:
        definition: which motions, and the seed of the pairs.
        contents: stills.
        styles: pictures.
        unevenness: how much a still differs from left to right.
    """
    motions = definition.motions
    pairs = crossed(contents, styles, len(motions), definition.seed)
    uneven = max(pairs, key=lambda pair: unevenness(pair.content))
    pairs.append(pairs.pop(pairs.index(uneven)))
    return [Scene(pair, motion) for pair, motion in zip(pairs, motions[-len(pairs) :], strict=True)]
