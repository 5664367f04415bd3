"""Results into a folder of pictures or a video: rectangles in any order become frames, and frames stand in theirs."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np
from torch import Tensor

from ift.box import Box
from ift.errors import ImageError, SettingsError
from ift.frames.folder import SUFFIXES as PICTURES
from ift.frames.frames import Frames
from ift.frames.picture_files import PictureFiles, result_names
from ift.frames.video_colours import Bytes
from ift.frames.video_file import SUFFIXES, VideoFile

DEFAULT_RATE = Fraction(25)
"""Frames a second of a video that is made from a folder."""

_SLOWEST, _FASTEST = Fraction(1, 100), Fraction(1000)
_FINEST_RATE = 1001
"""The largest denominator that rates have, as in 30000/1001; a float has a far larger one."""

_FILES = (*PICTURES, ".avi", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".ts", ".m2ts", ".mts", ".3gp", ".ogv")
"""Suffixes that nobody means to give to a folder."""


class Destination(Protocol):
    """Where whole frames go, one after the other."""

    notes: list[str]

    def put(self, index: int, pixels: Bytes) -> None:
        """Adds the next frame, (H, W, 3); `index` counts from 0."""

    def finish(self) -> None:
        """All frames are there."""

    def close(self) -> None:
        """Lets go of everything, and takes away what is not finished."""


class Writer:
    """Takes rectangles of frames, from any thread, each pixel once; a context manager.

    Frames are held in memory while they are incomplete, and in `scratch` while they wait for an earlier one.

    Args:
        destination: of the frames.
        sizes: (H, W) of each.
        scratch: folder for those that wait; it goes with the folder.
    """

    def __init__(self, destination: Destination, sizes: Sequence[tuple[int, int]], scratch: Path) -> None:
        self._destination, self._sizes, self._scratch = destination, sizes, scratch
        self._begun: dict[int, _Canvas] = {}
        self._waiting: dict[int, Path] = {}
        self._next = 0
        self._lock = threading.Lock()

    def write(self, index: int, box: Box, pixels: Tensor) -> None:
        """Takes the pixels (3, h, w) in [0, 1] of a rectangle of a frame; `index` counts from 0.

        Raises:
            ImageError: the pixels are not finite, or a file cannot be written.
        """
        values = pixels.detach().to("cpu").float()
        if not values.isfinite().all():
            raise ImageError(f"frame {index + 1} contains NaN or infinite values")
        rounded = values.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy()
        with self._lock:
            if index not in self._begun:
                self._begun[index] = _Canvas(*self._sizes[index])
            canvas = self._begun[index]
            canvas.fill(box, rounded)
            if not canvas.left:
                self._complete(index, self._begun.pop(index).pixels)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done that was not asked for, in words."""
        return tuple(self._destination.notes)

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                if self._next < len(self._sizes):
                    raise ImageError(f"frame {self._next + 1} was not finished")
                self._destination.finish()
        finally:
            self._destination.close()

    def _complete(self, index: int, pixels: Bytes) -> None:
        if index != self._next:
            self._waiting[index] = self._kept(index, pixels)
            return
        self._destination.put(index, pixels)
        self._next += 1
        while self._next in self._waiting:
            path = self._waiting.pop(self._next)
            self._destination.put(self._next, np.fromfile(path, np.uint8).reshape(*self._sizes[self._next], 3))
            path.unlink()
            self._next += 1

    def _kept(self, index: int, pixels: Bytes) -> Path:
        path = self._scratch / f"{uuid.uuid4().hex}.rgb"
        try:
            path.write_bytes(pixels.data)
        except OSError as error:
            raise ImageError(
                f"frame {index + 1} cannot be kept in the scratch folder {self._scratch}: {error.strerror}"
            ) from error
        return path


class _Canvas:
    """A frame of which rectangles are filled, and how many pixels are left to fill."""

    def __init__(self, height: int, width: int) -> None:
        self.pixels: Bytes = np.zeros((height, width, 3), np.uint8)
        self.left = height * width

    def fill(self, box: Box, pixels: Bytes) -> None:
        self.pixels[box.slices] = pixels
        self.left -= box.height * box.width


def open_writer(
    output: Path,
    frames: Frames,
    quality: int = 95,
    *,
    scratch: Path,
    rate: Fraction | None = None,
    suffix: str | None = None,
) -> Writer:
    """A writer of the results of `frames`.

    Args:
        output: a video file (.mp4, .mov, .mkv, .webm), into which the source's sound is taken over, or a folder.
        frames: what was read.
        quality: 1 to 100, of JPEG, WebP and video.
        scratch: folder for frames that wait for earlier ones.
        rate: frames a second of a video from a folder, `DEFAULT_RATE` if not given; a video keeps its own times.
        suffix: of pictures, such as .jpg; those of the sources if not given.

    Raises:
        ImageError: the suffix is none that can be written.
        SettingsError: the output would overwrite its source, or is neither a folder nor a video that can be written;
            frames of several sizes, or too large ones, are to be one video; PyAV is missing; `quality` or `rate` is out
            of its range.
    """
    if not 1 <= quality <= 100:
        raise SettingsError(f"quality is {quality}, but must lie between 1 and 100")
    check_output(output, frames.source)
    sizes = [(picture.height, picture.width) for picture in frames.pictures]
    if output.suffix.lower() not in SUFFIXES:
        return Writer(PictureFiles(output, result_names(frames.names, suffix), quality), sizes, scratch)
    if len(set(sizes)) > 1:
        raise SettingsError(f"{output}: frames of several sizes are no video; name a folder")
    if frames.times and frames.rate:
        if rate is not None:
            raise SettingsError(f"{frames.source} is a video, whose frames keep their times: leave out the rate")
        return Writer(VideoFile(output, sizes[0], frames.times, frames.rate, quality, frames.source), sizes, scratch)
    rate = DEFAULT_RATE if rate is None else rate
    if not _SLOWEST <= rate <= _FASTEST:
        raise SettingsError(f"rate is {float(rate):g}, but must lie between {_SLOWEST} and {_FASTEST} frames a second")
    rate = rate.limit_denominator(_FINEST_RATE)
    times = [number / rate for number in range(len(frames))]
    return Writer(VideoFile(output, sizes[0], times, rate, quality, None), sizes, scratch)


def check_output(output: Path, source: Path) -> None:
    """What can be told of an output before any frame is read.

    Raises:
        SettingsError: it would overwrite its source, or is neither a folder nor a video that can be written.
    """
    there = output.exists() and source.exists()
    if output.resolve() == source.resolve() or (there and output.samefile(source)):
        raise SettingsError(f"{output} is where the frames come from: name another place")
    if output.suffix.lower() in SUFFIXES or output.is_dir():
        return
    if output.exists():
        raise SettingsError(f"{output} is a file, but the results need a folder: name another place")
    if output.suffix.lower() in _FILES:
        raise SettingsError(f"{output}: a video is written as {' '.join(SUFFIXES)}, pictures into a folder")
