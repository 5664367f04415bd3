"""Colours of videos, compared with the drawings from which they were made."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ift.errors import ImageError
from ift.frames import open_frames
from ift.frames.video_colours import to_rgb, to_video
from tests.ift.frames.conftest import drawing, error, whole

av = pytest.importorskip("av")

Make = Callable[..., Path]


@pytest.mark.parametrize(
    "form",
    [
        {"tags": (6, 6, 6, 1), "matrix": 5},
        {"tags": (1, 1, 1, 1), "matrix": 1},
        {"tags": (5, 5, 6, 2), "matrix": 5, "full": True},
        {"tags": (1, 1, 1, 2), "matrix": 1, "full": True},
        {"tags": (7, 7, 7, 1), "matrix": 7},
        {"tags": (9, 1, 1, 1), "matrix": 9},
        {"matrix": 5},
        {"codec": "mjpeg", "pixel_format": "yuvj420p", "full": True, "options": {"qmin": "1", "qmax": "1"}},
        {"pixel_format": "yuv444p", "tags": (1, 1, 1, 1), "matrix": 1},
        {"pixel_format": "yuv420p10le", "tags": (1, 1, 1, 1), "matrix": 1},
    ],
    ids=str,
)
def test_matrices_and_ranges(video: Make, scratch: Path, form: dict[str, Any]) -> None:
    picture = open_frames(video("a.mkv", 1, **{"codec": "ffv1", **form}), scratch).pictures[0]
    expected = torch.from_numpy(drawing()).permute(2, 0, 1) / 255
    assert error(whole(picture), expected) < 1.1


@pytest.mark.parametrize(
    ("number", "red_weight", "blue_weight"),
    [(1, 0.2126, 0.0722), (5, 0.299, 0.114), (6, 0.299, 0.114), (7, 0.212, 0.087), (9, 0.2627, 0.0593)],
)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("half", [False, True])
def test_the_formulas_of_the_standards(
    number: int, red_weight: float, blue_weight: float, full: bool, half: bool
) -> None:
    pixels = drawing(0, 64, 96)
    red, green, blue = (pixels[..., channel].astype(float) for channel in range(3))
    luma = red_weight * red + (1 - red_weight - blue_weight) * green + blue_weight * blue
    chroma = [(blue - luma) / (2 - 2 * blue_weight), (red - luma) / (2 - 2 * red_weight)]
    if half:
        chroma = [plane.reshape(32, 2, 48, 2).mean((1, 3)) for plane in chroma]
    planes = [luma if full else 16 + luma * 219 / 255]
    planes += [128 + plane * (1 if full else 224 / 255) for plane in chroma]
    frame = av.VideoFrame(96, 64, "yuv420p" if half else "yuv444p")
    for target, plane in zip(frame.planes, planes, strict=True):
        padded = np.zeros((target.height, target.line_size), np.uint8)
        padded[:, : target.width] = plane.round().clip(0, 255)
        target.update(padded.tobytes())
    frame.colorspace, frame.color_range = number, 2 if full else 1
    difference = to_rgb(frame) - pixels.astype(float)
    assert np.abs(difference).mean() < 0.6
    assert np.abs(difference.mean((0, 1))).max() < 0.1


@pytest.mark.parametrize(("size", "matrix"), [((64, 96), 5), ((576, 720), 5), ((720, 960), 1), ((536, 1280), 1)])
def test_what_is_not_tagged_is_taken_for_what_players_take_it(size: tuple[int, int], matrix: int) -> None:
    pixels = np.full((*size, 3), (30, 200, 90), np.uint8)
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
        format="yuv444p", dst_colorspace=matrix, src_color_range=2, dst_color_range=1
    )
    frame.colorspace, frame.color_range = 2, 0
    assert np.abs(to_rgb(frame).astype(int) - pixels).max() <= 2


def test_luma_and_chroma_are_those_of_bt_709() -> None:
    red, green, blue = 200, 60, 30
    frame = to_video(np.full((16, 16, 3), (red, green, blue), np.uint8))
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    expected = (
        16 + luma * 219 / 255,
        128 + (blue - luma) / 1.8556 * 224 / 255,
        128 + (red - luma) / 1.5748 * 224 / 255,
    )
    for plane, value in zip(frame.planes, expected, strict=True):
        assert abs(np.frombuffer(plane, np.uint8)[0] - value) < 1


def test_chroma_lies_where_h264_has_it() -> None:
    pixels = drawing(0, 64, 96)
    red, green, blue = (pixels[..., channel].astype(float) for channel in range(3))
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    for plane, chroma in zip(to_video(pixels).planes[1:], ((blue - luma) / 1.8556, (red - luma) / 1.5748), strict=True):
        found = np.frombuffer(plane, np.uint8).reshape(32, -1)[:, :48]
        expected = 128 + chroma.reshape(32, 2, 96).mean(1)[:, ::2] * 224 / 255
        assert abs((found - expected)[:, 1:].mean()) < 0.2


def test_transparency_is_ignored(video: Make, scratch: Path) -> None:
    path = video("a.mkv", 1, codec="ffv1", pixel_format="yuva420p")
    picture = open_frames(path, scratch).pictures[0]
    assert error(whole(picture), torch.from_numpy(drawing()).permute(2, 0, 1) / 255) < 1


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ((9, 9, 16, 1), "is PQ: convert it"),
        ((9, 9, 18, 1), "is HLG: convert it"),
        ((1, 12, 1, 1), "is of a wide gamut: convert it"),
        ((8, 1, 1, 1), r"has an unknown colour matrix \(number 8 of H.273\)"),
    ],
)
def test_what_does_not_fit_is_refused(video: Make, scratch: Path, tags: tuple[int, ...], words: str) -> None:
    with pytest.raises(ImageError, match=rf"source\.mp4 {words}"):
        open_frames(video(count=1, tags=tags), scratch)
