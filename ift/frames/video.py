"""Frames from a video file."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from PIL import Image

from ift.errors import ImageError
from ift.frames.frames import Frames
from ift.frames.pyav import DECODERS, opened_video
from ift.frames.raw_frames import RawFile
from ift.frames.video_colours import Bytes, refuse_what_is_not_srgb, to_rgb
from ift.settings import MAX_PIXELS

if TYPE_CHECKING:
    from av import VideoFrame
    from av.buffer import Buffer
    from av.container import InputContainer
    from av.video.stream import VideoStream

MOST_FRAMES = 200_000
"""Almost two hours at 30 frames a second: more in one file is a mistake, or malice."""

_USUAL_RATE = Fraction(25)
_TRANSPOSED = {
    (1, 0, 0, 1): None,
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
}
"""By (a, b, c, d) of ISO 14496-12's matrix: a pixel at (x, y) is shown at (ax + cy, bx + dy), y downwards."""


def open_video(
    path: Path,
    scratch: Path,
    resolution: int | None = None,
    max_pixels: int = MAX_PIXELS,
    most_frames: int = MOST_FRAMES,
) -> Frames:
    """The frames of a video: MP4, MOV, MKV, WebM or AVI.

    They come upright, with square pixels, as 8-bit sRGB; each keeps its time, so that a variable rate stays what it is.
    All are decoded once, into a raw file, as tall and wide as they will be stylized.

    Args:
        path: the file.
        scratch: folder for the raw file, 3 bytes a pixel; it goes with the folder.
        resolution: pixels to which the longer side is scaled down; smaller videos stay as they are.
        max_pixels: of a frame.
        most_frames: of the video.

    Raises:
        ImageError: the file cannot be read or decoded, is too large, too long, interlaced or HDR.
        SettingsError: PyAV is missing.
    """
    times: list[Fraction | None] = []
    with opened_video(path) as container:
        try:
            stream = _stream_of(container, max_pixels)
            with RawFile(scratch / f"{uuid.uuid4().hex}.rgb") as raw:
                for frame in _decoded(container, stream):
                    if len(times) == most_frames:
                        raise ImageError(f"has more than {most_frames} frames: cut it")
                    raw.append(_prepared(frame, stream, resolution, max_pixels))
                    times.append(None if frame.pts is None or not frame.time_base else frame.pts * frame.time_base)
                if not times:
                    raise ImageError("has no frames")
        except ImageError as error:
            raise ImageError(f"{path} {error}") from error
        rate = stream.average_rate or stream.guessed_rate or _USUAL_RATE
    names = tuple(f"frame{number:06d}" for number in range(1, len(times) + 1))
    return Frames(path, raw.frames, names, _rising(times, rate), rate)


def _stream_of(container: InputContainer, max_pixels: int) -> VideoStream:
    """The video in a container, ready to decode; never the cover of a piece of music."""
    streams = [stream for stream in container.streams.video if not stream.disposition & stream.disposition.attached_pic]
    if not streams:
        raise ImageError("has no video in it")
    stream = streams[0]
    if stream.codec_context is None:  # so PyAV says that there is no decoder, whatever its types promise
        raise ImageError(f"holds a codec that is not read (only {', '.join(DECODERS)}): convert it to H.264")
    codec = stream.codec_context.codec.canonical_name
    if codec not in DECODERS:
        raise ImageError(f"holds {codec}, which is not read (only {', '.join(DECODERS)}): convert it to H.264")
    _check_size(stream.codec_context.width, stream.codec_context.height, max_pixels)
    stream.thread_type = "AUTO"
    return stream


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise ImageError("is truncated: fetch or export it again")
        yield from packet.decode()


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise ImageError(
            f"has frames of {width * height / 1e6:.4g} megapixels ({width}×{height}),"
            f" more than the limit of {max_pixels / 1e6:.4g}: scale it down"
        )


def _prepared(frame: VideoFrame, stream: VideoStream, resolution: int | None, max_pixels: int) -> Bytes:
    """A frame as it will be stylized."""
    _check_size(frame.width, frame.height, max_pixels)  # which may change on the way
    if frame.interlaced_frame:
        raise ImageError("is interlaced: deinterlace it first, such as by ffmpeg -i IN -vf bwdif OUT")
    refuse_what_is_not_srgb(stream.codec_context)
    picture = Image.fromarray(to_rgb(frame))
    size = _size(picture.size, stream.sample_aspect_ratio, resolution)
    _check_size(*size, max_pixels)  # pixels may be declared a million times as wide as high
    if size != picture.size:
        picture = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    turn = _upright(frame)
    return np.asarray(picture if turn is None else picture.transpose(turn))


def _size(size: tuple[int, int], aspect: Fraction | None, resolution: int | None) -> tuple[int, int]:
    """Width and height with square pixels, of which neither loses any to this, within the resolution."""
    width, height = map(Fraction, size)
    if aspect:
        width, height = (width * aspect, height) if aspect > 1 else (width, height / aspect)
    scale = Fraction(1) if resolution is None else min(Fraction(1), resolution / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _upright(frame: VideoFrame) -> Image.Transpose | None:
    """How a frame is turned to be seen as it is meant."""
    matrix = cast("Mapping[str, Buffer]", frame.side_data).get("DISPLAYMATRIX")
    if matrix is None:
        return None
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32, 5).tolist()
    largest = max(map(abs, (a, b, c, d)))
    if not largest:  # no turn at all, says whoever wrote it
        return None
    turn = tuple(round(value / largest) for value in (a, b, c, d))
    if turn not in _TRANSPOSED:
        raise ImageError("is to be shown at an angle: turn it first")
    return _TRANSPOSED[turn]


def _rising(times: Sequence[Fraction | None], rate: Fraction) -> tuple[Fraction, ...]:
    """The frames' times; where a file does not tell them all, or in disorder, those of a constant rate."""
    known = [time for time in times if time is not None]
    if len(known) == len(times) and all(a < b for a, b in pairwise(known)):
        return tuple(known)
    return tuple(number / rate for number in range(len(times)))
