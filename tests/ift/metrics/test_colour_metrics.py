import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from ift.metrics.colours import colour_distance, colour_moments, colourfulness

RED = (0.6279554, 0.2248631, 0.1258463)  # Oklab of sRGB red and blue, as CSS Color 4 has them
BLUE = (0.4520137, -0.0324570, -0.3115281)


def _one_colour(*rgb):
    return torch.tensor(rgb).reshape(3, 1, 1).expand(3, 4, 5)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 1),
        ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), np.linalg.norm(np.subtract(RED, BLUE))),
        ((0.3, 0.5, 0.7), (0.3, 0.5, 0.7), 0),
    ],
)
def test_between_single_colours_it_is_their_distance_in_oklab(a, b, expected):
    distance = colour_distance(colour_moments(_one_colour(*a)), colour_moments(_one_colour(*b)))
    assert distance == pytest.approx(expected, abs=1e-5)


def test_black_and_white_in_equal_parts_are_half_the_way_from_grey_in_both_mean_and_spread():
    # Lightness 0 or 1, so mean and standard deviation 0.5; a picture of mean lightness 0.5 differs in the spread alone.
    halves = torch.cat([_one_colour(0.0, 0.0, 0.0), _one_colour(1.0, 1.0, 1.0)], -1)
    black = colour_moments(_one_colour(0.0, 0.0, 0.0))
    assert colour_distance(colour_moments(halves), black) == pytest.approx(0.5**0.5, abs=1e-4)


def test_of_photos_it_is_the_distance_of_gaussians_by_scipy(photo):
    moments = [colour_moments(photo("skimage", "coffee.png")), colour_moments(photo("sklearn", "flower.jpg"))]
    (mean_a, a), (mean_b, b) = ((m.mean[0].double().numpy(), m.covariance[0].double().numpy()) for m in moments)
    expected = np.sum((mean_a - mean_b) ** 2) + np.trace(a + b - 2 * sqrtm(a @ b).real)
    assert colour_distance(*moments) == pytest.approx(expected**0.5, rel=1e-4)
    assert colour_distance(moments[0], moments[0]) == pytest.approx(0, abs=1e-3)


def test_colourfulness_of_one_colour_by_hand():
    assert colourfulness(_one_colour(1.0, 0.0, 0.0)) == pytest.approx(0.3 * np.hypot(255, 127.5))


def test_colourfulness_of_a_photo_by_the_published_formula(photo):
    picture = photo("skimage", "coffee.png")
    red, green, blue = (255 * picture).double().numpy()
    rg, yb = red - green, 0.5 * (red + green) - blue
    expected = np.sqrt(rg.var() + yb.var()) + 0.3 * np.sqrt(rg.mean() ** 2 + yb.mean() ** 2)
    assert colourfulness(picture) == pytest.approx(expected, rel=1e-5)


@given(st.integers(0, 1000), st.integers(1, 9), st.integers(1, 9))
def test_grey_pictures_have_no_colours(seed, height, width):
    grey = torch.rand(1, height, width, generator=torch.Generator().manual_seed(seed)).expand(3, -1, -1)
    assert colourfulness(grey) == pytest.approx(0, abs=1e-4)
