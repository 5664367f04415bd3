"""The styles of a request, read and encoded."""

from __future__ import annotations

from pathlib import Path

from ift.allocator import MemoryLimit
from ift.command_line.request import Request
from ift.command_line.sizes import is_large
from ift.content_mask import Mask
from ift.errors import SettingsError
from ift.images import load_image
from ift.label_mask import fit_labels, load_labels
from ift.labels import is_label, label_of
from ift.large.laying import lay_down
from ift.parts.memory import tile_within
from ift.parts.style_in_parts import style_in_parts
from ift.steps import encoder_reach
from ift.style import Style, mix_styles
from ift.stylizer import Labels, Stylizer


def load_styles(request: Request, model: Stylizer, scratch: Path) -> Style:
    """All styles as one, those that fit no memory in parts.

    Raises:
        SettingsError: shares or masks do not fit.
        ImageError: a file cannot be read.
    """
    masks: tuple[str | None, ...] = request.style_masks or (None,) * len(request.styles)
    if len(masks) != len(request.styles):
        raise SettingsError(
            f"{len(masks)} --style-mask for {len(request.styles)} styles: give one for each, in their order"
        )
    memory, styles = MemoryLimit(0), []
    for path, mask in zip(request.styles, masks, strict=True):
        styles.append(_style(path, mask, request, model, scratch))
        memory.enforce()  # what is kept of it for the next activation would count as in use
    return mix_styles(styles, request.shares)


def _style(path: Path, mask: str | None, request: Request, model: Stylizer, scratch: Path) -> Style:
    resolution, patches = request.style_resolution, "avatar" in request.settings.method
    if not is_large(path, request, model, resolution):
        picture = load_image(path, resolution)
        labels: Labels = None
        if mask is not None:
            labels = label_of(mask) if is_label(mask) else fit_labels(load_labels(mask), *picture.shape[-2:])
        return model.style(picture, labels=labels, patches=patches)
    if patches:
        raise SettingsError(f"{path} is too large for avatar, which keeps its patches: give a --style-resolution")
    raw = lay_down(path, scratch / "style.raw", resolution)
    try:
        region: Mask | int | None = None
        if mask is not None:
            region = (
                label_of(mask) if is_label(mask) else Mask(load_labels(mask).to(model.device), raw.height, raw.width)
            )
        tile = tile_within(request.memory, model, request.settings, encoder_reach())
        return style_in_parts(model, raw, tile, region)
    finally:
        raw.path.unlink(missing_ok=True)
