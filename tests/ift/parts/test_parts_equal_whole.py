"""A picture in parts is the picture in one piece, whatever is done to it."""

import pytest
import torch

from ift import Settings, fit_labels
from ift.box import Box
from ift.content_mask import Mask
from ift.padding import pad_to_multiple
from ift.parts import parts_of

HEIGHT, WIDTH = 231, 325


@pytest.fixture(scope="module")
def content(photo):
    return photo("skimage", "astronaut.png", HEIGHT, WIDTH)


@pytest.fixture(scope="module")
def painting(photo):
    return photo("sklearn", "flower.jpg", 160, 200)


def assert_equal(parts, whole, least=0.998):
    """To rounding; as bytes nearly everywhere exactly."""
    assert float((parts - whole).abs().max()) < 1e-3
    levels = (parts.mul(255).round() - whole.mul(255).round()).abs()
    assert levels.max() <= 1
    assert float((levels == 0).float().mean()) >= least


CASES = {
    "artistic": {"preset": "artistic"},
    "photo": {"preset": "photo"},
    "uncentred": {"centred": False, "strength": 1},
    "fixed step": {"solver": "fixed_step", "centred": False, "lambda_": 0.1},
    "one level": {"strength": (5, 5, 5, 5), "n_upd": (0, 0, 10, 0)},
    "nothing": {"n_upd": 0},
    "wct": {"method": "wct", "preset": "photo"},
    "ost": {"method": "ost", "alpha": 0.7},
    "adain": {"method": "adain", "gate": 0},
    "avatar": {"method": "avatar", "alpha": 0.8},
    "mixed": {"method": "adain,wct,ift,ost"},
    "fine to coarse": {"direction": "fine_to_coarse"},
    "cascade": {"form": "cascade"},
    "cascade, fine to coarse": {"form": "cascade", "direction": "fine_to_coarse", "method": "adain"},
    "twice": {"n_iter": 2, "method": "adain"},
    "re-anchored": {"n_iter": 2, "iterate": "level"},
    "colours kept": {"keep_colours": True},
    "guided": {"guided_radius": 7, "preset": "photo"},
    "guided, colours kept": {"guided_radius": 5, "keep_colours": True, "method": "adain"},
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_in_parts_as_in_one_piece(model, in_parts, content, painting, case):
    settings = Settings.from_options(**CASES[case])
    style = model.style(painting, patches=True)
    whole = model.stylize(content, style, settings=settings)
    (parts,) = in_parts([content], style, settings, tile=120)
    assert_equal(parts, whole)


@pytest.mark.parametrize("tile", [120, 168, 512])
def test_any_tile(model, in_parts, content, painting, tile):
    settings = Settings.from_options("photo", n_upd=3)
    style = model.style(painting)
    (parts,) = in_parts([content], style, settings, tile=tile)
    assert_equal(parts, model.stylize(content, style, settings=settings))


@pytest.mark.parametrize("method", ["ift", "wct", "ost", "adain"])
def test_masks(model, in_parts, content, painting, method):
    labels = (torch.arange(WIDTH) // 110 + (torch.arange(HEIGHT) // 90)[:, None] % 2).int()
    style = model.style([painting, painting.flip(0) * 0.5, painting], labels=[0, 1, None])
    settings = Settings.from_options("photo", method=method, n_upd=3)
    (parts,) = in_parts([content], style, settings, masks=[labels], tile=120)
    # WCT enlarges what rounding leaves in the smallest eigenvalues, most where regions are small.
    least = 0.996 if method == "wct" else 0.998
    assert_equal(parts, model.stylize(content, style, settings=settings, labels=labels), least)


def test_several_styles(model, in_parts, content, painting):
    style = model.style([painting, content], [2, 1])
    settings = Settings.from_options("artistic", n_upd=3)
    (parts,) = in_parts([content], style, settings, tile=168)
    assert_equal(parts, model.stylize(content, style, settings=settings))


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 9), (17, 31)])
def test_slivers(model, in_parts, content, painting, size):
    sliver = content[:, : size[0], : size[1]]
    style = model.style(painting)
    (parts,) = in_parts([sliver], style, Settings.from_options(), tile=8)
    assert_equal(parts, model.stylize(sliver, style))


@pytest.mark.parametrize(("height", "width", "tile"), [(299, 421, 152), (8, 8, 8), (1, 1, 64), (1000, 17, 8)])
def test_cores_cover_the_picture_once(height, width, tile):
    seen = torch.zeros(height, width)
    for part in parts_of(height, width, tile, 40):
        assert all(value % 8 == 0 for value in vars(part.core).values())
        assert max(part.core.height, part.core.width) <= max(tile, 16)
        rows, columns = part.inside.slices
        seen[rows, columns] += 1
        assert part.window.within(part.padded) == part.window
    assert (seen == 1).all()


def test_a_mask_of_another_size_is_the_fitted_one():
    labels = torch.arange(12).reshape(3, 4)
    mask = Mask(labels, 30, 43)
    fitted = pad_to_multiple(fit_labels(labels, 30, 43).double()[None, None])[0, 0].long()
    assert torch.equal(mask.read(Box(0, 0, 32, 48)), fitted)
    assert mask.areas() == {int(value): float((fitted == value).sum()) for value in fitted.unique()}
