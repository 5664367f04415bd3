"""The demo's pictures as exact squares: photos for contents, painted styles."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from jobs.demo.contents import write_contents
from jobs.demo.styles import STYLES

_PAINTED = 512  # side in pixels at which styles are painted for the job
_FLIPS = (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.ROTATE_180)
_KEPT = 0.93  # of the side, by each further crop


def photos(resolution: int) -> dict[str, Tensor]:
    """The demo's photos by name, each (3, resolution, resolution) in [0, 1].

    Raises:
        JobError: the packages that carry them are missing; the message names the remedy.
    """
    return {name: _tensor(_square(image, resolution)) for name, image in _photos().items()}


def photo(resolution: int) -> Tensor:
    """One of `photos`."""
    return _tensor(_square(_photos()["pagoda"], resolution))


@cache
def painted(name: str, resolution: int) -> Tensor:
    """The painted style `name`, (3, resolution, resolution) in [0, 1]."""
    return _tensor(Image.fromarray(STYLES[name](resolution)))


def write_squares(folder: Path, resolution: int, contents: int, styles: int) -> tuple[list[Path], list[Path]]:
    """Writes JPEGs made of the demo's pictures, flipped and cropped into as many as are asked for.

    Returns:
        The paths of the contents and of the styles.
    """
    paintings = [Image.fromarray(paint(min(_PAINTED, resolution))) for paint in STYLES.values()]
    return (
        _write(folder / "contents", list(_photos().values()), contents, resolution),
        _write(folder / "styles", paintings, styles, resolution),
    )


@cache
def _photos() -> dict[str, Image.Image]:
    with tempfile.TemporaryDirectory() as folder:
        return {path.stem: Image.open(path).convert("RGB") for path in write_contents(Path(folder))}


def _write(folder: Path, images: list[Image.Image], count: int, resolution: int) -> list[Path]:
    folder.mkdir(parents=True)
    paths = [folder / f"{number:04}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        turn, image = divmod(number, len(images))
        _square(_variant(images[image], turn), resolution).save(path, quality=95)
    return paths


def _variant(image: Image.Image, number: int) -> Image.Image:
    """Number 0 is the picture itself, 1 to 3 are flipped, each further four cropped somewhat more."""
    crop, flip = divmod(number, 1 + len(_FLIPS))
    left, top = (round(side * (1 - _KEPT**crop) / 2) for side in image.size)
    cut = image.crop((left, top, image.width - left, image.height - top))
    return cut.transpose(_FLIPS[flip - 1]) if flip else cut


def _square(image: Image.Image, side: int) -> Image.Image:
    return ImageOps.fit(image, (side, side), Image.Resampling.LANCZOS)


def _tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy()).float() / 255
