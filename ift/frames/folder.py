"""Frames from a folder of pictures."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from ift.box import Box
from ift.errors import ImageError
from ift.frames.frames import Frames
from ift.frames.natural_order import natural_order
from ift.images import load_image
from ift.settings import MAX_PIXELS

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".gif", ".bmp", ".ppm", ".pgm", ".jp2", ".avif")
"""Of files that are taken for pictures; what is in them is decided by their content."""


class PictureFile:
    """A picture file as `Pixels`, exactly as `load_image` reads it; only the latest rectangle's picture is held."""

    def __init__(self, path: Path, resolution: int | None, max_pixels: int, latest: _Latest) -> None:
        self._path, self._resolution, self._max_pixels, self._latest = path, resolution, max_pixels, latest
        self.height, self.width = self._decoded().shape[1:]

    def read(self, box: Box) -> Tensor:
        """(3, h, w) float32 in [0, 1].

        Raises:
            ImageError: the file has changed since its frames were opened, or cannot be read any more.
        """
        picture = self._decoded()
        if picture.shape[1:] != (self.height, self.width):
            raise ImageError(f"{self._path} has changed its size while it was being stylized: start again")
        rows, columns = box.slices
        return picture[:, rows, columns].clone()

    def _decoded(self) -> Tensor:
        if self._latest.path != self._path:
            self._latest.picture = load_image(self._path, self._resolution, self._max_pixels)
            self._latest.path = self._path
        return self._latest.picture


class _Latest:
    """The picture decoded last: parts of one picture are asked for in a row."""

    path: Path | None = None
    picture: Tensor


def open_folder(folder: Path, resolution: int | None = None, max_pixels: int = MAX_PIXELS) -> Frames:
    """The pictures of a folder in natural order, of any sizes; other files and folders in it do not count.

    Each is decoded once here, so that one that cannot be read is named before any work is done.

    Args:
        folder: where they are.
        resolution: pixels to which the longer sides are scaled down; smaller pictures stay as they are.
        max_pixels: of each.

    Raises:
        ImageError: there are no pictures, or one cannot be read.
    """
    paths = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")]
    if not paths:
        raise ImageError(f"{folder} has no pictures: name a folder with {' '.join(SUFFIXES)} files")
    paths.sort(key=lambda path: natural_order(path.name))
    latest = _Latest()
    pictures = [PictureFile(path, resolution, max_pixels, latest) for path in paths]
    return Frames(folder, pictures, tuple(path.name for path in paths))
