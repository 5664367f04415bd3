"""The demo's own pictures: painted the same way each time, rich, and unlike one another."""

import sys
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from jobs.demo.contents import write_contents
from jobs.demo.painting import Scene, along, over, ramp, step, trace
from jobs.demo.styles import STYLES, write_styles
from jobs.errors import JobError

SIZE = 128


@pytest.fixture(scope="module")
def pictures():
    return {name: paint(SIZE) for name, paint in STYLES.items()}


def contrast(picture):
    """Standard deviation of the lightness, 0 to 127."""
    return picture.mean(-1).std()


def colourfulness(picture):
    """Hasler and Süsstrunk's measure: 0 for grey, about 80 and more for vivid pictures."""
    red, green, blue = np.moveaxis(picture.astype(float), -1, 0)
    opponents = np.stack([red - green, (red + green) / 2 - blue])
    return np.hypot(*opponents.std((1, 2))) + 0.3 * np.hypot(*opponents.mean((1, 2)))


def signature(picture):
    """Colour and texture statistics: mean, covariance's root diagonal, and gradients at two scales."""
    values = picture.astype(float)
    coarse = values.reshape(SIZE // 4, 4, SIZE // 4, 4, 3).mean((1, 3))
    edges = [np.abs(np.diff(v, axis=axis)).mean((0, 1)) for v in (values, coarse) for axis in (0, 1)]
    return np.concatenate([values.mean((0, 1)), values.std((0, 1)), *edges])


def test_there_are_at_least_six_styles():
    assert len(STYLES) >= 6


@pytest.mark.parametrize("name", STYLES)
def test_a_style_is_the_same_picture_each_time(name, pictures):
    assert (STYLES[name](SIZE) == pictures[name]).all()


@pytest.mark.parametrize("name", STYLES)
def test_a_style_is_rich_in_contrast_colour_and_texture(name, pictures):
    picture = pictures[name]
    assert picture.shape == (SIZE, SIZE, 3) and picture.dtype == np.uint8
    assert contrast(picture) > 30
    assert colourfulness(picture) > (15 if name == "ink" else 30)
    assert np.abs(np.diff(picture.astype(int), axis=1)).mean() > 3
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100


def test_a_style_shows_the_same_picture_in_any_size(pictures):
    for name in ("woodblock", "golden_hour"):  # no strokes: those cover a small picture more coarsely
        double = STYLES[name](2 * SIZE).reshape(SIZE, 2, SIZE, 2, 3).mean((1, 3))
        both = np.stack([double.ravel(), pictures[name].ravel()])
        assert np.corrcoef(both)[0, 1] > 0.8


def test_all_styles_differ_in_colour_and_texture(pictures):
    signatures = {name: signature(picture) for name, picture in pictures.items()}
    distances = {
        pair: np.linalg.norm(signatures[pair[0]] - signatures[pair[1]]) for pair in combinations(signatures, 2)
    }
    assert min(distances.values()) > 25, min(distances, key=distances.get)


def test_styles_are_written_as_jpegs(tmp_path, monkeypatch):
    monkeypatch.setattr("jobs.demo.styles.STYLES", {"golden_hour": STYLES["golden_hour"]})
    (path,) = write_styles(tmp_path / "made" / "here", size=SIZE)
    assert path == tmp_path / "made" / "here" / "golden_hour.jpg"
    with Image.open(path) as image:
        assert (image.format, image.size) == ("JPEG", (SIZE, SIZE))
        assert np.abs(np.asarray(image, int) - STYLES["golden_hour"](SIZE)).mean() < 8


def test_ramp_meets_its_colours_and_clips_beyond_them():
    colours = ramp(np.array([-1, 0, 0.25, 0.5, 1, 2]), "000000", "ff0000", "ffffff") * 255
    assert colours.round().tolist() == [[0, 0, 0], [0, 0, 0], [128, 0, 0], [255, 0, 0], [255] * 3, [255] * 3]


def test_step_rises_or_falls_between_its_borders():
    value = np.array([0.0, 1.0, 1.5, 2.0, 3.0])
    assert step(1, 2, value).tolist() == [0, 0, 0.5, 1, 1]
    assert step(2, 1, value).tolist() == [1, 1, 0.5, 0, 0]


def test_over_is_the_lower_picture_at_zero_and_the_upper_at_one():
    below, above = np.zeros((1, 2, 3)), np.ones((1, 2, 3))
    assert over(below, above, np.array([[0.0, 1.0]]))[0].tolist() == [[0, 0, 0], [1, 1, 1]]


def test_paths_along_a_distance_field_stay_on_their_circle():
    scene = Scene(256, seed=0)
    away = scene.away(0.5, 0.5)
    turn = np.linspace(0, 6, 20)
    start = 0.5 + 0.3 * np.stack([np.cos(turn), np.sin(turn)], -1)
    paths = trace(start, along(away), length=0.1, steps=10)
    assert paths.shape == (20, 11, 2)
    assert np.abs(np.hypot(*(paths - 0.5).transpose(2, 0, 1)) - 0.3).max() < 0.005
    assert np.allclose(np.linalg.norm(np.diff(paths, axis=1), axis=-1), 0.01)


def test_noise_fills_its_range_and_tiles():
    noise = Scene(128, seed=3).noise(4)
    assert (noise.min(), noise.max()) == (0, 1)
    within = np.abs(np.diff(noise, axis=0)).max()
    assert np.abs(noise[0] - noise[-1]).max() <= 1.5 * within


def test_every_pixel_knows_its_nearest_site():
    scene = Scene(40, seed=0)
    sites = np.array([[0.2, 0.2], [0.8, 0.3], [0.5, 0.9]])
    cell, border = scene.nearest(sites)
    distances = np.stack([scene.away(*site) for site in sites])
    assert (cell == distances.argmin(0)).all()
    assert border.min() >= 0
    middle = np.abs(distances[0] - distances[1]) + 9 * (cell == 2)  # on the bisector of the first two
    assert border[np.unravel_index(middle.argmin(), middle.shape)] < 0.02


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    return write_contents(tmp_path_factory.mktemp("contents"), longest_side=300)


def test_contents_are_colour_photographs_of_the_size_asked_for(photographs):
    assert len(photographs) >= 5
    for path in photographs:
        with Image.open(path) as image:
            assert (image.format, image.mode, max(image.size)) == ("JPEG", "RGB", 300)
            assert min(image.size) > 150
            assert contrast(np.asarray(image)) > 20 and colourfulness(np.asarray(image)) > 15


def test_contents_are_not_scaled_up(tmp_path):
    sizes = {path.stem: Image.open(path).size for path in write_contents(tmp_path, longest_side=100_000)}
    assert sizes["cat"] == (451, 300)
    assert max(sizes["astronaut"]) == 512


def test_a_missing_package_is_named_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(JobError, match=r"skimage.*pip install \"ift\[demo\]\""):
        write_contents(tmp_path)
