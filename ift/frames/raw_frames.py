"""Frames as raw 8-bit RGB in one scratch file, for they are read many times and in any order."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import torch
from torch import Tensor

from ift.box import Box
from ift.errors import ImageError
from ift.frames.video_colours import Bytes

_CHANNELS = 3


@dataclass(frozen=True)
class RawFrame:
    """One frame as `Pixels`: the rows of a rectangle are read from the file, and nothing is held.

    Attributes:
        path: of the scratch file.
        number: of the frame, from 0.
        height: in pixels.
        width: in pixels.
    """

    path: Path
    number: int
    height: int
    width: int

    def read(self, box: Box) -> Tensor:
        """(3, h, w) float32 in [0, 1]."""
        row = self.width * _CHANNELS
        with self.path.open("rb") as file:
            file.seek((self.number * self.height + box.top) * row)
            data = np.fromfile(file, np.uint8, box.height * row)
        rows = torch.from_numpy(data).reshape(box.height, self.width, _CHANNELS)
        return rows[:, box.left : box.right].permute(2, 0, 1).float().div_(255)


class RawFile:
    """The scratch file while it is written; taken away if that fails."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._frames: list[RawFrame] = []

    def __enter__(self) -> RawFile:
        self._file = self._path.open("wb")
        return self

    def append(self, pixels: Bytes) -> None:
        """Adds a frame, (H, W, 3).

        Raises:
            ImageError: it has another size than the others, or the disk is full.
        """
        height, width = pixels.shape[:2]
        first = self._frames[0] if self._frames else None
        if first and (height, width) != (first.height, first.width):
            raise ImageError(
                f"changes its size from {first.width}×{first.height} to {width}×{height}"
                f" at frame {len(self._frames) + 1}: bring it to one size, or cut it there"
            )
        try:
            self._file.write(np.ascontiguousarray(pixels).data)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise ImageError(
                f"needs {pixels.nbytes / 1e6:.3g} MB a frame of scratch space, and after {len(self._frames)} frames"
                f" {self._path.parent} is full: make room, take a lower resolution or cut it"
            ) from error
        self._frames.append(RawFrame(self._path, len(self._frames), height, width))

    @property
    def frames(self) -> tuple[RawFrame, ...]:
        """All that were added."""
        return tuple(self._frames)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if error is not None:
            self._path.unlink(missing_ok=True)
