"""Of all weights that do the same on photos, the smallest.

Adam where the inputs are white moves a convolution along every direction of its inputs alike, and nothing brings back
what has grown along those that photos hardly have: after a long training most of block 4's weights are of this kind.
Photos never tell, but a stylized picture's features do have such directions, and so has rounding, which these weights
enlarge. The ridge regression of each convolution on its own outputs leaves them out:

    W′ = argmin E‖(W′ − W) x‖² + ρ m ‖W′‖² = W M (M + ρ m I)⁻¹,    M = E x xᵀ of the patches x, m their mean square
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, islice

import torch
from torch import Tensor

from ift.decoder import Decoder
from ift.encoder import Encoder
from ift.reflect_conv import ReflectConv
from ift.training.autoencoder import Reconstruct, encode
from ift.training.watching import watched

RIDGE = 1e-5
"""ρ: it makes block 4's last weights five times smaller for 0.1 dB with the gate open, and for next to nothing with it
closed; ten times as much costs 0.3 dB and gains little."""

_DECODED = ((4, 0.0), (4, 1.0), (3, 0.0), (2, 0.0))
_LEAST = 16
_PATCHES = 1200
"""Of each photo, each time that a convolution runs."""


@torch.no_grad()
def shrink(encoder: Encoder, decoder: Decoder, images: Iterable[Tensor], ridge: float = RIDGE) -> int:
    """Shrinks blocks 2 to 4 in place; block 1 is a ridge regression already.

    Args:
        encoder: its precision is that in which photos are encoded.
        decoder: float32.
        images: (3, H, W) RGB in [0, 1], H and W multiples of 8, at least 16; a block has up to 4,609 unknowns for each
            output, for which forty images make patches enough.
        ridge: ρ; the bias is free.

    Returns:
        How many images there were.

    Raises:
        ValueError: there are fewer than 16.
    """
    following = iter(images)
    first = list(islice(following, _LEAST))
    if len(first) < _LEAST:
        raise ValueError(f"{len(first)} images are too few to shrink the weights on: give {_LEAST} at least")
    convolutions = {
        name: module
        for name, module in decoder.named_modules()
        if isinstance(module, ReflectConv) and not name.startswith("block1.")
    }
    sums: dict[str, Tensor] = {}
    counts = dict.fromkeys(convolutions, 0)
    generator = torch.Generator().manual_seed(0)

    def record(name: str, padded: Tensor) -> None:
        # In float64: the ridge is smaller than what float32 rounds off the largest eigenvalue.
        patches = _patches(padded, generator).double()
        moment = patches.T @ patches
        sums[name] = sums[name] + moment if name in sums else moment
        counts[name] += len(patches)

    reconstruct = Reconstruct(decoder)
    weight = next(encoder.parameters())
    with watched(convolutions, record):
        for number, image in enumerate(chain(first, following), start=1):  # noqa: B007 (it is what is returned)
            placed = image.unsqueeze(0).to(weight.device, weight.dtype).contiguous(memory_format=torch.channels_last)
            encoding = encode(encoder, placed, 4, with_skips=True)
            with torch.autocast(weight.device.type, weight.dtype, enabled=weight.dtype != torch.float32):
                for level, gate in _DECODED:
                    reconstruct(encoding, level, gate)
    for name, convolution in convolutions.items():
        _shrink(convolution, sums[name] / counts[name], ridge)
    return number


def _patches(padded: Tensor, generator: torch.Generator) -> Tensor:
    """(1, C, H + 2, W + 2) to (n, 9 C + 1) float32: patches at random places, each with a 1 for the bias."""
    rows, columns = (torch.randint(side - 2, (_PATCHES,), generator=generator) for side in padded.shape[2:])
    taps = [padded[0, :, rows + i, columns + j] for i in range(3) for j in range(3)]
    flat = torch.stack(taps, -1).permute(1, 0, 2).flatten(1).float()
    return torch.cat([flat, flat.new_ones(len(flat), 1)], 1)


def _shrink(convolution: ReflectConv, moment: Tensor, ridge: float) -> None:
    """Args: moment: (9 C + 1, 9 C + 1) float64, the bias's 1 at its end."""
    assert convolution.bias is not None
    weight = torch.cat([convolution.weight.flatten(1), convolution.bias.unsqueeze(1)], 1).to(moment)
    penalty = torch.full((len(moment),), ridge * float(moment.diagonal()[:-1].mean()), dtype=moment.dtype)
    penalty[-1] = 0
    smaller = torch.linalg.solve(moment + torch.diag(penalty.to(moment)), moment @ weight.T).T
    convolution.weight.copy_(smaller[:, :-1].reshape(convolution.weight.shape))
    convolution.bias.copy_(smaller[:, -1])
