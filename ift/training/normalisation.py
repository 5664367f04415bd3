"""The encoder's normalisation: the mean activation of each filter of the original VGG-19 over photos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from ift.padding import pad_to_multiple
from ift.reflection import reflect
from ift.vgg19 import CONVOLUTIONS, MEAN_BGR, Convolution


@torch.no_grad()
def mean_activations(vgg19: Mapping[str, Convolution], images: Iterable[Tensor]) -> dict[str, Tensor]:
    """The scale that `Encoder.load` takes: the normalised encoder's mean activation over these photos is 1.

    Each pixel counts alike, so a large photo counts more than a small one. The sums are float64: of many photos the
    last would else be lost in what the first have added up to.

    Args:
        vgg19: (weight, bias) per convolution, as `load_vgg19` gives them.
        images: (3, H, W) or (B, 3, H, W) RGB in [0, 1], of any sizes, on the device of the weights.

    Returns:
        (C,) float32 per convolution, above 0; 1 for a filter that no photo excites, which is left as it is.

    Raises:
        ValueError: there is no image.
    """
    sums = {name: torch.zeros(bias.shape, dtype=torch.float64) for name, (_, bias) in vgg19.items()}
    counts = dict.fromkeys(CONVOLUTIONS, 0)
    for image in images:
        x = _caffe_input(image if image.dim() == 4 else image.unsqueeze(0))
        for name in CONVOLUTIONS:
            if _begins_a_block(name):
                x = functional.max_pool2d(x, 2)
            x = functional.relu_(functional.conv2d(reflect(x), *vgg19[name]))
            sums[name] += x.sum((0, 2, 3), dtype=torch.float64).cpu()
            counts[name] += x.shape[0] * x.shape[2] * x.shape[3]
    if not counts["block1_conv1"]:
        raise ValueError("the mean activations are those over at least one picture")
    means = {name: sums[name] / counts[name] for name in CONVOLUTIONS}
    return {name: torch.where(mean > 0, mean, 1.0).float() for name, mean in means.items()}


def _caffe_input(images: Tensor) -> Tensor:
    """RGB in [0, 1] to what the original network was trained on: BGR, 0 to 255, less the mean."""
    mean = torch.tensor(MEAN_BGR, device=images.device).view(1, 3, 1, 1)
    return pad_to_multiple((images.float().flip(1) * 255 - mean).contiguous(memory_format=torch.channels_last))


def _begins_a_block(name: str) -> bool:
    return name.endswith("conv1") and name != "block1_conv1"
