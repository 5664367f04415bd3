"""Frames in memory, stylized with statistics in common, in a window, or each by itself."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ift import Settings, Style, Stylizer
from ift.box import Box
from ift.parts import InMemory, Picture
from ift.parts.in_parts import stylize_in_parts
from ift.parts.scratch import Scratch
from jobs.experiments.flicker import Sharing


def stylized(
    model: Stylizer, frames: Sequence[Tensor], style: Style, settings: Settings, sharing: Sharing
) -> list[Tensor]:
    """The frames in a style.

    Args:
        model: the networks.
        frames: (3, H, W) each, in their order.
        style: for all of them.
        settings: all but NST.
        sharing: what they have in common.

    Returns:
        (3, H, W) float32 on the CPU each; not rounded to 8 bits, which would be a flicker of its own.

    Raises:
        SettingsError: the method works on whole pictures only.
        DivergenceError: the fixed step did not lower the objective.
    """
    results = [torch.empty_like(frame) for frame in frames]
    pictures = [
        Picture(InMemory(frame), partial(_write, result)) for frame, result in zip(frames, results, strict=True)
    ]
    with tempfile.TemporaryDirectory(prefix="flicker-") as folder:
        stylize_in_parts(
            model, pictures, style, settings, Scratch(Path(folder)), reach=sharing.reach, phases=sharing.phases
        )
    return results


def _write(result: Tensor, box: Box, pixels: Tensor) -> None:
    rows, columns = box.slices
    result[:, rows, columns] = pixels.cpu()
