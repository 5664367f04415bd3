"""Pictures too large for any viewer as a folder of small tiles, with a page that shows them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from ift.errors import ImageError, SettingsError
from ift.large.raw_source import streamed
from ift.large.saving import jpeg_options
from ift.large.vips import Progress, followed, writing
from ift.large.whole import whole
from ift.raw_picture import RawPicture

TILE = 254
"""Pixels a side of a tile, without the overlap."""

OVERLAP = 1
"""Pixels that a tile shares with each neighbour, so that no seams show when it is drawn larger or smaller."""

_NAME = "picture"
_PAGE = "index.html"
_OURS = {_PAGE, f"{_NAME}.dzi", f"{_NAME}_files"}


def save_deep_zoom(raw: RawPicture, folder: Path, quality: int = 90, progress: Progress | None = None) -> None:
    """Writes a Deep Zoom pyramid of a raw picture, and `index.html`, which shows it straight from the disk.

    `picture.dzi` and `picture_files` are what other viewers such as OpenSeadragon take. The folder appears whole or
    not at all; it takes the place of an earlier one.

    Args:
        raw: the picture.
        folder: where to; its parents are created.
        quality: 1 to 100, of the tiles, which are JPEG.
        progress: takes the rows that are done and all rows.

    Raises:
        ImageError: the folder holds something else, or cannot be written.
        SettingsError: `quality` is out of its range, or libvips is missing.
    """
    if not 1 <= quality <= 100:
        raise SettingsError(f"quality is {quality}, but must lie between 1 and 100")
    refuse_foreign(folder)
    options = ",".join(f"{name}={value}" for name, value in jpeg_options(quality).items())
    with streamed(raw) as image, whole(folder) as part:
        part.mkdir()
        with writing(str(folder)), followed(image, raw.height, progress):
            image.dzsave(
                str(part / _NAME),
                layout="dz",
                suffix=f".jpg[{options}]",
                tile_size=TILE,
                overlap=OVERLAP,
                keep="none",
            )
        for properties in part.rglob("vips-properties.xml"):
            properties.unlink()  # holds the date, so that no two would be equal
        (part / _PAGE).write_text(_page(raw, folder.resolve().name), encoding="utf-8")


def refuse_foreign(folder: Path) -> None:
    """Sees that a deep zoom may go into a folder.

    Raises:
        ImageError: it is a file, or holds other things.
    """
    if folder.is_dir() and (foreign := {path.name for path in folder.iterdir()} - _OURS):
        raise ImageError(f"{folder} holds other things, such as {min(foreign)}: name a folder that does not exist yet")
    if folder.exists() and not folder.is_dir():
        raise ImageError(f"{folder} is a file: name a folder that does not exist yet")


def _page(raw: RawPicture, title: str) -> str:
    from jinja2 import Environment

    template = (files("ift.large") / "viewer.html").read_text(encoding="utf-8")
    picture = {"width": raw.width, "height": raw.height, "tile": TILE, "overlap": OVERLAP, "folder": f"{_NAME}_files"}
    return (
        Environment(autoescape=True, keep_trailing_newline=True)
        .from_string(template)
        .render(title=title, picture=picture)
    )
