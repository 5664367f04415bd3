"""AdaIN on the model's networks with nothing that AdaIN could do without: means and deviations, no second moments."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ift import Stylizer
from ift.settings import LEVELS


def deviations(model: Stylizer, image: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Variance and mean of each channel, (1, C, 1, 1), at relu1_1 … relu4_1."""
    x, found = _batch_of(model, image), []
    for level in range(1, len(LEVELS) + 1):
        x, _ = model.encoder.stage(level, x)
        found.append(torch.var_mean(x, (2, 3), correction=0, keepdim=True))
    return found


def by_deviations(model: Stylizer, content: Tensor, style: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """AdaIN at each level on the way of the single pass, with nothing that AdaIN could do without.

    Args:
        model: whose networks are used.
        content: (3, H, W), H and W multiples of 8.
        style: what `deviations` gives.

    Returns:
        (1, 3, H, W) in [0, 1].
    """
    x = _batch_of(model, content)
    for level in range(1, len(LEVELS) + 1):
        x, _ = model.encoder.stage(level, x)
    for level in range(len(LEVELS), 0, -1):
        variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
        to, goal = style[level - 1]
        floor = 5e-4 * (variance.mean() + to.mean())
        scale = ((to + floor) / (variance + floor)).sqrt()
        x = model.decoder.block(level, torch.addcmul(goal - mean * scale, x, scale).relu_())
    return x.clamp(0, 1).float()


def _batch_of(model: Stylizer, image: Tensor) -> Tensor:
    return image.unsqueeze(0).to(model.device, model.dtype).contiguous(memory_format=torch.channels_last)
