"""What else is written of a result: a preview, and tiles with a viewer."""

from __future__ import annotations

from ift.command_line.request import Request
from ift.errors import SettingsError
from ift.images import format_of
from ift.large.deep_zoom import refuse_foreign, save_deep_zoom
from ift.large.saving import save_preview
from ift.raw_picture import RawPicture


def check_extras(request: Request) -> None:
    """Finds out before the work what would go wrong after it.

    Raises:
        ImageError: the suffix of the preview is none that can be written, or the folder for tiles holds other things.
        SettingsError: one would take the place of another file of the request.
    """
    taken = {path.resolve() for path in (request.content, *request.styles, request.output)}
    for flag, path in (("--preview", request.preview), ("--deep-zoom", request.deep_zoom)):
        if path is not None:
            if path.resolve() in taken:
                raise SettingsError(f"{flag} {path} is the place of another file of this run: name another place")
            taken.add(path.resolve())
    if request.preview is not None:
        format_of(str(request.preview))
    if request.preview is not None and request.preview.is_dir():
        raise SettingsError(f"--preview {request.preview} is a folder: name a file")
    if request.deep_zoom is not None:
        refuse_foreign(request.deep_zoom)


def save_extras(raw: RawPicture, request: Request) -> None:
    """Writes them, where they are asked for.

    Raises:
        ImageError: one cannot be written.
    """
    if request.preview is not None:
        save_preview(raw, request.preview)
    if request.deep_zoom is not None:
        save_deep_zoom(raw, request.deep_zoom)
