import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ift.content_colours import with_colours_of
from ift.errors import SettingsError


def oklab(picture: torch.Tensor) -> np.ndarray:
    """(…, 3, H, W) sRGB to Oklab with the channels last, in float64, as published."""
    rgb = np.moveaxis(picture.double().numpy(), -3, -1)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    red, green, blue = np.moveaxis(linear, -1, 0)
    long = np.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    medium = np.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = np.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    return np.stack(
        [
            0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
            1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
            0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
        ],
        -1,
    )


def hue_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Degrees between the hues of Oklab colours."""
    turn = np.arctan2(a[..., 2], a[..., 1]) - np.arctan2(b[..., 2], b[..., 1])
    return np.abs(np.rad2deg(np.angle(np.exp(1j * turn))))


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def coffee(photo):
    return photo("skimage", "coffee.png").unsqueeze(0)


@pytest.fixture(scope="module")
def flower(photo):
    return photo("sklearn", "flower.jpg").unsqueeze(0)


def test_the_colour_space_of_these_tests_has_the_published_values():
    red = torch.tensor([1.0, 0.0, 0.0]).reshape(3, 1, 1)
    np.testing.assert_allclose(oklab(red)[0, 0], [0.6280, 0.2249, 0.1258], atol=1e-4)


def test_hue_is_the_contents_and_chroma_between_half_and_all_of_it(coffee, flower):
    for result, content in [(coffee, flower), (flower, coffee), (noise(1, 3, 96, 128), flower)]:
        made, wanted = oklab(with_colours_of(result, content)), oklab(content)
        chroma, wanted_chroma = (np.hypot(x[..., 1], x[..., 2]) for x in (made, wanted))
        assert (chroma <= wanted_chroma + 2e-3).all()
        assert ((chroma >= 0.5 * wanted_chroma - 2e-3) | (made[..., 0] < 0.05)).all()
        assert (chroma >= 0.9 * wanted_chroma - 2e-3).mean() > 0.5
        assert hue_difference(made, wanted)[(chroma > 0.02) & (wanted_chroma > 0.02)].max() < 0.5


@pytest.mark.parametrize("colour", [(0.1, 0.1, 0.9), (1.0, 0.85, 0.0), (0.9, 0.0, 0.1), (0.2, 0.7, 0.2)])
def test_a_saturated_content_keeps_its_hue_and_half_of_its_chroma_under_black_and_white_strokes(colour):
    content = torch.tensor(colour).reshape(1, 3, 1, 1).expand(1, 3, 16, 16)
    strokes = (torch.arange(16) % 4 < 2).float().expand(1, 3, 16, 16) * 0.8 + 0.1
    made, wanted = oklab(with_colours_of(strokes, content)), oklab(content)
    assert hue_difference(made, wanted).max() < 1
    assert (np.hypot(made[..., 1], made[..., 2]) >= 0.49 * np.hypot(wanted[..., 1], wanted[..., 2])).all()
    assert (made[..., 0, :2, 0] > made[..., 0, 2:4, 0]).all()


def test_lightness_follows_the_result_in_order():
    content = torch.tensor([0.55, 0.45, 0.4]).reshape(1, 3, 1, 1) + 0.1 * noise(1, 3, 20, 30)
    result = 0.3 + 0.4 * noise(1, 1, 20, 30, seed=1).expand(1, 3, 20, 30)
    order = np.argsort(oklab(result)[..., 0].ravel())
    made = oklab(with_colours_of(result, content))[..., 0].ravel()[order]
    assert (np.diff(made) > -1e-5).all()
    assert made[-1] - made[0] > 0.1


def test_mean_and_spread_of_lightness_become_the_contents_where_they_fit(coffee):
    content = 0.25 + 0.5 * coffee
    result = 0.1 + 0.4 * coffee.flip(-1)
    made, wanted = (oklab(x)[..., 0] for x in (with_colours_of(result, content), content))
    assert made.mean() == pytest.approx(wanted.mean(), abs=0.01)
    assert made.std() == pytest.approx(wanted.std(), rel=0.1)


def test_next_to_nothing_becomes_black_or_white():
    content = (0.3 + 0.6 * (noise(1, 1, 96, 128) > 0.5).float()).expand(1, 3, 96, 128)
    peaks = (noise(1, 1, 96, 128, seed=1).expand(1, 3, 96, 128) - 0.85).relu() * 3
    for result in (0.3 + peaks, 0.7 - peaks):
        lightness = oklab(with_colours_of(result, content))[..., 0]
        assert (lightness < 0.01).mean() < 0.03
        assert (lightness > 0.99).mean() < 0.03
        assert lightness.std() > oklab(result)[..., 0].std()


def test_strokes_on_a_calm_content_stay(flower):
    calm = torch.full_like(flower, 0.5) + 0.01 * flower
    made, strokes = (oklab(x)[..., 0].std() for x in (with_colours_of(flower, calm), flower))
    assert made > 0.5 * strokes


def test_each_picture_of_a_batch_is_taken_by_itself(coffee, flower):
    batch = with_colours_of(torch.cat([coffee, flower]), torch.cat([flower, coffee]))
    torch.testing.assert_close(batch[:1], with_colours_of(coffee, flower))
    torch.testing.assert_close(batch[1:], with_colours_of(flower, coffee))


def test_grey_content_gives_grey(flower):
    made = with_colours_of(flower, flower.mean(1, keepdim=True).expand_as(flower))
    assert (made.amax(1) - made.amin(1)).max() < 1e-3
    assert made.std() > 0.1


@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_the_content_itself_comes_back(coffee, flower, scale):
    primaries = torch.tensor([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)]).T.reshape(1, 3, 2, 4) * scale
    for content in (coffee * scale, flower * scale, noise(2, 3, 9, 5) * scale, primaries):
        torch.testing.assert_close(with_colours_of(content, content), content, rtol=0, atol=1e-3)


@pytest.mark.parametrize("result", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("content", [(0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.2, 0.3, 0.9), (1.0, 0.0, 0.0)])
@pytest.mark.parametrize("size", [(1, 1), (7, 5)])
def test_a_flat_result_gives_a_flat_content_back(result, content, size):
    flat = torch.tensor(content).reshape(1, 3, 1, 1).expand(1, 3, *size)
    torch.testing.assert_close(with_colours_of(torch.full_like(flat, result), flat), flat, rtol=0, atol=1e-3)


@settings(deadline=None)
@given(st.integers(0, 999), st.integers(1, 9), st.integers(1, 9), st.floats(0, 8), st.floats(0, 8))
def test_results_are_pictures_whatever_comes_in(seed, height, width, gamma, content_gamma):
    result = noise(2, 3, height, width, seed=seed) ** gamma
    content = noise(2, 3, height, width, seed=seed + 1) ** content_gamma
    made = with_colours_of(result, content)
    assert made.shape == content.shape
    assert made.isfinite().all()
    assert 0 <= made.min() <= made.max() <= 1


def test_what_a_network_overshoots_is_cut_off(flower):
    torch.testing.assert_close(
        with_colours_of(flower * 3 - 1, flower), with_colours_of((flower * 3 - 1).clamp(0, 1), flower)
    )


def test_pictures_that_do_not_fit_are_refused(flower):
    for result, content in [(flower, flower[..., :-1]), (flower[0], flower[0]), (flower[:, :1], flower[:, :1])]:
        with pytest.raises(SettingsError, match=r"both must be \(B, 3, H, W\)"):
            with_colours_of(result, content)
