"""Recipes of training: stages, each with the blocks it trains, on what, and how fast."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from ift.training.losses import LossWeights

_LEAST = 0.02


@dataclass(frozen=True)
class Stage:
    """A part of the training that changes nothing but the learning rate.

    Attributes:
        name: for people.
        blocks: of the decoder, whose weights are trained; the others stay as they are.
        levels: (N, chance) of the autoencoders; one is drawn for each step.
        crop: side of the square pictures, in pixels.
        batch: pictures a step, of all workers together.
        learning_rate: the highest.
        steps: how many; None where `epochs` says.
        epochs: how many times each photo is seen.
        recoloured: share of the pictures whose colours are changed (`recolouring`).
        gates: whether the skips' gate is drawn at random; it is 0 if not.
        terms: of the loss, by level; None for eq. 28 alone.
        average: decay of the moving average of the weights, which is the stage's result; None for its last weights.
    """

    name: str
    blocks: tuple[int, ...]
    levels: tuple[tuple[int, float], ...]
    crop: int
    batch: int
    learning_rate: float
    steps: int | None = None
    epochs: float | None = None
    recoloured: float = 0
    gates: bool = True
    terms: Mapping[int, LossWeights] | None = None
    average: float | None = None


@dataclass(frozen=True)
class Recipe:
    """How a decoder is trained.

    Attributes:
        name: by which it is asked for.
        stages: one after the other.
        square: photos are resized to a square of this side, as the paper's are; None to keep their shape.
        shorter: photos are shrunk until their shorter side is this long; None for their own size.
        betas: of Adam.
        whitened: Adam steps where the inputs are white (`whitening`).
        clip: longest gradient; None for any.
        cosine: whether the learning rate falls along a cosine, to a fiftieth; it stays if not.
        warm_up: steps in which it rises, at the start of each stage.
        first_block: block 1 is the least-squares solution, where training begins from scratch.
    """

    name: str
    stages: tuple[Stage, ...]
    square: int | None = None
    shorter: int | None = None
    betas: tuple[float, float] = (0.9, 0.999)
    whitened: bool = False
    clip: float | None = None
    cosine: bool = False
    warm_up: int = 0
    first_block: bool = False

    def learning_rate(self, stage: Stage, step: int, length: int) -> float:
        """Of a stage's step, counted from 0, of `length`."""
        rate = stage.learning_rate * min(1.0, (step + 1) / (self.warm_up + 1))
        if not self.cosine:
            return rate
        return rate * (_LEAST + (1 - _LEAST) * (1 + math.cos(math.pi * step / length)) / 2)


PAPER = Recipe(
    name="paper",
    stages=tuple(
        Stage(
            name=f"decoder_{level}",
            blocks=(level,),
            levels=((level, 1.0),),
            crop=256,
            batch=8,
            learning_rate=1e-4,
            epochs=epochs,
            gates=False,
        )
        for level, epochs in ((1, 3), (2, 3), (3, 5), (4, 5))
    ),
    square=512,
)
"""Section 2 of the supplement: eq. 28, 512 × 512, crops of 256, batches of 8, Adam at 1e-4. decoder_N there has weights
of its own; here it is block N before decoder_(N-1), which is trained first and then stays."""

_BLOCK_2 = LossWeights(
    image=400, image_open=300, coarse=60, colour=500, feature=1, lower_features=0.1, estimates=0.3, moments=2
)
_BLOCK_3 = replace(_BLOCK_2, image=150, colour=2000, estimates=0.1, moments=20)
_BLOCK_4 = replace(_BLOCK_2, image=30, image_open=600, colour=600, moments=5)

_ALL_BLOCKS = {
    2: replace(_BLOCK_2, lattice=5000, moments=6),
    3: replace(_BLOCK_3, image=300, lattice=5000, feature=0.8, moments=60),
    4: replace(_BLOCK_4, image=60, image_open=1000, lattice=5000, moments=10),
}

_OTHER_COLOURS = {
    2: replace(_ALL_BLOCKS[2], moments=0, moment_errors=0.5),
    3: replace(_ALL_BLOCKS[3], moments=0, moment_errors=10),
    4: replace(_ALL_BLOCKS[4], moments=0, moment_errors=2),
}

QUICK = Recipe(
    name="quick",
    stages=(
        Stage(
            name="block 2",
            blocks=(2,),
            levels=((2, 1.0),),
            crop=96,
            batch=12,
            learning_rate=3e-3,
            steps=500,
            terms={2: _BLOCK_2},
            average=0.99,
        ),
        Stage(
            name="block 3",
            blocks=(3,),
            levels=((3, 1.0),),
            crop=112,
            batch=8,
            learning_rate=1.5e-3,
            steps=1000,
            terms={3: _BLOCK_3},
            average=0.99,
        ),
        Stage(
            name="block 4",
            blocks=(4,),
            levels=((4, 1.0),),
            crop=128,
            batch=8,
            learning_rate=6e-4,
            steps=3000,
            terms={4: _BLOCK_4},
            average=0.99,
        ),
    ),
    shorter=320,
    betas=(0.9, 0.99),
    whitened=True,
    clip=5,
    cosine=True,
    warm_up=60,
    first_block=True,
)
"""For two CPU cores, in two hours. A block is trained once the ones below it are done, which takes a fraction of the
time, for in so few steps what the deeper levels ask of it would disturb it; the gate is drawn at random, so that one
decoder does both presets."""

_LONG = Stage(
    name="all blocks",
    blocks=(2, 3, 4),
    levels=((2, 0.1), (3, 0.5), (4, 0.4)),
    crop=256,
    batch=12,
    learning_rate=1e-3,
    steps=96_000,
    terms=_ALL_BLOCKS,
    average=0.999,
)

DEFAULT = replace(
    QUICK,
    name="default",
    stages=(
        *QUICK.stages,
        _LONG,
        replace(_LONG, name="other colours", steps=49_000, recoloured=0.4, terms=_OTHER_COLOURS),
    ),
)
"""The project's own, for a GPU: `QUICK`, then all blocks at once, for long, at last with pictures in other colours
(docs/training.md has what that gains)."""

RECIPES = {recipe.name: recipe for recipe in (DEFAULT, QUICK, PAPER)}


def schedule(recipe: Recipe, photos: int, steps: int | None = None) -> tuple[int, ...]:
    """How many steps each stage takes, at least one.

    Args:
        recipe: whose stages they are.
        photos: how many there are.
        steps: of all stages together, in the proportions of the recipe; as the recipe says, if not given.
    """
    lengths = [stage.steps or math.ceil((stage.epochs or 1) * photos / stage.batch) for stage in recipe.stages]
    if steps is None:
        return tuple(lengths)
    ends = [round(steps * sum(lengths[: number + 1]) / sum(lengths)) for number in range(len(lengths))]
    shares = [max(1, end - start) for start, end in zip([0, *ends], ends, strict=False)]
    return (*shares[:-1], max(1, steps - sum(shares[:-1])))


def stage_at(lengths: Sequence[int], step: int) -> tuple[int, int]:
    """The stage that a step belongs to: the step at which it begins, and its number; the last one when all is done.

    Args:
        lengths: of the stages, as `schedule` gives them.
        step: counted over all stages, from 0.
    """
    ends = list(accumulate(lengths))
    number = next((number for number, end in enumerate(ends) if step < end), len(ends) - 1)
    return ends[number] - lengths[number], number
