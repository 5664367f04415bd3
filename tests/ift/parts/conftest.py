"""What the tests of parts share: pictures in memory, and results put together from what was written."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ift.box import Box
from ift.content_mask import Mask
from ift.parts import InMemory, Picture
from ift.parts.in_parts import stylize_in_parts
from ift.parts.scratch import Scratch


@dataclass
class Canvas:
    """Takes results, and sees that each pixel comes once."""

    tensor: Tensor

    def write(self, box: Box, pixels: Tensor) -> None:
        rows, columns = box.slices
        assert self.tensor[:, rows, columns].isnan().all()
        self.tensor[:, rows, columns] = pixels


@pytest.fixture
def in_parts(model, tmp_path) -> Callable[..., list[Tensor]]:
    """A function from pictures, style and settings to results, as `stylize_in_parts`; `errors` gets what it returns."""

    def run(pictures, style, settings, *, masks=None, room=None, folder: Path | None = None, errors=None, **how):
        canvases = [Canvas(torch.full_like(picture, torch.nan)) for picture in pictures]
        masks = masks or [None] * len(pictures)
        group = [
            Picture(InMemory(picture), canvas.write, None if mask is None else Mask(mask, *picture.shape[1:]))
            for picture, canvas, mask in zip(pictures, canvases, masks, strict=True)
        ]
        found = stylize_in_parts(model, group, style, settings, Scratch(folder or tmp_path / "scratch", room), **how)
        (errors if errors is not None else {}).update(found)
        assert not any(canvas.tensor.isnan().any() for canvas in canvases)
        return [canvas.tensor for canvas in canvases]

    return run
