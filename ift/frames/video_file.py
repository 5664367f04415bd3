"""Frames into a video file."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from ift.errors import ImageError, SettingsError
from ift.frames.pyav import require_pyav
from ift.frames.sound import Sound
from ift.frames.video_colours import Bytes, to_video

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream


class _Form(NamedTuple):
    """How a file of some suffix is written; `worst` is the encoder's constant quality at which nothing is left."""

    container: str
    encoder: str
    best: int
    worst: int
    longest_side: int
    options: dict[str, str]


_H264 = ("libx264", 10, 51, 16_384, {"preset": "medium"})
_VP9 = ("libvpx-vp9", 12, 63, 65_535, {"row-mt": "1", "cpu-used": "2", "deadline": "good", "b": "0"})
_FORMS = {
    ".mp4": _Form("mp4", *_H264),
    ".mov": _Form("mov", *_H264),
    ".mkv": _Form("matroska", *_H264),
    ".webm": _Form("webm", *_VP9),
}
SUFFIXES = tuple(_FORMS)

_MOST_TICKS = 1_000_000
"""A second: encoders and containers count in 32 bits."""


class VideoFile:
    """A video that is written frame by frame, and appears whole or not at all.

    Attributes:
        notes: what was done that was not asked for, in words.

    Args:
        path: with one of `SUFFIXES`: H.264 (VP9 in WebM), YUV 4:2:0, BT.709.
        size: (H, W) of the frames.
        times: of the frames in seconds, rising.
        rate: frames a second, on average.
        quality: 1 to 100, as of a JPEG.
        sound: a video whose sound is to be taken over; None for silence.

    Raises:
        SettingsError: PyAV or the encoder is missing, the frames are too large for it, or `path` is a folder.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        times: Sequence[Fraction],
        rate: Fraction,
        quality: int,
        sound: Path | None,
    ) -> None:
        require_pyav()
        from av.codec import codecs_available

        self._form = _FORMS[path.suffix.lower()]
        if self._form.encoder not in codecs_available:
            raise SettingsError(f"this build of PyAV has no {self._form.encoder}: take PyPI's, or another suffix")
        height, width = size
        if max(size) > self._form.longest_side:
            raise SettingsError(
                f"{path}: {width}×{height} is too large for {self._form.encoder}, whose sides have at most"
                f" {self._form.longest_side} pixels: take a lower resolution, or name a folder"
            )
        if path.is_dir():
            raise SettingsError(f"{path} is a folder, where a video should be written: name another place")
        self._even_height, self._even_width = height + height % 2, width + width % 2
        self.notes: list[str] = []
        if (height, width) != (self._even_height, self._even_width):
            self.notes.append(f"{width}×{height} became {self._even_width}×{self._even_height}: video needs even sides")
        self._path, self._part = path, path.with_name(f".{uuid.uuid4().hex}.part")
        self._times, self._rate, self._quality, self._source = times, rate, quality, sound
        self._tick = _tick(times, rate)
        self._container: OutputContainer | None = None
        self._stream: VideoStream
        self._sound: Sound | None = None

    def put(self, index: int, pixels: Bytes) -> None:
        """Adds the next frame, (H, W, 3); `index` counts from 0.

        Raises:
            ImageError: the file cannot be written.
        """
        from av import FFmpegError

        try:
            container = self._container or self._begin()
            frame = to_video(_even(pixels))
            frame.pts, frame.time_base = round(self._times[index] / self._tick), self._tick
            container.mux(self._stream.encode(frame))
            if self._sound:
                self._sound.write_until(self._times[index])
        except (FFmpegError, OSError, OverflowError) as error:  # OverflowError: times beyond 64 bits
            raise self._unwritten(error) from error

    def finish(self) -> None:
        """Puts the file in its place.

        Raises:
            ImageError: the file cannot be written.
        """
        from av import FFmpegError

        try:
            container = self._container or self._begin()
            container.mux(self._stream.encode())
            if self._sound:
                self._sound.finish()
            container.close()
            self._part.replace(self._path)
        except (FFmpegError, OSError) as error:
            raise self._unwritten(error) from error

    def close(self) -> None:
        """Takes away what is not finished."""
        from av import FFmpegError

        try:
            if self._sound:
                self._sound.close()
            if self._container is not None:
                with suppress(FFmpegError, OSError):  # of a file that is taken away next
                    self._container.close()
        finally:
            with suppress(OSError):  # where there is no such place, there is no such file
                self._part.unlink()

    def _begin(self) -> OutputContainer:
        import av

        self._path.parent.mkdir(parents=True, exist_ok=True)
        options = {"movflags": "+faststart"} if self._form.container in ("mp4", "mov") else {}
        # "file:", for FFmpeg takes what comes before a colon for a protocol.
        container = av.open(f"file:{self._part}", "w", format=self._form.container, container_options=options)
        self._container = container
        worst, best = self._form.worst, self._form.best
        crf = round(worst - (worst - best) * self._quality / 100)
        options = {**self._form.options, "crf": str(crf), "chroma_sample_location": "left"}
        stream = cast("VideoStream", container.add_stream(self._form.encoder, rate=self._rate, options=options))
        stream.width, stream.height, stream.pix_fmt = self._even_width, self._even_height, "yuv420p"
        encoder = stream.codec_context
        encoder.time_base = self._tick
        encoder.colorspace, encoder.color_primaries, encoder.color_trc, encoder.color_range = 1, 1, 1, 1
        self._stream = stream
        if self._source:
            self._sound = Sound(self._source, container)
            if self._sound.left_out:
                codecs, suffix = ", ".join(self._sound.left_out), self._path.suffix
                self.notes.append(f"left out the sound in {codecs}: {suffix} cannot hold it; .mkv can")
        return container

    def _unwritten(self, error: Exception) -> ImageError:
        return ImageError(f"{self._path} cannot be written: {getattr(error, 'strerror', None) or error}")


def _tick(times: Sequence[Fraction], rate: Fraction) -> Fraction:
    """The unit of which every time is a multiple, and the usual distance of frames; unless it were far too short."""
    exact = math.lcm(*(time.denominator for time in times))
    finer = math.lcm(exact, rate.numerator)
    return Fraction(1, finer if finer <= _MOST_TICKS else min(exact, _MOST_TICKS))


def _even(pixels: Bytes) -> Bytes:
    """With the last row and column once more where there is an odd number of them: nothing is cut off."""
    height, width = pixels.shape[:2]
    return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
