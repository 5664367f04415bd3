"""Kinds of picture files, told apart by their first bytes: none but these reach a decoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ift.errors import ImageError
from ift.large.vips import vips

_LOADERS = {
    "JPEG": "jpegload",
    "PNG": "pngload",
    "WebP": "webpload",
    "TIFF": "tiffload",
    "GIF": "gifload",
    "AVIF": "heifload",
}
_MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}


def kind_of(path: Path) -> str:
    """Which of the kinds a file is; its suffix says nothing.

    Raises:
        ImageError: the file cannot be read, or is none of them.
    """
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except FileNotFoundError:
        raise ImageError(f"{path} does not exist") from None
    except IsADirectoryError:
        raise ImageError(f"{path} is a folder, not a picture") from None
    except (OSError, ValueError) as error:  # ValueError: names that no file can have
        raise ImageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not start:
        raise ImageError(f"{path} is empty (0 bytes)")
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WebP"
    if start[4:12] in (b"ftypavif", b"ftypavis"):
        return "AVIF"
    for magic, kind in _MAGIC.items():
        if start.startswith(magic):
            return kind
    raise ImageError(f"{path} is not a picture that can be read at this size (only {', '.join(_LOADERS)})")


def loaded(path: Path, kind: str, shrink: int = 1) -> Any:
    """The first frame of a file as a libvips image, whose rows can be had once, from the top.

    Args:
        path: the file.
        kind: of it.
        shrink: 1, 2, 4 or 8: decode a JPEG at such a part of its size.

    Raises:
        pyvips.Error: the header is damaged. What is wrong further down shows when the rows are read.
    """
    options = {"shrink": shrink} if kind == "JPEG" else {}
    try:
        return getattr(vips().Image, _LOADERS[kind])(str(path), access="sequential", fail_on="error", **options)
    except UnicodeEncodeError:  # a name that is no text
        raise ImageError(f"{path!r} has a name that libvips cannot open: rename it") from None
