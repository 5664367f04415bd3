"""Which way a request goes."""

from __future__ import annotations

from ift.command_line.extras import check_extras
from ift.command_line.frames import stylize_frames
from ift.command_line.in_parts import stylize_large
from ift.command_line.one_piece import stylize_picture
from ift.command_line.request import Request
from ift.command_line.sizes import is_large
from ift.errors import SettingsError
from ift.frames import is_video
from ift.stylizer import Stylizer
from ift.tiling import parts_of


def run(request: Request, model: Stylizer) -> str:
    """Does what was asked for; returns what to tell of it.

    Raises:
        IftError: something is wrong with the request or its files.
    """
    if request.tile is not None:
        parts_of(1, 1, request.tile, 0)  # which says what is wrong with it, before any work is done
    check_extras(request)
    if request.content.is_dir() or is_video(request.content):
        for name, value in (("--content-mask", request.content_mask), ("--preview", request.preview),
                            ("--deep-zoom", request.deep_zoom), ("--sample", request.sample),
                            ("--scratch", request.scratch)):  # fmt: skip
            if value is not None:
                raise SettingsError(f"{name} is for single pictures: {request.content} has frames")
        if request.window is not None and not request.group:
            raise SettingsError("with --each there is nothing to share over a --window: leave out one of them")
        return stylize_frames(request, model)
    if request.window is not None or request.rate is not None or not request.group or request.phases > 1:
        raise SettingsError(
            "--each, --window, --phases and --rate are for frames: give a folder of pictures or a video"
        )
    if request.output.is_dir():
        raise SettingsError(f"{request.output} is a folder: name a file to write the picture to")
    in_parts = request.tile is not None or request.sample is not None
    if "nst" not in request.settings.method and (in_parts or is_large(request.content, request, model)):
        return stylize_large(request, model)
    if in_parts:
        raise SettingsError("nst optimises whole pictures: leave out --tile and --sample")
    return stylize_picture(request, model)
