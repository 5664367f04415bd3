"""What a picture file says of itself before any of its pixels is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ift.errors import ImageError, SettingsError
from ift.images import fitted_size
from ift.large.kinds import kind_of, loaded
from ift.large.tiff_tags import has_padding
from ift.large.vips import reading
from ift.settings import MAX_LARGE_PIXELS, MAX_PIXELS

_MOST_HELD = 1 << 28
"""Pixels of kinds whose decoder holds the whole picture; a gigabyte or so."""

_MOST_PER_BYTE = 1000
"""Pixels for a byte of a large file: flat colour comes to 344 as PNG, and to 60 as JPEG."""


@dataclass(frozen=True)
class Header:
    """Of a picture file.

    Attributes:
        path: of the file.
        kind: such as "JPEG".
        height: in pixels, as stored.
        width: in pixels, as stored.
        orientation: 1 to 8, as EXIF counts.
        padded: whether what a TIFF has after its colours is no transparency.
    """

    path: Path
    kind: str
    height: int
    width: int
    orientation: int
    padded: bool

    @property
    def lies(self) -> bool:
        """Whether rows are columns, once it is upright."""
        return self.orientation >= 5


def header_of(path: Path, max_pixels: int = MAX_LARGE_PIXELS) -> Header:
    """Reads it.

    Raises:
        ImageError: the file cannot be read, is no picture, or declares more pixels than can be decoded.
    """
    kind = kind_of(path)
    padded = kind == "TIFF" and has_padding(path)
    with reading(str(path)):
        image = loaded(path, kind)
    height, width = image.height, image.width
    _refuse_bombs(path, height, width, max_pixels)
    progressive = bool(image.get_typeof("interlaced")) and bool(image.get("interlaced"))
    if height * width > _MOST_HELD and (progressive or kind in ("WebP", "GIF", "AVIF")):
        manner = {"JPEG": "a progressive JPEG", "PNG": "an interlaced PNG"}.get(kind, kind)
        raise ImageError(
            f"{path} has {_megapixels(height * width)}, but the decoder of {manner} holds all of them in memory,"
            f" and {_megapixels(_MOST_HELD)} are the limit: save it as TIFF or as a plain JPEG or PNG"
        )
    orientation = image.get("orientation") if image.get_typeof("orientation") else 1
    return Header(path, kind, height, width, orientation if 1 <= orientation <= 8 else 1, padded)


def size_of(path: Path, resolution: int | None = None, max_pixels: int = MAX_LARGE_PIXELS) -> tuple[int, int]:
    """(height, width) in pixels that `lay_down` will give a picture file, upright, from its header alone.

    Args:
        path: the file; its content decides the format, not the suffix.
        resolution: pixels to which the longer side is scaled down; smaller pictures stay as they are.
        max_pixels: refuse files that declare more pixels than this.

    Raises:
        ImageError: the file cannot be read, is no picture, or declares more pixels than can be decoded.
        SettingsError: `resolution` is below 1.
    """
    header = header_of(path, max_pixels)
    width, height = target_size(header, resolution)
    return (width, height) if header.lies else (height, width)


def target_size(header: Header, resolution: int | None) -> tuple[int, int]:
    """(width, height) in pixels after scaling, as stored.

    Raises:
        SettingsError: `resolution` is below 1.
    """
    if resolution is not None and resolution < 1:
        raise SettingsError(f"resolution is {resolution}, but pictures need at least 1 pixel")
    return fitted_size(header.width, header.height, resolution)


def _refuse_bombs(path: Path, height: int, width: int, max_pixels: int) -> None:
    if height * width > max_pixels:
        raise ImageError(
            f"{path} has {_megapixels(height * width)} ({width}×{height}), more than the limit of"
            f" {max_pixels / 1e6:.4g}: raise max_pixels or scale it down"
        )
    if height * width > max(MAX_PIXELS, _MOST_PER_BYTE * path.stat().st_size):
        raise ImageError(
            f"{path} declares {_megapixels(height * width)} in {path.stat().st_size} bytes, as only decompression"
            " bombs do: save it without compression"
        )


def _megapixels(pixels: int) -> str:
    return f"{pixels / 1e6:.4g} megapixels"
