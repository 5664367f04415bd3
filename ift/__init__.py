"""Universal style transfer by iterative feature transformation, as a PyTorch library."""

from ift.errors import DivergenceError, IftError, ImageError, SettingsError, WeightsError
from ift.images import load_image, save_image
from ift.settings import OPTIONS, PRESETS, Settings
from ift.style_file import load_style, save_style
from ift.stylizer import Style, Stylizer, mix_styles, stack_styles

__all__ = [
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
    "load_image",
    "load_style",
    "mix_styles",
    "save_image",
    "save_style",
    "stack_styles",
]
