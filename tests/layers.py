"""For tests of convolutions in machine code: random layers, and what the definition makes of them in float64."""

import torch
from torch.nn.functional import conv2d, pad


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def layer(channels, channels_out, seed=0):
    """Weights and bias, such that results are about 1."""
    return random(channels_out, channels, 3, 3, seed=seed) / (3 * channels**0.5), random(channels_out, seed=seed + 1)


def by_definition(x, weight, bias):
    """With reflection padding, without ReLU."""
    return conv2d(pad(x.double(), (1, 1, 1, 1), mode="reflect"), weight.double(), bias.double())


def error(result, expected):
    """The largest, relative to the largest number."""
    return float((result.double() - expected).abs().max() / expected.abs().max())
