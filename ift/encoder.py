"""The encoder: VGG-19 to relu4_1, normalised, in four stages that end at relu1_1 … relu4_1."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ift.reflect_conv import ReflectConv
from ift.vgg19 import CONVOLUTIONS, MEAN_BGR, Convolution

CHANNELS = (64, 128, 256, 512)
"""Channels at relu1_1 … relu4_1."""

_POOLED = ((), ("block1_conv2",), ("block2_conv2",), ("block3_conv2", "block3_conv3", "block3_conv4"))
"""The convolutions of each stage before max pooling, which the first has not."""

_LAST = ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1")
"""The convolution of each stage after it."""


class Encoder(nn.Module):
    """VGG-19 for RGB in [0, 1], each filter scaled so that its mean activation over training photos is 1.

    The published λ assume this normalisation. `stage(N, …)` goes from relu(N-1)_1, or the picture for N = 1,
    to relu N_1.
    """

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleDict({name: ReflectConv(*c) for name, c in CONVOLUTIONS.items()})

    def load(self, vgg19: Mapping[str, Convolution], scale: Mapping[str, Tensor]) -> None:
        """Takes the original weights, normalised.

        Args:
            vgg19: (weight, bias) per convolution, as `load_vgg19` gives them.
            scale: (C,) the mean activation of each filter, per convolution.
        """
        before = torch.ones(3)
        for name, (original, original_bias) in vgg19.items():
            weight = original * before.view(1, -1, 1, 1) / scale[name].view(-1, 1, 1, 1)
            bias = original_bias / scale[name]
            if name == "block1_conv1":
                # Reflection padding pads with picture values, so the mean can be taken into the bias exactly.
                bias = bias - (weight * torch.tensor(MEAN_BGR).view(1, 3, 1, 1)).sum((1, 2, 3))
                weight = weight.flip(1) * 255
            self.convolutions[name].load_state_dict({"weight": weight, "bias": bias})
            before = scale[name]

    def stage(self, level: int, x: Tensor, with_skip: bool = False) -> tuple[Tensor, Tensor | None]:
        """One stage of the encoder.

        Args:
            level: N, 1 to 4.
            x: (B, 3, H, W) RGB for N = 1, else the features at relu(N-1)_1. H and W even, at least 4, for N > 1.
            with_skip: also return what max pooling throws away.

        Returns:
            The features at relu N_1, and the skip (at relu1_2, relu2_2 or relu3_4) or None.
        """
        held, skip = [x], None
        del x
        if level > 1:
            pooled, skip = self._pooled(level, held, with_skip)
            held.append(pooled)
            del pooled
        features: Tensor = self.convolutions[_LAST[level - 1]].take(held)  # type: ignore[operator]
        return features, skip

    def skip(self, level: int, x: Tensor) -> Tensor:
        """The skip alone that `stage` gives with the features, for N > 1."""
        held = [x]
        del x
        _, skip = self._pooled(level, held, True)
        assert skip is not None
        return skip

    def _pooled(self, level: int, held: list[Tensor], with_lost: bool) -> tuple[Tensor, Tensor | None]:
        *before, last = (self.convolutions[name] for name in _POOLED[level - 1])
        for convolution in before:
            held.append(convolution.take(held))  # type: ignore[operator]
        pooled: tuple[Tensor, Tensor | None] = last.take_pooled(held, with_lost)  # type: ignore[operator]
        return pooled
