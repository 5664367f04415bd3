"""Whether a picture fits memory in one piece."""

from __future__ import annotations

import math
from pathlib import Path

from ift.command_line.request import Request
from ift.errors import ImageError
from ift.large.header import size_of
from ift.parts.memory import fits_whole
from ift.settings import MAX_PIXELS
from ift.stylizer import Stylizer


def is_large(path: Path, request: Request, model: Stylizer, resolution: int | None = None) -> bool:
    """Whether a picture is to be read and stylized in parts.

    Args:
        path: of the picture.
        request: tells the memory.
        model: that is loaded.
        resolution: longer side of the picture; that of contents if not given.
    """
    resolution = resolution or request.resolution
    try:
        stored = size_of(path)
        size = size_of(path, resolution)
    except ImageError:  # one of the formats that are read whole, or none: whoever reads it will say what is wrong
        return False
    return math.prod(stored) > MAX_PIXELS or not fits_whole(math.prod(size), request.memory, model.dtype)
