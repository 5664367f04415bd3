"""What else is written of a result: a preview, and tiles with a viewer."""

from __future__ import annotations

from ift.command_line.request import Request
from ift.large.deep_zoom import save_deep_zoom
from ift.large.saving import save_preview
from ift.raw_picture import RawPicture


def save_extras(raw: RawPicture, request: Request) -> None:
    """Writes them, where they are asked for.

    Raises:
        ImageError: one cannot be written.
    """
    if request.preview is not None:
        save_preview(raw, request.preview)
    if request.deep_zoom is not None:
        save_deep_zoom(raw, request.deep_zoom)
