"""Where training from scratch begins: random weights, at the scale of what they are to predict."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ift.decoder import Decoder
from ift.encoder import Encoder
from ift.reflect_conv import ReflectConv
from ift.training.autoencoder import encode


@torch.no_grad()
def initialise(decoder: Decoder, encoder: Encoder, images: Tensor, generator: torch.Generator) -> None:
    """Gives blocks 4, 3 and 2 orthogonal weights such that each convolution's output has the RMS of its block's target.

    Each block is fed with what the encoder has at relu N_1, without skips. ReLU keeps a factor as it is, so the scale
    is exact. Block 1 is left alone: it has a closed form.

    Args:
        decoder: float32; changed in place.
        encoder: of any precision.
        images: (B, 3, H, W) in [0, 1], H and W multiples of 8, at least 16: what the scales are measured on.
        generator: on the CPU; the same one gives the same weights.
    """
    weight = next(decoder.parameters())
    placed = images.to(next(encoder.parameters()).device).contiguous(memory_format=torch.channels_last)
    features = [each.to(weight.device, weight.dtype) for each in encode(encoder, placed, 4).features]
    for level in (4, 3, 2):
        x, target = features[level - 1], _rms(features[level - 2])
        block = decoder.get_submodule(f"block{level}")
        for name, convolution in [(n, m) for n, m in block.named_modules() if isinstance(m, ReflectConv)]:
            x = _initialised(convolution, x, target, generator)
            if name == "conv_in":
                x = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _initialised(convolution: ReflectConv, x: Tensor, target: Tensor, generator: torch.Generator) -> Tensor:
    """Sets a convolution's weights; returns its output, whose RMS is `target`."""
    assert convolution.bias is not None
    fresh = torch.empty(convolution.weight.shape)
    convolution.weight.copy_(nn.init.orthogonal_(fresh, generator=generator))
    convolution.bias.zero_()
    factor = target / _rms(convolution(x))
    convolution.weight.mul_(factor)
    result: Tensor = convolution(x)
    return result


def _rms(x: Tensor) -> Tensor:
    return x.square().mean(dtype=torch.float64).sqrt().to(x.dtype)
