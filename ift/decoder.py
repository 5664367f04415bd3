"""The decoder: four blocks, each inverting one stage of the encoder, with a gate on the skips."""

from __future__ import annotations

from torch import Tensor, nn

from ift.encoder import CHANNELS
from ift.network_shape import BODY
from ift.reflect_conv import ReflectConv
from ift.upsampling import upsample


class Block(nn.Module):
    """Block N, 2 to 4: features at relu N_1 to an estimate of those at relu(N-1)_1."""

    def __init__(self, level: int) -> None:
        super().__init__()
        channels_in, channels_out = CHANNELS[level - 1], CHANNELS[level - 2]
        self.conv_in = ReflectConv(channels_in, channels_out)
        self.body = nn.ModuleList(ReflectConv(channels_out, channels_out) for _ in range(BODY[level]))

    def forward(self, features: Tensor, skip: Tensor | None, gate: float) -> Tensor:
        """(B, C, H, W) to (B, C/2, 2H, 2W); `skip` has the size of the result."""
        held = [features]
        del features
        narrow = self.conv_in.take(held)
        held.append(upsample(narrow, skip, gate))
        del narrow, skip
        for convolution in self.body:
            held.append(convolution.take(held))  # type: ignore[operator]
        return held.pop()


class FirstBlock(nn.Module):
    """Block 1: features at relu1_1 to RGB; linear, the least-squares solution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = ReflectConv(CHANNELS[0], 3, relu=False)

    def forward(self, features: Tensor) -> Tensor:
        """(B, 64, H, W) to (B, 3, H, W)."""
        rgb: Tensor = self.conv(features)
        return rgb


class Decoder(nn.Module):
    """The paper's decoder_N is block N, …, block 1 composed; all four autoencoders share these weights."""

    def __init__(self) -> None:
        super().__init__()
        self.block1 = FirstBlock()
        self.block2 = Block(2)
        self.block3 = Block(3)
        self.block4 = Block(4)

    def block(self, level: int, features: Tensor, skip: Tensor | None = None, gate: float = 0.0) -> Tensor:
        """One step down: relu N_1 to relu(N-1)_1, or to RGB (not clamped) for N = 1.

        Args:
            level: N, 1 to 4.
            features: (B, C, H, W) at relu N_1.
            skip: what pooling threw away in the encoder's stage N, or None.
            gate: share of the skip that is added, 0 to 1.
        """
        result: Tensor
        result = self.block1(features) if level == 1 else getattr(self, f"block{level}")(features, skip, gate)
        return result
