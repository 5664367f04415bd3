"""Frames from a folder of pictures."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
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
    """A picture file as `Pixels`, decoded when it is asked for.

    Args:
        path: the file.
        decoded: gives the whole picture (3, H, W) in a file, and had better remember it: its parts are read in a row.

    Attributes:
        height: in pixels.
        width: in pixels.
    """

    def __init__(self, path: Path, decoded: Callable[[Path], Tensor]) -> None:
        self._path, self._decoded = path, decoded
        self.height, self.width = decoded(path).shape[1:]

    def read(self, box: Box) -> Tensor:
        """(3, h, w) float32 in [0, 1].

        Raises:
            ImageError: the file has changed since its frames were opened, or cannot be read any more.
        """
        picture = self._decoded(self._path)
        if picture.shape[1:] != (self.height, self.width):
            raise ImageError(f"{self._path} has changed its size while it was being stylized: start again")
        rows, columns = box.slices
        return picture[:, rows, columns].clone()


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

    @lru_cache(maxsize=1)
    def decoded(path: Path) -> Tensor:
        return load_image(path, resolution, max_pixels)

    try:
        paths = [path for path in folder.iterdir() if _is_picture(path)]
    except OSError as error:
        raise ImageError(f"{folder} cannot be read: {error.strerror}") from error
    if not paths:
        raise ImageError(f"{folder} has no pictures: name a folder with {' '.join(SUFFIXES)} files")
    paths.sort(key=lambda path: natural_order(path.name))
    return Frames(folder, [PictureFile(path, decoded) for path in paths], tuple(path.name for path in paths))


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and not path.is_dir()
