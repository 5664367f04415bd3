"""Raw pictures as files that other programs read, written from top to bottom without ever being held."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ift.errors import ImageError, SettingsError
from ift.images import LONGEST_SIDE, fitted_size, format_of
from ift.large.raw_source import streamed
from ift.large.scaling import scaled
from ift.large.vips import Progress, followed, writing
from ift.large.whole import whole
from ift.raw_picture import RawPicture

TILE = 256
"""Pixels a side of a TIFF's tiles."""

_CLASSIC_TIFF = 1 << 31
"""Bytes of pixels up to which a TIFF, with its smaller copies, stays below the 4 GiB that the old form can hold."""


def save_large(raw: RawPicture, path: Path, quality: int = 95, progress: Progress | None = None) -> None:
    """Writes a raw picture as 8-bit sRGB in the format that the suffix names; equal pixels give equal bytes.

    A TIFF is tiled, with smaller copies of itself inside (a pyramid), deflated, and a BigTIFF when it must be; the
    copies wait in the system's folder for temporary files (TMPDIR). Memory stays constant but for WebP, whose encoder
    holds the whole picture. Parent folders are created. The file appears whole or not at all.

    Args:
        raw: the picture.
        path: the file: .tif, .png, .jpg or .webp.
        quality: 1 to 100, for JPEG (full colour resolution from 90 on) and WebP.
        progress: takes the rows that are done and all rows.

    Raises:
        ImageError: the suffix is unknown, the format cannot hold the picture, or the file cannot be written.
        SettingsError: `quality` is out of its range, or libvips is missing.
    """
    format_ = format_of(str(path))
    _check_quality(quality)
    longest = LONGEST_SIDE.get(format_)
    if longest and max(raw.height, raw.width) > longest:
        raise ImageError(
            f"{path}: {format_} holds at most {longest} pixels a side, not {raw.width}×{raw.height}: use .tif"
        )
    with streamed(raw) as image:
        _write(image, path, format_, quality, progress)


def save_preview(raw: RawPicture, path: Path, longest: int = 1024, quality: int = 90) -> None:
    """Writes a raw picture scaled down until its longer side is at most `longest` pixels; else as `save_large`.

    Raises:
        ImageError: the suffix is unknown, or the file cannot be written.
        SettingsError: `quality` or `longest` is out of its range, or libvips is missing.
    """
    format_ = format_of(str(path))
    _check_quality(quality)
    if longest < 1:
        raise SettingsError(f"a preview of {longest} pixels: it needs at least 1")
    with streamed(raw) as image:
        size = fitted_size(raw.width, raw.height, longest)
        _write(scaled(image, size), path, format_, quality, None)


def jpeg_options(quality: int) -> dict[str, Any]:
    """What libvips is told of a JPEG: full colour resolution from 90 on, as in `ift.images`."""
    return {"Q": quality, "subsample_mode": "off" if quality >= 90 else "on"}


def _check_quality(quality: int) -> None:
    if not 1 <= quality <= 100:
        raise SettingsError(f"quality is {quality}, but must lie between 1 and 100")


def _write(image: Any, path: Path, format_: str, quality: int, progress: Progress | None) -> None:
    with whole(path) as part, writing(str(path)), followed(image, image.height, progress):
        _WRITERS[format_](image, str(part), quality)


def _write_tiff(image: Any, name: str, _quality: int) -> None:
    image.tiffsave(
        name,
        tile=True,
        tile_width=TILE,
        tile_height=TILE,
        pyramid=True,
        compression="deflate",
        predictor="horizontal",
        bigtiff=image.width * image.height * 3 > _CLASSIC_TIFF,
        keep="none",
    )


def _write_png(image: Any, name: str, _quality: int) -> None:
    image.pngsave(name, compression=4, filter="all", keep="none")  # as in `ift.images`


def _write_jpeg(image: Any, name: str, quality: int) -> None:
    image.jpegsave(name, **jpeg_options(quality), keep="none")


def _write_webp(image: Any, name: str, quality: int) -> None:
    image.webpsave(name, Q=quality, keep="none")


_WRITERS = {"tiff": _write_tiff, "png": _write_png, "jpeg": _write_jpeg, "webp": _write_webp}
