"""Universal style transfer by iterative feature transformation, as a PyTorch library."""

from ift.errors import DivergenceError, IftError, ImageError, SettingsError, WeightsError
from ift.images import load_image, save_image
from ift.label_mask import fit_labels, load_labels
from ift.settings import METHODS, OPTIONS, PRESETS, Settings
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
