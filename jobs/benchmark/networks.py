"""The encoder and the decoder written plainly, one PyTorch operation after the other.

The baselines run on these, whatever the model does to be fast; the weights are the model's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ift.network_shape import BODY
from ift.weights import load_networks

ENCODER = {
    1: ("block1_conv1",),
    2: ("block1_conv2", "pool", "block2_conv1"),
    3: ("block2_conv2", "pool", "block3_conv1"),
    4: ("block3_conv2", "block3_conv3", "block3_conv4", "pool", "block4_conv1"),
}
"""The steps of each stage, from relu(N-1)_1, or the picture, to relu N_1."""

DECODER = {
    **{
        level: (f"block{level}.conv_in", "up", *(f"block{level}.body.{index}" for index in range(BODY[level])))
        for level in (4, 3, 2)
    },
    1: ("block1.conv",),
}
"""The steps of each block, from relu N_1 to relu(N-1)_1, or the picture."""

_LINEAR = "block1.conv"


@dataclass(frozen=True)
class Networks:
    """Weights (C', C, 3, 3) and biases (C',) of every convolution, by the names in `ENCODER` and `DECODER`."""

    weights: Mapping[str, Tensor]
    biases: Mapping[str, Tensor]

    @classmethod
    def load(
        cls,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> Networks:
        """The package's own weights; float32 and in PyTorch's default format, if nothing else is said."""
        encoder, decoder = load_networks()
        state = {name.removeprefix("convolutions."): value for name, value in encoder.state_dict().items()}
        state |= decoder.state_dict()
        convolutions = [step for steps in (*ENCODER.values(), *DECODER.values()) for step in steps]
        names = [name for name in convolutions if name not in ("pool", "up")]
        return cls(
            {name: state[f"{name}.weight"].to(device, dtype, memory_format=memory_format) for name in names},
            {name: state[f"{name}.bias"].to(device, dtype) for name in names},
        )

    def encode(self, level: int, x: Tensor) -> Tensor:
        """Stage `level`: the features at relu N_1 from those at relu(N-1)_1, or from the picture."""
        return self._run(ENCODER[level], x)

    def decode(self, level: int, x: Tensor) -> Tensor:
        """Block `level`, with its skip shut: the features at relu(N-1)_1, or the picture, from those at relu N_1."""
        return self._run(DECODER[level], x)

    def _run(self, steps: tuple[str, ...], x: Tensor) -> Tensor:
        for step in steps:
            if step == "pool":
                x = functional.max_pool2d(x, 2)
            elif step == "up":
                x = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            else:
                padded = functional.pad(x, (1, 1, 1, 1), mode="reflect")
                x = functional.conv2d(padded, self.weights[step], self.biases[step])
                x = x if step == _LINEAR else functional.relu(x)
        return x
