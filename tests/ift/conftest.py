"""Fixtures of the model's tests: the shipped model once in float32, the original VGG-19, photos of dependencies."""

from collections.abc import Callable
from importlib.resources import files

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ift import Stylizer
from ift.vgg19 import CONVOLUTIONS
from ift.weight_files import default_vgg19_file

# Read as files: the packages' own loaders may go to the network.
_FOLDERS = {"skimage": "data", "sklearn": "datasets/images"}


@pytest.fixture(scope="session")
def model() -> Stylizer:
    """The shipped model, in float32 on the CPU."""
    return Stylizer.from_pretrained(device="cpu", dtype=torch.float32)


@pytest.fixture(scope="session")
def original() -> dict[str, tuple[Tensor, Tensor]]:
    """The original VGG-19's (weight, bias) by name, decoded from the 8-bit tables without the library."""
    state = torch.load(default_vgg19_file(), weights_only=True)
    tables = {name: state[f"{name}_W_table"].numpy() for name in CONVOLUTIONS}
    return {
        name: (torch.from_numpy(np.take(tables[name], state[f"{name}_W_q"].numpy())), state[f"{name}_b"])
        for name in CONVOLUTIONS
    }


@pytest.fixture(scope="session")
def photo() -> Callable[..., Tensor]:
    """A function from (package, file, height, width) to the middle of that photo, (3, H, W) in [0, 1]."""

    def middle(package: str, file: str, height: int = 96, width: int = 128) -> Tensor:
        with files(package).joinpath(_FOLDERS[package], file).open("rb") as stream:
            pixels = np.asarray(Image.open(stream).convert("RGB"), np.float32) / 255
        top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
        return torch.from_numpy(pixels[top : top + height, left : left + width]).permute(2, 0, 1).contiguous()

    return middle
