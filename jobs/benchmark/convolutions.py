"""The convolutions of encoder and decoder with nothing around them: the floor of a picture's time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from jobs.benchmark.networks import DECODER, ENCODER, Networks


@dataclass(frozen=True)
class Layer:
    """A convolution in its place.

    Attributes:
        name: in `Networks`.
        side: of its result in pixels.
    """

    name: str
    side: int


def layers(resolution: int) -> list[Layer]:
    """Every convolution that a square picture meets in encoder and decoder, in order.

    Args:
        resolution: side in pixels, a multiple of 8.
    """
    found, side = [], resolution
    for steps in (*ENCODER.values(), *DECODER.values()):
        for step in steps:
            if step == "pool":
                side //= 2
            elif step == "up":
                side *= 2
            else:
                found.append(Layer(step, side))
    return found


class BareConvolutions:
    """All of `layers` when called, each on an input of its shape that is padded already.

    Args:
        networks: in the precision and the memory format to be measured.
        resolution: side of the square picture in pixels, a multiple of 8.

    Attributes:
        flop: of a call: two for each multiplication.
    """

    def __init__(self, networks: Networks, resolution: int) -> None:
        self._networks, self._layers = networks, layers(resolution)
        self.flop = sum(2 * networks.weights[layer.name].numel() * layer.side**2 for layer in self._layers)
        self._inputs: dict[tuple[int, int], Tensor] = {}  # of one shape, one does for all
        for layer in self._layers:
            weight, side = networks.weights[layer.name], layer.side + 2
            if (weight.shape[1], side) not in self._inputs:
                memory_format = (
                    torch.channels_last
                    if weight.is_contiguous(memory_format=torch.channels_last)
                    else torch.contiguous_format
                )
                noise = torch.rand(1, weight.shape[1], side, side, dtype=weight.dtype, device=weight.device)
                self._inputs[weight.shape[1], side] = noise.contiguous(memory_format=memory_format)

    def __call__(self) -> None:
        """One convolution after the other; the results are let go."""
        for layer in self._layers:
            weight = self._networks.weights[layer.name]
            functional.conv2d(self._inputs[weight.shape[1], layer.side + 2], weight, self._networks.biases[layer.name])


class MatrixProducts:
    """As many products of square matrices as make up some work, when called.

    Args:
        side: of the matrices.
        flop: to be done; rounded to whole products, at least one.
        dtype: of the matrices.
        device: where they are.

    Attributes:
        flop: of a call.
    """

    def __init__(self, side: int, flop: int, dtype: torch.dtype, device: torch.device) -> None:
        self._a, self._b = (torch.rand(side, side, dtype=dtype, device=device) for _ in range(2))
        self._count = max(1, round(flop / (2 * side**3)))
        self.flop = self._count * 2 * side**3

    def __call__(self) -> None:
        """One product after the other, into the same place."""
        out = torch.empty_like(self._a)
        for _ in range(self._count):
            torch.mm(self._a, self._b, out=out)
