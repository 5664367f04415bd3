"""Styles on disk: the moments of a style picture as a safetensors file of about 1.4 MB."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ift.errors import WeightsError
from ift.moments import Moments
from ift.settings import LEVELS
from ift.stylizer import Style

_FIELDS = ("count", "mean", "covariance")


def save_style(style: Style, path: str | Path) -> None:
    """Writes a style, or a batch of them, as returned by `Stylizer.style`."""
    tensors = {
        f"{level}.{field}": getattr(moments, field).cpu().contiguous()
        for level, moments in zip(LEVELS, style, strict=True)
        for field in _FIELDS
    }
    save_file(tensors, path)


def load_style(path: str | Path, device: str = "cpu") -> Style:
    """Reads what `save_style` wrote.

    Raises:
        WeightsError: the file is missing or holds something else.
    """
    try:
        tensors = load_file(path, device)
        return tuple(Moments(*(tensors[f"{level}.{field}"] for field in _FIELDS)) for level in LEVELS)
    except (FileNotFoundError, SafetensorError, KeyError) as error:
        raise WeightsError(f"{path}: not a style saved by ift ({error})") from error
