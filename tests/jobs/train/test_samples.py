"""The sheet shows every photo and every reconstruction, pixel by pixel, in its row and column."""

from importlib.resources import files

import numpy as np
import pytest
import torch
from PIL import Image

from ift import Stylizer
from jobs.train.samples import sample_sheet


@pytest.fixture(scope="module")
def model():
    return Stylizer.from_pretrained(device="cpu", dtype=torch.float32)


def photo(file, height, width):
    with files("skimage").joinpath("data", file).open("rb") as stream:
        pixels = np.asarray(Image.open(stream).convert("RGB"))
    return torch.from_numpy(pixels[50 : 50 + height, 60 : 60 + width].copy()).permute(2, 0, 1).float() / 255


def reconstruction(model, image, level, gate):
    """8 bits, (H, W, 3)."""
    x, skips = image.unsqueeze(0), []
    with torch.no_grad():
        for stage in range(1, level + 1):
            x, skip = model.encoder.stage(stage, x, with_skip=True)
            skips.append(skip)
        for block in range(level, 0, -1):
            x = model.decoder.block(block, x, skips[block - 1], gate)
    return pixels(x[0])


def pixels(image):
    return (255 * image.clamp(0, 1)).round().permute(1, 2, 0).numpy().astype(int)


def place(sheet, picture):
    """Left and top of a picture on the sheet, to within rounding; None if it is not there exactly once."""
    height, width = picture.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(sheet[:, :, 1], (1, 8))[:, :, 0]
    starts = np.argwhere(np.abs(windows - picture[0, :8, 1]).max(-1) <= 1)
    found = [
        (left, top)
        for top, left in starts
        if sheet[top : top + height, left : left + width].shape == picture.shape
        and np.abs(sheet[top : top + height, left : left + width] - picture).max() <= 1
    ]
    return found[0] if len(found) == 1 else None


def test_each_photo_stands_beside_its_reconstructions(model):
    photos = [photo("coffee.png", 64, 80), photo("astronaut.png", 48, 64)]
    sheet = np.asarray(sample_sheet(model.encoder, model.decoder, photos, "step 7"), int)
    lefts, tops = [], []
    for image in photos:
        kinds = [(1, 0.0), (2, 0.0), (3, 0.0), (4, 0.0), (4, 1.0)]
        cells = [pixels(image), *(reconstruction(model, image, level, gate) for level, gate in kinds)]
        places = [place(sheet, cell) for cell in cells]
        assert None not in places
        xs = [left + image.shape[2] / 2 for left, _ in places]
        assert xs == sorted(xs) and len(set(xs)) == 6
        assert len({top for _, top in places}) == 1
        lefts.append(xs)
        tops.append(places[0][1])
    np.testing.assert_allclose(lefts[0], lefts[1], atol=1)
    assert tops[1] >= tops[0] + 64


def test_photos_are_cut_to_multiples_of_8(model):
    image = photo("coffee.png", 45, 60)
    sheet = np.asarray(sample_sheet(model.encoder, model.decoder, [image]), int)
    assert place(sheet, pixels(image[:, :40, :56])) is not None
    assert place(sheet, pixels(image[:, :45, :60])) is None


def test_titles_and_captions_are_written(model):
    image = photo("coffee.png", 32, 96)
    plain, titled = (sample_sheet(model.encoder, model.decoder, [image], title) for title in ("", "step 1,000"))
    assert titled.mode == "RGB" and titled.height > plain.height and titled.width == plain.width
    bright = (np.asarray(plain).min(-1) > 200).any(1)
    assert bright[: place(np.asarray(plain, int), pixels(image))[1]].any()  # the headings
