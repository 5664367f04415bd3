"""Block 1 in closed form: the linear least-squares map from relu1_1 back to the picture."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional

from ift.encoder import CHANNELS, Encoder
from ift.reflection import reflect

_INPUTS = 9 * CHANNELS[0]
_RIDGE = 1e-5
"""It costs nothing in float32 and gains 0.1 dB in bfloat16, whose rounding large weights of
opposite signs would amplify; ten times as much costs 0.1 dB."""

_AT_ONCE = 1 << 14
"""Pixels that are multiplied at a time: 75 MB of patches in float64."""


@torch.no_grad()
def solve_first_block(encoder: Encoder, images: Iterable[Tensor], ridge: float = _RIDGE) -> tuple[Tensor, Tensor]:
    """W and b that minimise Σ ‖W f + b − rgb‖² / n + ρ‖W‖² over all n pixels, f the 3×3 patch of relu1_1 around each.

    Streams: of the photos, only the normal equations are kept, in float64, for the patches are nearly collinear.

    Args:
        encoder: its precision is that of the features.
        images: (3, H, W) or (B, 3, H, W) RGB in [0, 1], H and W at least 2.
        ridge: ρ, as a share of the mean squared input.

    Returns:
        (3, 64, 3, 3) and (3,) float32, on the CPU; `ReflectConv`'s weight and bias.

    Raises:
        ValueError: there is no image.
    """
    first = next(encoder.parameters())
    # One input more, constantly 1, stands for the bias.
    gram = torch.zeros(_INPUTS + 1, _INPUTS + 1, dtype=torch.float64, device=first.device)
    moment = torch.zeros(_INPUTS + 1, 3, dtype=torch.float64, device=first.device)
    for image in images:
        batch = (image if image.dim() == 4 else image.unsqueeze(0)).to(first.device)
        features, _ = encoder.stage(1, batch.to(first.dtype).contiguous(memory_format=torch.channels_last))
        padded = reflect(features)
        height, width = batch.shape[-2:]
        rows = max(1, _AT_ONCE // (width * len(batch)))
        for top in range(0, height, rows):
            strip = padded[:, :, top : min(top + rows, height) + 2].double()
            patches = functional.unfold(strip, 3).transpose(0, 1).flatten(1)
            patches = torch.cat([patches, patches.new_ones(1, patches.shape[1])])
            wanted = batch[:, :, top : top + rows].double().transpose(0, 1).flatten(1)
            gram.addmm_(patches, patches.T)
            moment.addmm_(patches, wanted.T)
    pixels = gram[-1, -1].item()
    if not pixels:
        raise ValueError("block 1 is fitted to at least one picture")
    gram.diagonal()[:-1] += ridge * gram.diagonal()[:-1].mean()
    solution = torch.linalg.solve(gram, moment).T.float().cpu()
    return solution[:, :-1].reshape(3, CHANNELS[0], 3, 3).contiguous(), solution[:, -1].contiguous()
