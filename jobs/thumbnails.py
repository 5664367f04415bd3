"""Small pictures of files from anywhere, for contact sheets."""

from __future__ import annotations

from PIL import Image

from ift.errors import ImageError
from ift.images import decode_image
from jobs.errors import StorageError
from jobs.storage import read_uri

SIDE = 224
"""Of a cell in pixels; pictures are read twice as large, to be cropped."""


def thumbnail_of(uri: str) -> Image.Image | None:
    """The picture at a local path or URI; None if it cannot be read."""
    try:
        return thumbnail(read_uri(uri), uri)
    except (StorageError, ImageError):
        return None


def thumbnail(data: bytes, name: str) -> Image.Image:
    """The picture in the bytes of a file; `ImageError`, which says `name`, if there is none."""
    from torchvision.transforms.functional import to_pil_image  # takes as long to import as torch itself

    picture: Image.Image = to_pil_image(decode_image(data, name, 2 * SIDE))
    return picture
