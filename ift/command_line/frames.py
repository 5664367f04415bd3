"""Frames of a folder or a video, with statistics in common."""

from __future__ import annotations

import math
import time
from fractions import Fraction
from functools import partial

from ift.command_line.in_parts import megapixels
from ift.command_line.request import Request
from ift.command_line.scratch_folder import scratch_folder
from ift.command_line.styles import load_styles
from ift.errors import SettingsError
from ift.frames import Frames, check_output, is_video, open_frames, open_writer
from ift.parts import Picture
from ift.parts.in_parts import journey_of, stylize_in_parts
from ift.parts.memory import fits_whole, tile_within
from ift.parts.scratch import Scratch
from ift.style import Style
from ift.stylizer import Stylizer


def stylize_frames(request: Request, model: Stylizer) -> str:
    """Stylizes them; returns what to tell of it.

    Raises:
        IftError: something is wrong with the request or its files.
    """
    if request.rate is not None and not (math.isfinite(request.rate) and is_video(request.output)):
        raise SettingsError(f"--rate {request.rate:g} goes with a video as output, and is a number: such as 29.97")
    check_output(request.output, request.content)  # decoding a video may take minutes
    with scratch_folder(None, request.output) as folder:
        started = time.perf_counter()
        frames = open_frames(request.content, folder, request.resolution)
        style = load_styles(request, model, folder)
        rate = None if request.rate is None else Fraction(request.rate).limit_denominator(1001)
        with open_writer(request.output, frames, request.quality, scratch=folder, rate=rate) as writer:
            pictures = [Picture(pixels, partial(writer.write, index)) for index, pixels in enumerate(frames.pictures)]
            with megapixels(sum(picture.height * picture.width for picture in frames.pictures)) as progress:
                stylize_in_parts(
                    model, pictures, style, request.settings, Scratch(folder / "tour"),
                    tile=request.tile or _tile(frames, style, request, model), reach=_reach(request),
                    phases=request.phases, progress=progress, memory=request.memory,
                )  # fmt: skip
    notes = "".join(f"; {note}" for note in writer.notes)
    seconds = time.perf_counter() - started
    return f"{request.output}: {len(frames)} frames in {seconds:.0f} s on {model.device}{notes}"


def _tile(frames: Frames, style: Style, request: Request, model: Stylizer) -> int | None:
    """None where the largest frame fits in one piece."""
    pixels = max(picture.height * picture.width for picture in frames.pictures)
    if fits_whole(pixels, request.memory, model.dtype):
        return None
    halo = journey_of(model, [Picture(frames.pictures[0], lambda box, pixels: None)], style, request.settings).halo
    return tile_within(request.memory, model, request.settings, halo)


def _reach(request: Request) -> int | None:
    if not request.group:
        return 0
    return None if request.window is None else math.ceil((request.window - 1) / 2)
