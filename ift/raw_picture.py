"""Pictures as raw RGB in scratch files: any rectangle is read or written, in any order, and nothing is held."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ift.box import Box
from ift.errors import ImageError

_CHANNELS = 3


@dataclass(frozen=True)
class RawPicture:
    """RGB, row by row, somewhere in a file; with system calls, for mapped pages would count as memory in use.

    Attributes:
        path: of the file.
        height: in pixels.
        width: in pixels.
        offset: bytes before it in the file.
        depth: bytes a value: 1, or 2 for 16 bits in the machine's order.
    """

    path: Path
    height: int
    width: int
    offset: int = 0
    depth: int = 1

    @property
    def nbytes(self) -> int:
        """Of the whole picture."""
        return self.height * self.width * _CHANNELS * self.depth

    def read(self, box: Box) -> Tensor:
        """(3, h, w) float32 in [0, 1] of a box in the picture.

        Raises:
            ImageError: the file is gone, or shorter than it should be.
        """
        values = np.empty((box.height, box.width, _CHANNELS), np.uint8 if self.depth == 1 else np.uint16)
        data, row = values.data.cast("B"), values.nbytes // box.height
        try:
            with self.path.open("rb", buffering=0) as file:
                for index in range(box.height):
                    file.seek(self._at(box, index))
                    if file.readinto(data[index * row : (index + 1) * row]) != row:
                        raise ImageError(f"the scratch file {self.path} is cut short: delete it and start again")
        except OSError as error:
            raise ImageError(f"the scratch file {self.path} cannot be read: {error.strerror}") from error
        return torch.from_numpy(values.astype(np.float32)).permute(2, 0, 1).div_(self._white)

    def write(self, box: Box, pixels: Tensor) -> None:
        """Puts (3, h, w) values in [0, 1] into a box; from any thread, into a file that exists.

        Raises:
            ImageError: a value is not finite, or the disk is full.
        """
        values = pixels.detach().to("cpu", torch.float32)
        if not values.isfinite().all():
            raise ImageError("the result contains NaN or infinite values")
        rounded = values.clamp(0, 1).mul(self._white).round().permute(1, 2, 0).contiguous().numpy()
        rounded = rounded.astype(np.uint8 if self.depth == 1 else np.uint16)
        data, row = rounded.data.cast("B"), rounded.nbytes // box.height
        try:
            with self.path.open("r+b") as file:
                for index in range(box.height):
                    file.seek(self._at(box, index))
                    file.write(data[index * row : (index + 1) * row])
        except OSError as error:
            raise self._unwritten(error) from error

    def create(self) -> RawPicture:
        """Makes the file, black, where there is none yet; takes no room on the disk before it is written to.

        Raises:
            ImageError: it cannot be made.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.truncate(max(file.tell(), self.offset + self.nbytes))
        except OSError as error:
            raise self._unwritten(error) from error
        return self

    @property
    def _white(self) -> int:
        return 255 if self.depth == 1 else 65_535

    def _at(self, box: Box, row: int) -> int:
        pixels = (box.top + row) * self.width + box.left
        return self.offset + pixels * _CHANNELS * self.depth

    def _unwritten(self, error: OSError) -> ImageError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return ImageError(f"{self.path.parent} is full: make room, or name another folder for scratch files")
        return ImageError(f"the scratch file {self.path} cannot be written: {error.strerror}")
