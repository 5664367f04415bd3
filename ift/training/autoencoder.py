"""The four autoencoders as training sees them: encode to relu N_1, decode from it, no transformation between."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from ift.decoder import Decoder
from ift.encoder import Encoder


@dataclass(frozen=True)
class Encoding:
    """What the encoder makes of a batch of pictures.

    Attributes:
        features: at relu1_1 … relu N_1, (B, C, H, W) each.
        skips: of stages 1 … N, what max pooling threw away; None for stage 1, which pools nothing, and wherever it was
            not asked for.
    """

    features: tuple[Tensor, ...]
    skips: tuple[Tensor | None, ...]

    @property
    def level(self) -> int:
        """N."""
        return len(self.features)


def encode(encoder: Encoder, images: Tensor, level: int, with_skips: bool = False) -> Encoding:
    """φ_N of the supplement, with the features on the way.

    Args:
        encoder: its precision is that of the features.
        images: (B, 3, H, W) RGB in [0, 1], H and W multiples of 2^(N-1).
        level: N, 1 to 4.
        with_skips: keep what max pooling throws away.
    """
    features, skips = [], []
    x = images.to(next(encoder.parameters()).dtype)
    for stage in range(1, level + 1):
        x, skip = encoder.stage(stage, x, with_skips and stage > 1)
        features.append(x)
        skips.append(skip)
    return Encoding(tuple(features), tuple(skips))


@dataclass(frozen=True)
class Reconstruction:
    """What the decoder makes of an encoding.

    Attributes:
        images: (B, 3, H, W) RGB, not clamped.
        features: its estimates of the features at relu1_1 … relu(N-1)_1 on the way.
    """

    images: Tensor
    features: tuple[Tensor, ...]


class Reconstruct(nn.Module):
    """ψ_N: blocks N … 1 composed. A module of its own, for data-parallel training to wrap."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, encoding: Encoding, level: int, gate: float) -> Reconstruction:
        """From relu N_1 to pictures.

        Args:
            encoding: with skips, if `gate` is above 0.
            level: N, up to the encoding's.
            gate: share of the skips that is added, 0 to 1.
        """
        x, estimates = encoding.features[level - 1], []
        for block in range(level, 0, -1):
            x = self.decoder.block(block, x, encoding.skips[block - 1] if gate > 0 else None, gate)
            estimates.append(x)
        return Reconstruction(x, tuple(reversed(estimates[:-1])))
