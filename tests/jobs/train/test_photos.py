"""Which photos are trained on, how they are scaled, and what becomes of those that cannot be used."""

import numpy as np
import pytest
import torch
from PIL import Image

from ift.training.draws import Crop
from jobs.errors import JobError
from jobs.storage import open_store
from jobs.train.photos import Photos, list_photos
from tests.jobs.pairs import picture

WHOLE = Crop(0, 0.0, 0.0, False)


def gradient(path, width, height):
    """Red grows to the right and green downwards, so that a pixel's colour tells where it was."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    Image.fromarray(np.stack([x, y, 0 * x], 2).round().astype(np.uint8)).save(path)


def photos_in(folder, **options):
    settings = {"square": None, "shorter": None, **options}
    return Photos(str(folder), list_photos(open_store(str(folder))), **settings)


def test_pictures_are_found_below_the_folder_in_the_order_of_their_names(tmp_path):
    for name in ("b.png", "sub/deep/a.JPG", "a.webp", "c.txt", "._a.png", "sub/.hidden.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    assert list_photos(open_store(str(tmp_path))) == ["a.webp", "b.png", "sub/deep/a.JPG"]


@pytest.mark.parametrize("folder", ["", "nowhere"])
def test_a_folder_without_pictures_is_named(tmp_path, folder):
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(JobError, match=rf"no pictures below {tmp_path / folder}.*\.jpg"):
        list_photos(open_store(str(tmp_path / folder)))


def test_a_photo_keeps_its_size_or_is_shrunk_by_its_shorter_side(tmp_path):
    gradient(tmp_path / "wide.png", 200, 101)
    assert photos_in(tmp_path).photo(0).shape == (3, 101, 200)
    assert photos_in(tmp_path, shorter=50).photo(0).shape == (3, 50, 100)
    assert photos_in(tmp_path, shorter=300).photo(0).shape == (3, 101, 200)  # never enlarged for that
    square = photos_in(tmp_path, square=64).photo(0)
    assert square.shape == (3, 64, 64) and square.dtype == torch.uint8
    wanted = torch.linspace(0, 255, 64)
    assert (square[0].float() - wanted).abs().max() < 4 and (square[1].float() - wanted[:, None]).abs().max() < 4


@pytest.mark.parametrize(("width", "height"), [(321, 500), (500, 321), (333, 1001), (97, 96), (3000, 2001)])
def test_the_shorter_side_is_never_a_pixel_too_short_for_the_crop(tmp_path, width, height):
    gradient(tmp_path / "a.png", width, height)
    assert photos_in(tmp_path, shorter=96).crop(WHOLE, 96).shape == (3, 96, 96)


def test_a_small_photo_is_enlarged_for_the_crop_and_a_tiny_one_is_passed_over(tmp_path):
    picture(tmp_path / "a.png", 0, (40, 30))
    picture(tmp_path / "b.png", 1, (9, 300))
    told = {}
    photos = photos_in(tmp_path, tell=told.__setitem__)
    assert photos.photo(0, 60).shape == (3, 60, 80)
    assert torch.equal(photos.crop(Crop(1, 0.2, 0.7, True), 48), photos.crop(Crop(0, 0.2, 0.7, True), 48))
    assert list(told) == ["b.png"] and "9×300" in told["b.png"]


def test_a_crop_is_the_part_of_the_photo_that_it_names(tmp_path):
    gradient(tmp_path / "a.png", 101, 61)
    photos = photos_in(tmp_path)
    whole = torch.from_numpy(np.array(Image.open(tmp_path / "a.png"))).permute(2, 0, 1)
    assert torch.equal(photos.crop(Crop(0, 0.0, 0.999, False), 16), whole[:, :16, -16:])
    assert torch.equal(photos.crop(Crop(0, 0.999, 0.0, True), 16), whole[:, -16:, :16].flip(2))


def test_damaged_photos_give_way_to_the_next_in_order_and_are_told_of_once(tmp_path):
    for number in (0, 3):
        picture(tmp_path / f"{number}.png", number)
    (tmp_path / "1.png").write_bytes((tmp_path / "0.png").read_bytes()[:200])
    (tmp_path / "4.png").write_bytes(b"")
    names = ["0.png", "1.png", "2.png", "3.png", "4.png"]  # 2.png was there when they were listed
    told = []
    photos = Photos(str(tmp_path), names, square=None, shorter=None, tell=lambda *what: told.append(what))
    good = {number: photos.photo(number) for number in (0, 3)}
    assert not told and not torch.equal(good[0], good[3])
    for number, instead in ((1, 3), (2, 3), (4, 0), (1, 3)):
        assert torch.equal(photos.photo(number), good[instead])
    assert [name for name, _ in told] == ["1.png", "2.png", "4.png"]
    assert "truncated" in told[0][1] and "exist" in told[1][1] and "empty" in told[2][1]


def test_when_no_photo_can_be_used_the_first_reason_is_given(tmp_path):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"\xff\xd8\xff")
    with pytest.raises(JobError, match=r"none of the 2 pictures.*b\.jpg"):
        photos_in(tmp_path).photo(1)
