"""The encoder: VGG-19 to relu4_1, normalised, in four stages that end at relu1_1 … relu4_1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ift import winograd
from ift.fused import conv2d_relu
from ift.reflection import reflect
from ift.vgg19 import CONVOLUTIONS, MEAN_BGR, Convolution

CHANNELS = (64, 128, 256, 512)
"""Channels at relu1_1 … relu4_1."""

_POOLED = ((), ("block1_conv2",), ("block2_conv2",), ("block3_conv2", "block3_conv3", "block3_conv4"))
"""The convolutions of each stage before max pooling, which the first has not."""

_LAST = ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1")
"""The convolution of each stage after it."""


class ReflectConv(nn.Conv2d):
    """A 3×3 convolution with reflection padding, and with ReLU if asked for."""

    def __init__(self, channels_in: int, channels_out: int, relu: bool = True) -> None:
        super().__init__(channels_in, channels_out, 3)
        self._relu = relu
        self._filters: tuple[object, winograd.Filters] | None = None

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W), H and W at least 2, to (B, C', H, W)."""
        return self.take([input])

    def take(self, held: list[Tensor]) -> Tensor:
        """What `forward` gives for the last of a list, which is taken out, so that its memory is free early."""
        assert self.bias is not None
        filters = self.transformed()
        if filters is not None and held[-1].dtype == self.weight.dtype:
            return winograd.convolve(held.pop(), filters)
        held.append(reflect(held.pop()))
        if not self._relu:
            return super().forward(held.pop())
        return conv2d_relu(held.pop(), self.weight, self.bias)

    def take_pooled(self, held: list[Tensor], with_lost: bool) -> tuple[Tensor, Tensor | None]:
        """Max pooling, 2×2, of what `take` gives, and if asked for what is lost by it, see `Encoder.stage`."""
        filters = self.transformed()
        if filters is not None and held[-1].dtype == self.weight.dtype:
            return winograd.convolve_and_pool(held.pop(), filters, with_lost=with_lost)
        whole = self.take(held)
        pooled = functional.max_pool2d(whole, 2)
        return pooled, _lost(whole, pooled) if with_lost else None

    def __getstate__(self) -> dict[str, Any]:
        """Without what can be made again: a copy or a pickle would carry seven times the weights."""
        return {**self.__dict__, "_filters": None}

    def transformed(self) -> winograd.Filters | None:
        """The weights as they are now, for `ift.winograd`; None where that is not the way. Made once, and kept."""
        assert self.bias is not None
        if not (self._relu and winograd.suits(self.weight)):
            return None
        both = (self.weight, self.bias)
        now = tuple((each.data_ptr(), None if each.is_inference() else each._version) for each in both)
        if self._filters is None or self._filters[0] != now:
            self._filters = now, winograd.Filters.of(*both)
        return self._filters[1]


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


def _lost(x: Tensor, pooled: Tensor) -> Tensor:
    """What max pooling throws away: each (B, C, H, W) minus the greatest of its 2×2 block, (B, C, H/2, W/2)."""
    batch, channels, height, width = x.shape
    blocks = x.view(batch, channels, height // 2, 2, width // 2, 2)
    return (blocks - pooled[:, :, :, None, :, None]).flatten(4, 5).flatten(2, 3)
