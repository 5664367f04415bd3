"""What a TIFF's own directory says that libvips does not tell."""

from __future__ import annotations

from pathlib import Path

from PIL.TiffImagePlugin import ImageFileDirectory_v2

from ift.images import decoding, refuse_wild_tiles

_BIG = 43
_EXTRA_SAMPLES = 338
_UNSPECIFIED = 0


def has_padding(path: Path) -> bool:
    """Whether what comes after the colours is no transparency; refuses tiles out of proportion to the picture.

    Raises:
        ImageError: it does, or the directory is damaged.
    """
    with decoding(str(path)), path.open("rb") as file:
        start = file.read(8)
        if _BIG in start[2:4]:
            start += file.read(8)
        tags = ImageFileDirectory_v2(start)
        file.seek(tags.next)
        tags.load(file)
        refuse_wild_tiles(tags)
        return next(iter(tags.get(_EXTRA_SAMPLES, ())), None) == _UNSPECIFIED
