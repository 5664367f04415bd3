"""What is drawn at random for each step, as a function of the seed and the step alone.

So a training that was killed and resumed sees what an unbroken one sees, and so do two workers and one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from torch import Tensor

from ift.training.recipe import Stage
from ift.training.recolouring import Recolouring, draw_recolouring

_ORDER, _STEP, _CALIBRATION = range(3)  # what a generator is for
_CALIBRATION_CROPS = 8


@dataclass(frozen=True)
class Crop:
    """A square out of a photo.

    Attributes:
        photo: its number.
        top: how far down, as a share of what there is, 0 to 1.
        left: the same to the right.
        mirrored: left for right.
        recolouring: of the square; None to leave its colours.
    """

    photo: int
    top: float
    left: float
    mirrored: bool
    recolouring: Recolouring | None = None


@dataclass(frozen=True)
class Draw:
    """A step's autoencoder and pictures.

    Attributes:
        level: N of decoder_N.
        gate: of the skips.
        crops: the whole batch, for all workers.
    """

    level: int
    gate: float
    crops: tuple[Crop, ...]


def draw(seed: int, step: int, first: int, stage: Stage, photos: int) -> Draw:
    """What step `step` trains on; the photos are gone through in an order that is shuffled anew for each pass.

    Args:
        seed: of the training.
        step: counted over all stages, from 0.
        first: the stage's first step.
        stage: it belongs to.
        photos: how many there are.
    """
    generator = np.random.default_rng([seed, _STEP, step])
    levels, chances = zip(*stage.levels, strict=True)
    level = int(generator.choice(levels, p=np.array(chances) / sum(chances)))
    gate = _gate(generator) if stage.gates else 0.0
    crops = []
    for place in range((step - first) * stage.batch, (step - first + 1) * stage.batch):
        order = _order(seed, first, place // photos, photos)
        crop = _crop(generator, int(order[place % photos]))
        if stage.recoloured and generator.random() < stage.recoloured:
            crop = replace(crop, recolouring=draw_recolouring(generator))
        crops.append(crop)
    return Draw(level, gate, tuple(crops))


def calibration(seed: int, stage: Stage, photos: int) -> tuple[Crop, ...]:
    """The pictures that a stage is calibrated on, the same for every worker."""
    generator = np.random.default_rng([seed, _CALIBRATION])
    return tuple(_crop(generator, int(generator.integers(photos))) for _ in range(max(_CALIBRATION_CROPS, stage.batch)))


def cut(photo: Tensor, crop: Crop, side: int) -> Tensor:
    """The square out of a photo: (3, H, W) of 8 bits, H and W at least `side`, to (3, side, side)."""
    _, height, width = photo.shape
    top, left = int(crop.top * (height - side + 1)), int(crop.left * (width - side + 1))
    square = photo[:, top : top + side, left : left + side]
    if crop.recolouring is not None:
        square = crop.recolouring(square)
    return square.flip(2) if crop.mirrored else square


def _gate(generator: np.random.Generator) -> float:
    """Closed half of the time, open in 3 of 10, else anything between."""
    which = generator.random()
    return 0.0 if which < 0.5 else 1.0 if which < 0.8 else float(generator.random())


def _crop(generator: np.random.Generator, photo: int) -> Crop:
    top, left, mirrored = generator.random(3)
    return Crop(photo, float(top), float(left), bool(mirrored < 0.5))


@lru_cache(maxsize=4)
def _order(seed: int, first: int, epoch: int, photos: int) -> np.ndarray:
    return np.random.default_rng([seed, _ORDER, first, epoch]).permutation(photos)
