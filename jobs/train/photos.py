"""The photos that are trained on: found by their names, read as they are needed, and passed over where damaged."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from ift.errors import ImageError
from ift.images import decode_image, decoding, open_picture
from ift.padding import cut_to_multiple
from ift.settings import MAX_PIXELS
from ift.training.draws import Crop, cut
from jobs.errors import CredentialsError, JobError, StorageError, StorageUnavailableError
from jobs.storage import Store, open_store
from jobs.suffixes import SUFFIXES

_Item = TypeVar("_Item")

_LEAST = 16

_MOST_ENLARGED = 4
"""Times that a small picture is enlarged to the side of a crop: beyond it there is nothing to learn from."""


def list_photos(store: Store) -> list[str]:
    """The keys of all pictures in a folder or below an s3:// prefix, in the order of their names.

    Raises:
        StorageError: it cannot be listed.
        JobError: there is none.
    """
    names = sorted(key for key in store.list("") if _is_picture(key))
    if not names:
        raise JobError(f"there are no pictures below {store.uri} (looked for {' '.join(SUFFIXES)})")
    return names


def spread(items: Sequence[_Item], most: int | None) -> list[_Item]:
    """At most so many of them, evenly spaced; all if None."""
    if most is None or most >= len(items):
        return list(items)
    return [items[number * len(items) // most] for number in range(most)]


def whole_photos(store: Store, names: Sequence[str], resolution: int | None) -> Iterator[Tensor]:
    """Photos as the networks want them, with a bar; what cannot be read is named on stderr, and passed over.

    Args:
        store: that holds them.
        names: their keys.
        resolution: of photos whose longer side is longer; None for their own size.

    Yields:
        (3, H, W) in [0, 1], cut to multiples of 8, at the right and the bottom; at least 16 pixels each way.

    Raises:
        StorageError: the store is away, or does not accept who asks.
    """
    with tqdm(names, unit=" photos", dynamic_ncols=True) as bar:
        for name in bar:
            try:
                photo = decode_image(store.read(name), name, resolution)
                height, width = photo.shape[1:]
                if min(height, width) < _LEAST:
                    reason = f"is {width}×{height} pixels, and the encoder needs {_LEAST}×{_LEAST}"
                    raise ImageError(f"{name} {reason}")
            except (StorageUnavailableError, CredentialsError):
                raise
            except (ImageError, StorageError) as error:
                bar.write(f"skipped: {error}", file=sys.stderr)
            else:
                yield cut_to_multiple(photo)


def _is_picture(key: str) -> bool:
    name = PurePosixPath(key)
    return name.suffix.lower() in SUFFIXES and not name.name.startswith(".")  # '._a.jpg' is macOS's, and no picture


class Photos:
    """Reads pictures; may be called by many threads. One that cannot be used gives way to the next in order.

    Args:
        images: the folder or s3:// prefix.
        names: keys of the pictures below it.
        square: side to which each is resized, whatever its shape; None to keep the shape.
        shorter: pixels to which the shorter side is shrunk; None for as large as it is.
        tell: called once with the name and what is wrong, for each that cannot be used.
    """

    def __init__(
        self,
        images: str,
        names: Sequence[str],
        *,
        square: int | None,
        shorter: int | None,
        tell: Callable[[str, str], object] = lambda name, reason: None,
    ) -> None:
        self.names = names
        self._store = open_store(images)
        self._square, self._shorter, self._tell = square, shorter, tell
        self._told: set[str] = set()
        self._lock = threading.Lock()

    def crop(self, crop: Crop, side: int) -> Tensor:
        """The (3, side, side) bytes that `crop` names.

        Raises:
            JobError: none of the pictures can be used.
            StorageError: the store is away, or does not accept who asks.
        """
        return cut(self.photo(crop.photo, side), crop, side)

    def photo(self, number: int, side: int = 1) -> Tensor:
        """A picture as (3, H, W) bytes, H and W at least `side`; the next one that can be used, if it cannot.

        Raises:
            JobError: as `crop`.
            StorageError: as `crop`.
        """
        first = None
        for place in range(number, number + len(self.names)):
            name = self.names[place % len(self.names)]
            try:
                return self._read(name, side)
            except (StorageUnavailableError, CredentialsError):
                raise
            except (ImageError, StorageError) as error:
                first = first or error
                self._tell_once(name, str(error))
        raise JobError(
            f"none of the {len(self.names)} pictures below {self._store.uri} can be used; the first tried: {first}"
        )

    def _tell_once(self, name: str, reason: str) -> None:
        with self._lock:
            fresh = name not in self._told
            self._told.add(name)
        if fresh:
            self._tell(name, reason)

    def _read(self, name: str, side: int) -> Tensor:
        data = self._store.read(name)
        with decoding(name):
            size = open_picture(data, name, MAX_PIXELS).size
        if min(size) * _MOST_ENLARGED < side:
            raise ImageError(f"{name} has {size[0]}×{size[1]} pixels, too few for a crop of {side}")
        wanted = self._square or self._shorter
        # Rounded up, so that the shorter side is never a pixel too short.
        longer = math.ceil(max(size) * max(wanted, side) / min(size)) if wanted else None
        pixels = decode_image(data, name, longer).mul_(255).round_().to(torch.uint8)
        return _resized(pixels, self._size(pixels, side))

    def _size(self, pixels: Tensor, side: int) -> tuple[int, int]:
        """The height and the width that are wanted."""
        if self._square:
            return (max(self._square, side),) * 2
        height, width = pixels.shape[1:]
        scale = max(1.0, side / min(height, width))
        return math.ceil(height * scale), math.ceil(width * scale)


def _resized(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    if pixels.shape[1:] == size:
        return pixels
    # Pillow keeps to its own thread, where PyTorch would start as many as there are cores for each that reads.
    image = Image.fromarray(pixels.permute(1, 2, 0).numpy()).resize(size[::-1], Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)
