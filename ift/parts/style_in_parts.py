"""A style from a picture of any size, in parts: its moments add up."""

from __future__ import annotations

import torch

from ift.content_mask import Mask
from ift.journey import Networks
from ift.moments import Moments
from ift.parts.grid import Pixels, window_of
from ift.regions import Regions
from ift.settings import LEVELS
from ift.steps import encoder_reach
from ift.style import Style, StylePicture
from ift.tallies import pool
from ift.tiling import parts_of


@torch.inference_mode()
def style_in_parts(model: Networks, pixels: Pixels, tile: int | None, labels: Mask | int | None = None) -> Style:
    """What `Stylizer.style` makes of a picture, without patches, in constant memory.

    Args:
        model: the networks.
        pixels: of the picture.
        tile: the longest side of a part, a multiple of 8; None for one part.
        labels: the picture's mask; one integer, where the whole picture is the style of that label; or None.

    Raises:
        SettingsError: the tile does not fit.
        ImageError: the picture cannot be read.
    """
    mask = labels if isinstance(labels, Mask) else None
    names = tuple(sorted(int(label) for label in mask.areas())) if mask else None
    totals: list[Moments] = []
    for part in parts_of(pixels.height, pixels.width, tile, encoder_reach()):
        x = window_of(pixels, part).unsqueeze(0).to(model.device, model.dtype)
        x = x.contiguous(memory_format=torch.channels_last)
        regions = Regions.in_box(mask, part.core, names) if mask and names else None
        counted = []
        for level in range(1, len(LEVELS) + 1):
            x, _ = model.encoder.stage(level, x)
            core = part.core.seen_from(part.window).over(2 ** (level - 1))
            rows, columns = core.slices
            cut = x[..., rows, columns]
            counted.append(regions.moments(cut, level, names) if regions and names else Moments.of(cut))
        totals = [pool(both) for both in zip(totals, counted, strict=True)] if totals else counted
    names = (labels,) if isinstance(labels, int) else names
    return Style((StylePicture(tuple(totals), names),))
