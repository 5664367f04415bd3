"""Between a video's colours (a matrix of luma and chroma, a range) and RGB.

R'G'B' is taken for sRGB, and written as such: the curves of BT.709 video and of sRGB are, by custom, not converted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ift.errors import ImageError

if TYPE_CHECKING:
    from av import VideoFrame

Bytes = np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]
"""(H, W, 3)."""

# Numbers of ITU-T H.273, as FFmpeg has them.
_UNKNOWN = 2
_MATRICES = {1: "itu709", 4: "fcc", 5: "itu601", 6: "itu601", 7: "smpte240m", 9: "bt2020"}
_WIDE_PRIMARIES = (9, 11, 12)
_HDR_CURVES = {16: "PQ", 18: "HLG"}

_TALLEST_SD = 576
"""Lines up to which a video that does not say is taken for BT.601, as players do."""

_FULL = 2
_LIMITED = 1


def to_rgb(frame: VideoFrame) -> Bytes:
    """The pixels of a decoded frame as 8-bit RGB; transparency is ignored.

    Raises:
        ImageError: the frame's colours do not fit sRGB (HDR, wide gamut), or have an unknown matrix.
    """
    curve = _HDR_CURVES.get(frame.color_trc)
    if curve or frame.color_primaries in _WIDE_PRIMARIES:
        raise ImageError(f"the video is {curve or 'of a wide gamut'}: convert it to standard range, BT.709, first")
    flags = _exactly()
    if frame.format.is_rgb:
        return _pixels(frame.reformat(format="rgb24", interpolation=flags))
    matrix = _matrix_of(frame)
    # "yuvj…" is the old way of saying that the range is full.
    full = frame.color_range == _FULL or frame.format.name.startswith("yuvj")
    return _pixels(
        frame.reformat(
            format="rgb24",
            src_colorspace=matrix,
            src_color_range=_FULL if full else _LIMITED,
            dst_color_range=_FULL,
            interpolation=flags,
        )
    )


def to_video(pixels: Bytes) -> VideoFrame:
    """8-bit RGB with even sides as a frame in YUV 4:2:0 of limited range, with the matrix of BT.709, tagged so."""
    from av import VideoFrame

    frame = VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
        format="yuv420p",
        dst_colorspace="itu709",
        src_color_range=_FULL,
        dst_color_range=_LIMITED,
        interpolation=_exactly(),
    )
    frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range = 1, 1, 1, _LIMITED
    return frame


def _matrix_of(frame: VideoFrame) -> str:
    if frame.colorspace in (0, _UNKNOWN):
        return "itu601" if frame.height <= _TALLEST_SD else "itu709"
    matrix = _MATRICES.get(frame.colorspace)
    if matrix is None:
        raise ImageError(f"the video's colour matrix (number {frame.colorspace} of H.273) is not known: convert it")
    return matrix


def _exactly() -> int:
    """Chroma by bicubic interpolation, rounded right, and the same on every machine."""
    from av.video.reformatter import Interpolation

    return Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.BITEXACT


def _pixels(frame: VideoFrame) -> Bytes:
    pixels: Bytes = frame.to_ndarray()
    return pixels
