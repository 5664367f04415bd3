"""A style in parts is the style in one piece."""

import pytest
import torch

from ift import fit_labels
from ift.content_mask import Mask
from ift.errors import SettingsError
from ift.parts import InMemory
from ift.parts.style_in_parts import style_in_parts

HEIGHT, WIDTH = 171, 213


@pytest.fixture(scope="module")
def painting(photo):
    return photo("sklearn", "flower.jpg", HEIGHT, WIDTH)


def assert_same(parts, whole):
    (one,), (other,) = parts.pictures, whole.pictures
    assert one.labels == other.labels
    assert one.patches is None
    assert parts.weights == whole.weights
    for mine, theirs in zip(one.moments, other.moments, strict=True):
        torch.testing.assert_close(mine.count, theirs.count, rtol=1e-6, atol=1e-3)
        for name in ("mean", "covariance"):
            expected = getattr(theirs, name)
            error = (getattr(mine, name) - expected).abs().max() / expected.abs().max().clamp(min=1e-3)
            assert float(error) < 3e-5


@pytest.mark.parametrize("tile", [None, 48, 128, 1024])
def test_any_tile(model, painting, tile):
    assert_same(style_in_parts(model, InMemory(painting), tile), model.style(painting))


@pytest.mark.parametrize("size", [(1, 1), (5, 90), (90, 8)])
def test_slivers(model, painting, size):
    sliver = painting[:, : size[0], : size[1]]
    assert_same(style_in_parts(model, InMemory(sliver), 16), model.style(sliver))


@pytest.mark.parametrize("tile", [None, 64, 104])
def test_regions_of_a_mask_of_another_size(model, painting, tile):
    labels = torch.tensor([[0, 0, 7], [0, 300, 300]])
    mask = Mask(labels, HEIGHT, WIDTH)
    whole = model.style(painting, labels=fit_labels(labels, HEIGHT, WIDTH))
    assert_same(style_in_parts(model, InMemory(painting), tile, mask), whole)


def test_a_region_that_is_in_one_tile_only(model, painting):
    labels = torch.zeros(HEIGHT, WIDTH, dtype=torch.int64)
    labels[150:, 190:] = 5
    parts = style_in_parts(model, InMemory(painting), 48, Mask(labels, HEIGHT, WIDTH))
    assert_same(parts, model.style(painting, labels=labels))


@pytest.mark.parametrize("label", [0, 3])
def test_one_label_for_the_whole_picture(model, painting, label):
    assert_same(style_in_parts(model, InMemory(painting), 104, label), model.style(painting, labels=label))


def test_it_stylizes_as_the_style_in_one_piece(model, painting):
    content = painting.flip(1)[:, :64, :80]
    parts, whole = (
        model.stylize(content, style)
        for style in (style_in_parts(model, InMemory(painting), 64), model.style(painting))
    )
    assert float((parts - whole).abs().max()) < 1e-3


@pytest.mark.parametrize("tile", [0, -8, 20])
def test_tiles_are_multiples_of_8(model, painting, tile):
    with pytest.raises(SettingsError, match="must be a multiple of 8"):
        style_in_parts(model, InMemory(painting), tile)
