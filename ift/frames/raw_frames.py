"""Frames as raw 8-bit RGB in one scratch file, for they are read many times and in any order."""

from __future__ import annotations

import errno
from pathlib import Path
from types import TracebackType

import numpy as np

from ift.errors import ImageError
from ift.frames.video_colours import Bytes
from ift.raw_picture import RawPicture


class RawFile:
    """The scratch file while it is written; taken away if that fails.

    What it raises goes on from the name of the video: "clip.mp4" + " needs 6 MB a frame …".

    Raises:
        ImageError: the scratch folder cannot be written to.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._frames: list[RawPicture] = []

    def __enter__(self) -> RawFile:
        try:
            self._file = self._path.open("wb", buffering=0)  # nothing is left to be written, and to fail, at the end
        except OSError as error:
            raise self._unwritten(error) from error
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
        rest = np.ascontiguousarray(pixels).data.cast("B")
        try:
            while rest:  # a single call writes no more than 2 GiB, or what there is room for
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise self._unwritten(error) from error
            raise ImageError(
                f"needs {pixels.nbytes / 1e6:.3g} MB a frame of scratch space, and after {len(self._frames)} frames"
                f" {self._path.parent} is full: make room, take a lower resolution or cut it"
            ) from error
        self._frames.append(RawPicture(self._path, height, width, len(self._frames) * pixels.nbytes))

    @property
    def frames(self) -> tuple[RawPicture, ...]:
        """All that were added."""
        return tuple(self._frames)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if error is not None:
            self._path.unlink(missing_ok=True)

    def _unwritten(self, error: OSError) -> ImageError:
        return ImageError(f"cannot be unpacked into the scratch folder {self._path.parent}: {error.strerror or error}")
