"""Frames from a folder of pictures."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ift.box import Box
from ift.errors import ImageError, SettingsError
from ift.frames import open_frames
from ift.images import load_image
from tests.ift.frames.conftest import drawing, whole


def _save(path: Path, time: int = 0, height: int = 20, width: int = 30) -> None:
    Image.fromarray(drawing(time, height, width)).save(path)


def test_pictures_come_in_natural_order_and_nothing_else_does(tmp_path: Path) -> None:
    for name in ("frame10.png", "frame2.png", "Frame1.jpg", ".hidden.png"):
        _save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "folder.png").mkdir()
    frames = open_frames(tmp_path, tmp_path)
    assert frames.names == ("Frame1.jpg", "frame2.png", "frame10.png")
    assert (len(frames), frames.source, frames.times, frames.rate) == (3, tmp_path, None, None)


def test_sizes_may_differ_and_any_rectangle_is_what_load_image_reads(tmp_path: Path) -> None:
    _save(tmp_path / "1.png", 0, 20, 30)
    _save(tmp_path / "2.png", 1, 25, 10)
    frames = open_frames(tmp_path, tmp_path)
    assert [(picture.height, picture.width) for picture in frames.pictures] == [(20, 30), (25, 10)]
    for name, picture in zip(frames.names, frames.pictures, strict=True):
        expected = load_image(tmp_path / name)
        assert torch.equal(whole(picture), expected)
        assert torch.equal(picture.read(Box(3, 4, 7, 5)), expected[:, 3:10, 4:9])


def test_what_is_transparent_lies_over_white(tmp_path: Path) -> None:
    pixels = np.dstack([drawing(0, 8, 8), np.zeros((8, 8), np.uint8)])
    Image.fromarray(pixels).save(tmp_path / "clear.png")
    (picture,) = open_frames(tmp_path, tmp_path).pictures
    assert torch.equal(whole(picture), torch.ones(3, 8, 8))


def test_what_is_read_may_be_changed(tmp_path: Path) -> None:
    _save(tmp_path / "1.png")
    (picture,) = open_frames(tmp_path, tmp_path).pictures
    before = whole(picture)
    whole(picture).zero_()
    assert torch.equal(whole(picture), before)


def test_threads_get_the_picture_that_they_ask_for(tmp_path: Path) -> None:
    for number in range(4):
        Image.new("RGB", (16, 16), (number * 50,) * 3).save(tmp_path / f"{number}.png")
    pictures = open_frames(tmp_path, tmp_path).pictures
    asked = list(range(4)) * 50
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: round(float(whole(pictures[number]).mean()) * 255), asked))
    assert found == [number * 50 for number in asked]


def test_the_longer_side_is_scaled_to_the_resolution(tmp_path: Path) -> None:
    _save(tmp_path / "1.png", 0, 20, 40)
    _save(tmp_path / "2.png", 0, 5, 8)
    sizes = [(picture.height, picture.width) for picture in open_frames(tmp_path, tmp_path, resolution=10).pictures]
    assert sizes == [(5, 10), (5, 8)]


def test_a_picture_that_cannot_be_read_is_named_at_once(tmp_path: Path) -> None:
    _save(tmp_path / "1.png")
    (tmp_path / "2.png").write_bytes((tmp_path / "1.png").read_bytes()[:60])
    with pytest.raises(ImageError, match=r"2\.png"):
        open_frames(tmp_path, tmp_path)


def test_a_picture_that_changes_its_size_is_noticed(tmp_path: Path) -> None:
    _save(tmp_path / "1.png", 0, 20, 30)
    _save(tmp_path / "2.png")
    first, _ = open_frames(tmp_path, tmp_path).pictures
    _save(tmp_path / "1.png", 0, 10, 30)
    with pytest.raises(ImageError, match="has changed its size"):
        first.read(Box(0, 0, 1, 1))


def test_mistakes_get_a_line(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a picture")
    with pytest.raises(ImageError, match="has no pictures: name a folder with"):
        open_frames(tmp_path, tmp_path)
    with pytest.raises(ImageError, match="nowhere does not exist"):
        open_frames(tmp_path / "nowhere", tmp_path)
    with pytest.raises(SettingsError, match="resolution is 0"):
        open_frames(tmp_path, tmp_path, resolution=0)
