"""Between a video's colours (a matrix of luma and chroma, a range) and RGB.

R'G'B' is taken for sRGB, and written as such: the curves of BT.709 video and of sRGB are, by custom, not converted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from ift.errors import ImageError

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.codeccontext import VideoCodecContext

Bytes = np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]
"""(H, W, 3)."""

_Plane = np.ndarray[tuple[int, int], np.dtype[np.uint8]]

# Numbers of ITU-T H.273, as FFmpeg has them.
_UNKNOWN = 2
_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}
"""swscale's numbers of what frames may have; given as such, for not all have names in older PyAV."""
_WIDE_PRIMARIES = (9, 11, 12)
_HDR_CURVES = {16: "PQ", 18: "HLG"}

_WIDEST_SD, _TALLEST_SD = 1279, 576
"""Up to which a video that does not say is taken for BT.601, as players do; 1280×536 is HD, cut for the cinema."""

_EXACTLY = 0x4 | 0x2000 | 0x40000 | 0x80000
"""Chroma by bicubic interpolation, in full resolution, rounded right, and the same on every machine.

These are FFmpeg's SWS_BICUBIC, SWS_FULL_CHR_H_INT, SWS_ACCURATE_RND and SWS_BITEXACT, not all named by older PyAV.
"""

_FULL = 2
_LIMITED = 1


def refuse_what_is_not_srgb(decoder: VideoCodecContext) -> None:
    """Sees that colours fit sRGB; asked of the decoder, for frames do not tell in PyAV before 17.

    Raises:
        ImageError: the video is HDR, or of a wide gamut.
    """
    curve = _HDR_CURVES.get(decoder.color_trc)
    if curve or decoder.color_primaries in _WIDE_PRIMARIES:
        raise ImageError(f"is {curve or 'of a wide gamut'}: convert it to standard range, BT.709, first")


def to_rgb(frame: VideoFrame) -> Bytes:
    """The pixels of a decoded frame as 8-bit RGB; transparency is ignored.

    Raises:
        ImageError: the frame's matrix is unknown.
    """
    if frame.format.is_rgb:
        return _pixels(frame.reformat(format="rgb24", interpolation=_EXACTLY))
    matrix = _matrix_of(frame)
    # "yuvj…" is the old way of saying that the range is full.
    full = frame.color_range == _FULL or frame.format.name.startswith("yuvj")
    return _pixels(
        frame.reformat(
            format="rgb24",
            src_colorspace=matrix,
            src_color_range=_FULL if full else _LIMITED,
            dst_color_range=_FULL,
            interpolation=_EXACTLY,
        )
    )


def to_video(pixels: Bytes) -> VideoFrame:
    """8-bit RGB with even sides as a frame in YUV 4:2:0 of limited range, with the matrix of BT.709.

    Chroma is sampled where H.264 has it, beside the left one of two columns and between two rows; FFmpeg's scaler,
    which PyAV cannot tell, would put it between the columns, and shift all colours by half a pixel.
    """
    from av import VideoFrame

    frame = VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
        format="yuv444p",
        dst_colorspace=_MATRICES[1],
        src_color_range=_FULL,
        dst_color_range=_LIMITED,
        interpolation=_EXACTLY,
    )
    luma, *chroma = cast("Bytes", frame.to_ndarray())
    planes = [luma, *map(_halved, chroma)]
    height, width = luma.shape
    packed = np.concatenate([plane.reshape(-1) for plane in planes]).reshape(height * 3 // 2, width)
    return VideoFrame.from_ndarray(packed, format="yuv420p")


def _halved(plane: _Plane) -> _Plane:
    """(H, W) to (H / 2, W / 2): the mean of two rows, and of columns by 1, 2, 1 around each second one."""
    rows = plane[0::2].astype(np.uint16) + plane[1::2]
    before = np.pad(rows, ((0, 0), (1, 0)), mode="edge")[:, :-1:2]
    halved: _Plane = ((before + 2 * rows[:, 0::2] + rows[:, 1::2] + 4) // 8).astype(np.uint8)
    return halved


def _matrix_of(frame: VideoFrame) -> int:
    if frame.colorspace in (0, _UNKNOWN):
        standard = frame.width <= _WIDEST_SD and frame.height <= _TALLEST_SD
        return _MATRICES[5 if standard else 1]
    matrix = _MATRICES.get(frame.colorspace)
    if matrix is None:
        raise ImageError(f"has an unknown colour matrix (number {frame.colorspace} of H.273): convert it")
    return matrix


def _pixels(frame: VideoFrame) -> Bytes:
    return cast("Bytes", frame.to_ndarray())
