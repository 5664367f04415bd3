import pytest
import torch
from skimage.filters import sobel

from ift.metrics.edges import edge_ssim, gradient_magnitude


@pytest.fixture
def coffee(photo):
    return photo("skimage", "coffee.png", 64, 80)[0].double()


@pytest.mark.parametrize("size", [(64, 80), (2, 5), (1, 1)])
def test_the_gradient_magnitude_is_scikit_images_sobel(coffee, size):
    plane = coffee[: size[0], : size[1]]
    torch.testing.assert_close(gradient_magnitude(plane), torch.from_numpy(sobel(plane.numpy())))


def test_an_edge_between_black_and_white_has_the_root_of_a_half(coffee):
    step = torch.zeros(5, 6)
    step[:, 3:] = 1
    assert gradient_magnitude(step).max() == pytest.approx(0.5**0.5)


def test_edges_know_nothing_of_brightness_or_sign_but_of_where_they_are(coffee):
    assert edge_ssim(coffee, coffee) == pytest.approx(1)
    assert edge_ssim(coffee, 1 - coffee) == pytest.approx(1)
    assert edge_ssim(coffee / 2 + 0.3, coffee / 2) == pytest.approx(1)
    assert edge_ssim(coffee, coffee.flip(0)) < 0.6
