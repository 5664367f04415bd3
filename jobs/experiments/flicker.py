"""Whether frames that share their statistics flicker less than frames stylized one by one, on motion that is known."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ift import Settings
from ift.metrics.luma import luma
from jobs.experiments.flicker_camera import Motion
from jobs.experiments.flicker_measures import MEASURES
from jobs.experiments.interval import Estimate, Floats, estimates
from jobs.experiments.pairs import Pair, crossed

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

RAW, DECODER = "raw", "decoder"
"""The references: the frames as they are, and the frames through encoder and decoder alone."""

_LEAST = 1e-6
"""Below all that 8 bits can show: what is less, such as the flicker of a still camera, has no logarithm."""


@dataclass(frozen=True)
class Flicker:
    """What is varied and what is fixed.

    Attributes:
        methods: varied: all that are an affine map.
        presets: varied.
        sharing: varied: how many frames before and after one share its statistics, by name; None for all.
        motions: a sequence for each.
        frames: of a sequence.
        resolution: longer side of a frame and of the style, in pixels.
        long_step: how many frames on the longer comparison is.
        margin: pixels from the borders that are left out.
        seed: of the choice of pairs.
    """

    methods: tuple[str, ...] = ("ift", "wct", "ost", "adain")
    presets: tuple[str, ...] = ("artistic", "photo")
    sharing: Mapping[str, int | None] = field(default_factory=lambda: {"group": None, "window": 2, "each": 0})
    motions: tuple[Motion, ...] = MOTIONS
    frames: int = 8
    resolution: int = 256
    long_step: int = 4
    margin: int = 16
    seed: int = 0

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) of a frame in pixels: 4:3, and multiples of 8, so that none of it is padding."""
        return round(self.resolution * 3 / 32) * 8, round(self.resolution / 8) * 8


@dataclass(frozen=True)
class Sequence_:
    """A still, the style and how the camera moves over the still."""

    pair: Pair
    motion: Motion

    @property
    def name(self) -> str:
        """Of all three, for people."""
        return f"{self.pair.name}, {self.motion.name}"
