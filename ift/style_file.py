"""Styles on disk: the moments of style pictures as a safetensors file, about 1.4 MB for each."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ift.errors import WeightsError
from ift.moments import Moments
from ift.settings import LEVELS
from ift.style import Style, StylePicture

_FIELDS = ("count", "mean", "covariance")


def save_style(style: Style, path: str | Path) -> None:
    """Writes a style as returned by `Stylizer.style`, without the patches that only Avatar-Net needs."""
    tensors = {"weights": torch.tensor(style.weights, dtype=torch.float64)}
    for index, picture in enumerate(style.pictures):
        if picture.labels is not None:
            tensors[f"{index}.labels"] = torch.tensor(picture.labels)
        for level, moments in zip(LEVELS, picture.moments, strict=True):
            tensors |= {f"{index}.{level}.{field}": getattr(moments, field).cpu().contiguous() for field in _FIELDS}
    save_file(tensors, path)


def load_style(path: str | Path, device: str = "cpu") -> Style:
    """Reads what `save_style` wrote.

    Raises:
        WeightsError: the file is missing or holds something else.
    """
    try:
        tensors = load_file(path, device)
        weights = tuple(tensors["weights"].tolist())
        return Style(tuple(_picture(tensors, index) for index in range(len(weights))), weights)
    except (FileNotFoundError, SafetensorError, KeyError) as error:
        raise WeightsError(f"{path}: not a style saved by ift ({error})") from error


def _picture(tensors: dict[str, Tensor], index: int) -> StylePicture:
    moments = tuple(Moments(*(tensors[f"{index}.{level}.{field}"] for field in _FIELDS)) for level in LEVELS)
    labels = tensors.get(f"{index}.labels")
    return StylePicture(moments, None if labels is None else tuple(labels.tolist()))
