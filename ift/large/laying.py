"""Picture files laid down as raw pixels: decoded once, from top to bottom, without ever being held."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ift.large.colours import over_white, parted, premultiplied, to_srgb, unpremultiplied
from ift.large.header import Header, header_of, target_size
from ift.large.kinds import loaded
from ift.large.scaling import scaled, shrink_of
from ift.large.turning import turned
from ift.large.values import in_range, range_of, white_of, whole_numbers
from ift.large.vips import Progress, followed, reading
from ift.large.whole import whole
from ift.raw_picture import RawPicture
from ift.settings import MAX_LARGE_PIXELS


def lay_down(
    path: Path,
    to: Path,
    resolution: int | None = None,
    max_pixels: int = MAX_LARGE_PIXELS,
    progress: Progress | None = None,
) -> RawPicture:
    """Decodes a picture file into a raw RGB file: the pixels of `ift.images.load_image`, in constant memory.

    The file is turned upright, converted to sRGB, laid over white where it is transparent, and scaled down. It has
    16 bits a value where the source has more than 8 and no colour profile, else 8. It appears whole or not at all.

    Args:
        path: the picture; its content decides the format, not the suffix.
        to: the raw file; its parent folders are created, and one that is there is replaced.
        resolution: pixels to which the longer side is scaled down; smaller pictures stay as they are.
        max_pixels: refuse files that declare more pixels than this.
        progress: takes the rows that are done and all rows, of the picture as stored.

    Raises:
        ImageError: the file cannot be read, is no picture, is damaged or too large, or the disk is full.
        SettingsError: `resolution` is below 1, or libvips is missing.
    """
    header = header_of(path, max_pixels)
    width, height = target_size(header, resolution)
    with whole(to) as part:
        flat = part if header.orientation == 1 else part.with_name(f"{part.name}.flat")
        try:
            with reading(str(path)):
                image = _srgb(header, (width, height))
                with followed(image, height, progress):
                    image.rawsave(str(flat), keep="none")
            raw = RawPicture(flat, height, width, 0, 1 if image.format == "uchar" else 2)
            if flat != part:
                raw = turned(raw, part, header.orientation)
        finally:
            if flat != part:
                flat.unlink(missing_ok=True)
    return RawPicture(to, raw.height, raw.width, 0, raw.depth)


def _srgb(header: Header, size: tuple[int, int]) -> Any:
    """The picture as stored, scaled, as RGB of 8 or 16 bits."""
    shrink = shrink_of(header.width, header.height, size) if header.kind == "JPEG" else 1
    colours, opacity = parted(loaded(header.path, header.kind, shrink), header.padded)
    black, white = _range(header, 0) if colours.format not in ("uchar", "ushort") else (0.0, 1.0)
    colours = in_range(colours, black, white)
    if opacity is None:
        return to_srgb(whole_numbers(scaled(colours, size)))
    opacity = in_range(opacity, *(_range(header, 1) if opacity.format not in ("uchar", "ushort") else (0.0, 1.0)))
    top = white_of(colours)
    if (header.width, header.height) != size:
        both = scaled(premultiplied(colours, opacity, top), size)
        colours, opacity = unpremultiplied(both, colours, top)
    return over_white(to_srgb(whole_numbers(colours)), whole_numbers(opacity))


def _range(header: Header, part: int) -> tuple[float, float]:
    """Black and white of the colours (0) or the opacity (1), by reading the file once for that."""
    return range_of(parted(loaded(header.path, header.kind), header.padded)[part], str(header.path))
