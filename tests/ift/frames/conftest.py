"""Smooth moving pictures, and videos of them made by PyAV."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ift.box import Box
from ift.frames import Frames, open_writer
from ift.parts import Pixels

HEIGHT, WIDTH = 64, 96


def drawing(time: int = 0, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """(H, W, 3) uint8: two ramps, and a wave that moves."""
    rows, columns = np.mgrid[0:height, 0:width]
    wave = 0.5 + 0.4 * np.sin((rows + columns) / 40 + time / 3)
    planes = np.stack([columns / width, rows / height, wave], -1)
    return (planes * 255).round().astype(np.uint8)


class Drawing:
    """A drawing as `Pixels`."""

    def __init__(self, time: int = 0, height: int = HEIGHT, width: int = WIDTH) -> None:
        self.height, self.width = height, width
        self._values = drawing(time, height, width)

    def read(self, box: Box) -> Tensor:
        return torch.from_numpy(self._values[box.slices].copy()).permute(2, 0, 1).float() / 255


def whole(pixels: Pixels) -> Tensor:
    """(3, H, W) in [0, 1]."""
    return pixels.read(Box(0, 0, pixels.height, pixels.width))


def error(a: Tensor, b: Tensor) -> float:
    """The mean absolute difference, in 255ths."""
    return float((a - b).abs().mean()) * 255


def drawings(count: int, source: Path, height: int = HEIGHT, width: int = WIDTH) -> Frames:
    """Frames such as from a folder."""
    pictures = [Drawing(time, height, width) for time in range(count)]
    return Frames(source, pictures, tuple(f"frame{number}.png" for number in range(count)))


def restyled(frames: Frames, output: Path, scratch: Path, **options: Any) -> tuple[str, ...]:
    """Writes the frames as they are, and returns the notes."""
    with open_writer(output, frames, scratch=scratch, **options) as writer:
        for index, picture in enumerate(frames.pictures):
            writer.write(index, Box(0, 0, picture.height, picture.width), whole(picture))
    return writer.notes


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def video(tmp_path: Path) -> Callable[..., Path]:
    """A function that makes a video of drawings with PyAV alone, and returns its path."""
    av = pytest.importorskip("av")

    def make(
        name: str = "source.mp4",
        count: int = 6,
        *,
        size: tuple[int, int] = (HEIGHT, WIDTH),
        codec: str = "libx264",
        pixel_format: str = "yuv420p",
        options: dict[str, str] | None = None,
        container_options: dict[str, str] | None = None,
        tags: tuple[int, int, int, int] | None = None,
        matrix: int = 5,
        full: bool = False,
        milliseconds: Sequence[int] | None = None,
        aspect: Fraction | None = None,
        sound: str | None = None,
    ) -> Path:
        path = tmp_path / name
        fast = {"preset": "ultrafast", "crf": "4"} if codec == "libx264" else {}
        with av.open(str(path), "w", container_options=container_options or {}) as container:
            stream = container.add_stream(codec, rate=25, options={**fast, **(options or {})})
            stream.height, stream.width, stream.pix_fmt = *size, pixel_format
            context = stream.codec_context
            if tags:
                context.colorspace, context.color_primaries, context.color_trc, context.color_range = tags
            if aspect:
                context.sample_aspect_ratio = aspect
            tick = Fraction(1, 1000 if milliseconds else 25)
            context.time_base = tick
            heard = container.add_stream(sound, rate=48_000) if sound else None
            for number in range(count):
                frame = av.VideoFrame.from_ndarray(drawing(number, *size), format="rgb24").reformat(
                    format=pixel_format,
                    dst_colorspace=matrix,
                    src_color_range=2,
                    dst_color_range=2 if full else 1,
                    interpolation=0x4 | 0x2000 | 0x40000 | 0x80000,  # bicubic, and rounded right
                )
                frame.pts, frame.time_base = milliseconds[number] if milliseconds else number, tick
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
            if heard:
                for frame in _sine(av, heard, count / 25):
                    container.mux(heard.encode(frame))
                container.mux(heard.encode())
        return path

    return make


def _sine(av: Any, stream: Any, seconds: float) -> list[Any]:
    wave = np.sin(np.arange(int(seconds * 48_000)) * 2 * np.pi * 440 / 48_000).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts = 48_000, 0
    context = stream.codec_context
    resampler = av.AudioResampler(context.format.name, "stereo", 48_000, context.frame_size or None)
    return [*resampler.resample(frame), *resampler.resample(None)]
