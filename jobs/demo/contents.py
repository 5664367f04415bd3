"""Photographs for the demo that the optional dependencies carry in their wheels."""

from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from jobs.errors import JobError


class _Photo(NamedTuple):
    """Where a photograph lies: a file in a folder of an installed package."""

    package: str
    folder: str
    file: str


# Public domain or CC0, but for the pagoda and the flower: CC BY 2.0 (danielbuechele and vultilion, Flickr).
_PHOTOS = {
    "astronaut": _Photo("skimage", "data", "astronaut.png"),
    "cat": _Photo("skimage", "data", "chelsea.png"),
    "coffee": _Photo("skimage", "data", "coffee.png"),
    "rocket": _Photo("skimage", "data", "rocket.jpg"),
    "pagoda": _Photo("sklearn", "datasets/images", "china.jpg"),
    "flower": _Photo("sklearn", "datasets/images", "flower.jpg"),
}


def write_contents(folder: Path, longest_side: int = 768) -> list[Path]:
    """Write the photographs into `folder` as JPEGs; returns their paths.

    Args:
        folder: made if it does not exist.
        longest_side: in pixels; larger photographs are scaled down to it, smaller ones keep their size.

    Raises:
        JobError: scikit-image or scikit-learn is missing, or does not carry a photograph.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, photo in _PHOTOS.items():
        image = _read(photo)
        image.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
        paths.append(folder / f"{name}.jpg")
        image.save(paths[-1], quality=95)
    return paths


def _read(photo: _Photo) -> Image.Image:
    try:
        # Read from the package's folder: the packages' own loaders may go to the network.
        with files(photo.package).joinpath(photo.folder, photo.file).open("rb") as file:
            return Image.open(file).convert("RGB")
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise JobError(
            f'the demo takes its photographs from {photo.package}, which is not here ({error}): pip install "ift[demo]"'
        ) from error
