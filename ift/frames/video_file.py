"""Frames into a video file."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

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
    options: dict[str, str]


_H264 = ("libx264", 10, 51, {"preset": "medium"})
_FORMS = {
    ".mp4": _Form("mp4", *_H264),
    ".mov": _Form("mov", *_H264),
    ".mkv": _Form("matroska", *_H264),
    ".webm": _Form("webm", "libvpx-vp9", 12, 63, {"row-mt": "1", "cpu-used": "2", "deadline": "good", "b": "0"}),
}
SUFFIXES = tuple(_FORMS)


class VideoFile:
    """A video that is written frame by frame, and appears whole or not at all.

    Attributes:
        notes: what was done that was not asked for, in words.

    Args:
        path: with one of `SUFFIXES`: H.264 (VP9 in WebM), YUV 4:2:0, BT.709.
        times: of the frames in seconds, rising.
        rate: frames a second, on average.
        quality: 1 to 100, as of a JPEG.
        sound: a video whose sound is to be taken over; None for silence.

    Raises:
        SettingsError: PyAV or the encoder is missing.
    """

    def __init__(self, path: Path, times: Sequence[Fraction], rate: Fraction, quality: int, sound: Path | None) -> None:
        require_pyav()
        from av.codec import codecs_available

        self._form = _FORMS[path.suffix.lower()]
        if self._form.encoder not in codecs_available:
            raise SettingsError(f"this build of PyAV has no {self._form.encoder}: take PyPI's, or another suffix")
        self.notes: list[str] = []
        self._path, self._part = path, path.with_name(f".{uuid.uuid4().hex}.part")
        self._times, self._rate, self._quality, self._source = times, rate, quality, sound
        # In these ticks every time is a whole number.
        self._tick = Fraction(1, math.lcm(*(time.denominator for time in times)))
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
            even = _even(pixels)
            container = self._container or self._begin(*pixels.shape[:2], *even.shape[:2])
            frame = to_video(even)
            frame.pts, frame.time_base = int(self._times[index] / self._tick), self._tick
            container.mux(self._stream.encode(frame))
            if self._sound:
                self._sound.write_until(self._times[index])
        except (FFmpegError, OSError) as error:
            raise self._unwritten(error) from error

    def finish(self) -> None:
        """Puts the file in its place.

        Raises:
            ImageError: the file cannot be written.
        """
        from av import FFmpegError

        assert self._container is not None
        try:
            if self._sound:
                self._sound.finish()
            self._container.mux(self._stream.encode())
            self._container.close()
            self._part.replace(self._path)
        except (FFmpegError, OSError) as error:
            raise self._unwritten(error) from error

    def close(self) -> None:
        """Takes away what is not finished."""
        if self._sound:
            self._sound.close()
        if self._container is not None:
            self._container.close()
        self._part.unlink(missing_ok=True)

    def _begin(self, height: int, width: int, even_height: int, even_width: int) -> OutputContainer:
        import av

        self._path.parent.mkdir(parents=True, exist_ok=True)
        options = {"movflags": "+faststart"} if self._form.container in ("mp4", "mov") else {}
        container = av.open(str(self._part), "w", format=self._form.container, container_options=options)
        self._container = container
        worst, best = self._form.worst, self._form.best
        crf = round(worst - (worst - best) * self._quality / 100)
        stream = container.add_stream(
            self._form.encoder, rate=self._rate, options={**self._form.options, "crf": str(crf)}
        )
        stream.width, stream.height, stream.pix_fmt = even_width, even_height, "yuv420p"
        stream.codec_context.time_base = self._tick
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 1, 1, 1, 1
        self._stream = stream
        if (height, width) != (even_height, even_width):
            self.notes.append(f"{width}×{height} became {even_width}×{even_height}: video needs even sides")
        if self._source:
            self._sound = Sound(self._source, container)
            if self._sound.left_out:
                codecs, suffix = ", ".join(self._sound.left_out), self._path.suffix
                self.notes.append(f"no sound: {suffix} cannot hold {codecs}; .mkv can")
        return container

    def _unwritten(self, error: Exception) -> ImageError:
        return ImageError(f"{self._path} cannot be written: {getattr(error, 'strerror', None) or error}")


def _even(pixels: Bytes) -> Bytes:
    """With the last row and column once more where there is an odd number of them: nothing is cut off."""
    height, width = pixels.shape[:2]
    return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
