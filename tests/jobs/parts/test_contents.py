import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from PIL import Image

from ift import ImageError, load_image
from ift.box import Box
from jobs.errors import StorageError, TooLargeError
from jobs.parts.contents import Contents
from tests.jobs.pairs import picture


@pytest.fixture
def contents(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "node"))
    (tmp_path / "node").mkdir()
    return Contents(str(tmp_path / "out"), max_pixels=10**6, most_bytes=10**6)


def whole(raw):
    return raw.read(Box(0, 0, raw.height, raw.width))


def test_a_content_is_laid_down_once_and_is_what_others_read(contents, tmp_path):
    path = picture(tmp_path / "a.png", 1, (90, 70))
    raw = contents.open("group", 3, str(path), None)
    assert torch.equal(whole(raw), load_image(path))
    path.unlink()  # it is not asked for again
    assert contents.open("group", 3, str(path), None) == raw
    assert torch.equal(whole(contents.open("group", 4, str(picture(path, 1, (90, 70))), 45)), load_image(path, 45))


def test_sixteen_bits_are_kept(contents, tmp_path):
    values = torch.arange(40 * 30, dtype=torch.int32).reshape(30, 40) * 50
    Image.fromarray(values.numpy().astype("uint16")).save(tmp_path / "deep.png")
    raw = contents.open("group", 0, str(tmp_path / "deep.png"), None)
    assert raw.depth == 2
    assert float((whole(raw) - load_image(tmp_path / "deep.png")).abs().max()) < 1e-4


def test_a_group_goes_with_its_last_content(contents, tmp_path):
    path = picture(tmp_path / "a.png", 1)
    for row in (1, 2):
        contents.open("group", row, str(path), None)
    contents.forget("group", [1])
    assert (contents.folder / "group").exists()
    contents.forget("group", [2])
    assert not (contents.folder / "group").exists()


def test_a_group_that_goes_again_and_again_takes_no_content_from_those_who_open_one(contents, tmp_path):
    path = str(picture(tmp_path / "a.png", 1, (32, 24)))
    wanted = load_image(path)
    others = [Contents(str(tmp_path / "out"), max_pixels=10**6) for _ in range(3)]  # as of so many processes
    ends = threading.Event()

    def forgetting():
        while not ends.is_set():
            others[0].forget("group", [0])

    def opening(row):
        for _ in range(60):
            raw = others[row].open("group", row, path, None)
            assert raw.path.exists()  # for row 1 and 2 nobody forgets
            assert torch.equal(whole(raw), wanted)
            others[row].forget("group", [row])

    with ThreadPoolExecutor(3) as pool:
        forgets = pool.submit(forgetting)
        for opened in [pool.submit(opening, row) for row in (1, 2)]:
            try:
                opened.result()
            finally:
                ends.set()
        forgets.result()
    assert not others[0].folder.exists()


def test_the_folder_is_for_nobody_else(contents, tmp_path, monkeypatch):
    contents.open("group", 1, str(picture(tmp_path / "a.png", 1)), None)
    assert contents.folder.stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(StorageError, match="belongs to another user"):
        contents.open("group", 1, str(tmp_path / "a.png"), None)


def test_what_is_too_large_or_damaged_is_refused_by_its_own_name(contents, tmp_path):
    (tmp_path / "heavy.png").write_bytes(bytes(2 * 10**6))
    with pytest.raises(TooLargeError, match=r"heavy\.png"):
        contents.read(str(tmp_path / "heavy.png"))
    with pytest.raises(ImageError, match=r"wide\.png has 1\.44 megapixels"):
        contents.size(str(picture(tmp_path / "wide.png", 1, (1200, 1200))), None)
    (tmp_path / "torn.png").write_bytes(picture(tmp_path / "a.png", 1).read_bytes()[:200])
    with pytest.raises(ImageError, match=r"torn\.png"):
        contents.open("group", 1, str(tmp_path / "torn.png"), None)
