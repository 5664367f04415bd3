"""Results: rectangles become frames, and frames a folder or a video."""

import random
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ift.box import Box
from ift.errors import ImageError, SettingsError
from ift.frames import Frames, open_frames, open_writer
from tests.ift.frames.conftest import Drawing, drawing, drawings, restyled, whole

Make = Callable[..., Path]

PIECES = [Box(0, 0, 20, 96), Box(20, 0, 44, 7), Box(20, 7, 44, 60), Box(20, 67, 44, 29)]
"""Of a drawing, once each pixel."""


@pytest.fixture
def frames(tmp_path: Path) -> Frames:
    source = tmp_path / "source"
    source.mkdir()
    return drawings(5, source)


def _pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.mark.parametrize("seed", range(3))
def test_rectangles_come_in_any_order_from_any_thread(frames: Frames, tmp_path: Path, scratch: Path, seed: int) -> None:
    pieces = [(index, box) for index in range(len(frames)) for box in PIECES]
    random.Random(seed).shuffle(pieces)
    with open_writer(tmp_path / "out", frames, scratch=scratch) as writer, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda piece: writer.write(*piece, frames.pictures[piece[0]].read(piece[1])), pieces))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == list(frames.names)
    for index, name in enumerate(frames.names):
        assert np.array_equal(_pixels(tmp_path / "out" / name), drawing(index))
    assert not list(scratch.iterdir())


def test_a_frame_is_there_as_soon_as_it_is_whole(frames: Frames, tmp_path: Path, scratch: Path) -> None:
    with (
        pytest.raises(ImageError, match="frame 2 was not finished"),
        open_writer(tmp_path / "out", frames, scratch=scratch) as writer,
    ):
        for box in PIECES[:-1]:
            writer.write(0, box, frames.pictures[0].read(box))
        assert not (tmp_path / "out").exists()
        writer.write(0, PIECES[-1], frames.pictures[0].read(PIECES[-1]))
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["frame0.png"]


def test_values_are_clamped_and_rounded(tmp_path: Path, scratch: Path) -> None:
    frames = Frames(tmp_path, [Drawing(0, 1, 4)], ("a.png",))
    with open_writer(tmp_path / "out", frames, scratch=scratch) as writer:
        values = torch.tensor([-1, 0.4 / 255, 100.6 / 255, 2], dtype=torch.bfloat16).float().expand(3, 1, 4)
        writer.write(0, Box(0, 0, 1, 4), values)
    assert _pixels(tmp_path / "out" / "a.png")[0, :, 0].tolist() == [0, 0, 101, 255]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_refused(frames: Frames, tmp_path: Path, scratch: Path, value: float) -> None:
    pixels = torch.zeros(3, 2, 2)
    pixels[1, 1, 0] = value
    with (
        pytest.raises(ImageError, match="frame 3 contains NaN or infinite values"),
        open_writer(tmp_path / "out", frames, scratch=scratch) as writer,
    ):
        writer.write(2, Box(0, 0, 2, 2), pixels)


def test_frames_of_several_sizes_fit_a_folder_and_no_video(tmp_path: Path, scratch: Path) -> None:
    frames = Frames(tmp_path, [Drawing(0, 8, 8), Drawing(0, 9, 7)], ("a.png", "b.png"))
    restyled(frames, tmp_path / "out", scratch)
    assert _pixels(tmp_path / "out" / "b.png").shape == (9, 7, 3)
    with pytest.raises(SettingsError, match="frames of several sizes are no video; name a folder"):
        open_writer(tmp_path / "out.mp4", frames, scratch=scratch)


def test_the_suffix_decides_the_format(frames: Frames, tmp_path: Path, scratch: Path) -> None:
    restyled(frames, tmp_path / "out", scratch, suffix=".jpg")
    assert Image.open(tmp_path / "out" / "frame4.jpg").format == "JPEG"


def test_the_source_is_never_overwritten(frames: Frames, tmp_path: Path, scratch: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(frames.source)
    for output in (frames.source, link, frames.source / ".." / "source"):
        with pytest.raises(SettingsError, match="is where the frames come from"):
            open_writer(output, frames, scratch=scratch)
    video = tmp_path / "a.mp4"
    video.write_bytes(b"")
    with pytest.raises(SettingsError, match="is where the frames come from"):
        open_writer(video, replace(frames, source=video), scratch=scratch)


def test_outputs_that_nobody_means_are_refused(frames: Frames, tmp_path: Path, scratch: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.mp4").mkdir()
    for name, words in {
        "file": "is a file, but the results need a folder",
        "out.avi": r"a video is written as \.mp4 \.mov \.mkv \.webm, pictures into a folder",
        "out.PNG": "a video is written as",
    }.items():
        with pytest.raises(SettingsError, match=words):
            open_writer(tmp_path / name, frames, scratch=scratch)
    pytest.importorskip("av")
    with pytest.raises(SettingsError, match=r"folder\.mp4 is a folder, where a video should be written"):
        open_writer(tmp_path / "folder.mp4", frames, scratch=scratch)


def test_options_are_held_to_their_ranges(frames: Frames, tmp_path: Path, scratch: Path) -> None:
    for quality in (0, 101):
        with pytest.raises(SettingsError, match=f"quality is {quality}"):
            open_writer(tmp_path / "out", frames, quality, scratch=scratch)
    for rate in (Fraction(0), Fraction(-1), Fraction(1, 10**9), Fraction(10**9)):
        with pytest.raises(SettingsError, match=r"rate is .* must lie between 1/100 and 1000"):
            open_writer(tmp_path / "out.mp4", frames, scratch=scratch, rate=rate)
    with pytest.raises(SettingsError, match="whose frames keep their times: leave out the rate"):
        video = replace(frames, times=tuple(map(Fraction, range(5))), rate=Fraction(1))
        open_writer(tmp_path / "out.mp4", video, scratch=scratch, rate=Fraction(5))


def test_scratch_that_cannot_be_written_is_named(frames: Frames, tmp_path: Path) -> None:
    with (
        pytest.raises(ImageError, match=r"frame 2 cannot be kept in the scratch folder .*nowhere: No such file"),
        open_writer(tmp_path / "out", frames, scratch=tmp_path / "nowhere") as writer,
    ):
        writer.write(1, Box(0, 0, 64, 96), whole(frames.pictures[1]))


def test_without_pyav_folders_work_and_videos_say_what_is_missing(
    frames: Frames, tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    words = r'videos need PyAV: pip install "ift\[video\]"; or give a folder of pictures'
    (tmp_path / "a.mp4").write_bytes(b"\0\0\0\x18ftypisom")
    with pytest.raises(SettingsError, match=words):
        open_frames(tmp_path / "a.mp4", scratch)
    with pytest.raises(SettingsError, match=words):
        open_writer(tmp_path / "out.mp4", frames, scratch=scratch)
    restyled(frames, tmp_path / "out", scratch)
    assert len(open_frames(tmp_path / "out", scratch)) == 5
