"""Universal style transfer by iterative feature transformation, as a PyTorch library."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ift.errors import DivergenceError, IftError, ImageError, SettingsError, WeightsError
from ift.settings import METHODS, OPTIONS, PRESETS, Settings

if TYPE_CHECKING:
    from ift.images import load_image, save_image
    from ift.label_mask import fit_labels, load_labels
    from ift.style import Style, mix_styles
    from ift.style_file import load_style, save_style
    from ift.stylizer import Stylizer

__all__ = [
    "METHODS",
    "OPTIONS",
    "PRESETS",
    "DivergenceError",
    "IftError",
    "ImageError",
    "Settings",
    "SettingsError",
    "Style",
    "Stylizer",
    "WeightsError",
    "fit_labels",
    "load_image",
    "load_labels",
    "load_style",
    "mix_styles",
    "save_image",
    "save_style",
]

_MODULES = {
    "Style": "style",
    "Stylizer": "stylizer",
    "fit_labels": "label_mask",
    "load_image": "images",
    "load_labels": "label_mask",
    "load_style": "style_file",
    "mix_styles": "style",
    "save_image": "images",
    "save_style": "style_file",
}
"""What needs PyTorch, which takes seconds and half a GB to load: programs that only read settings do without."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'ift' has no attribute {name!r}")
    return getattr(import_module(f"ift.{_MODULES[name]}"), name)
