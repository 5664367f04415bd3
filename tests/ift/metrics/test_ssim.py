import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import correlate
from skimage.metrics import structural_similarity

from ift.metrics.ssim import SCALE_WEIGHTS, ms_ssim, scale_count, ssim


@pytest.fixture
def coffee(photo):
    return photo("skimage", "coffee.png", 256, 320)[1].double()


def _altered(name, plane):
    generator = torch.Generator().manual_seed(0)
    return {
        "ghost": (plane + plane.flip(0)) / 2,
        "pale": 0.7 * plane + 0.1,
        "dark": plane**2,
        "noisy": (plane + 0.1 * torch.randn(plane.shape, generator=generator)).clamp(0, 1),
        "inverted": 1 - plane,
    }[name]


def _skimage(a, b):
    return structural_similarity(
        a.numpy(), b.numpy(), gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1
    )


@pytest.mark.parametrize("name", ["ghost", "pale", "dark", "noisy", "inverted"])
@pytest.mark.parametrize("size", [(256, 320), (97, 41), (11, 12)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 2e-5)])
def test_ssim_is_scikit_images(coffee, name, size, dtype, tolerance):
    plane = coffee[: size[0], : size[1]]
    a, b = plane.to(dtype), _altered(name, plane).to(dtype)
    assert ssim(a, b) == pytest.approx(_skimage(plane, b.double()), abs=tolerance)


def test_of_flat_planes_only_the_luminance_term_is_left_and_nothing_is_lost_to_rounding():
    expected = (2 * 0.9 * 0.95 + 1e-4) / (0.9**2 + 0.95**2 + 1e-4)
    assert ssim(torch.full((40, 40), 0.9), torch.full((40, 40), 0.95)) == pytest.approx(expected, abs=1e-3)


def test_a_picture_smaller_than_the_window_has_one_window_cut_to_it():
    a, b = torch.rand(2, 5, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64).numpy()
    rows, columns = (np.exp(-((np.arange(n) - (n - 1) / 2) ** 2) / (2 * 1.5**2)) for n in (5, 8))
    weights = np.outer(rows, columns) / np.outer(rows, columns).sum()
    mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
    covariance = (weights * (a - mean_a) * (b - mean_b)).sum()
    variances = (weights * (a - mean_a) ** 2).sum() + (weights * (b - mean_b) ** 2).sum()
    luminance = (2 * mean_a * mean_b + 1e-4) / (mean_a**2 + mean_b**2 + 1e-4)
    expected = luminance * (2 * covariance + 9e-4) / (variances + 9e-4)
    assert ssim(torch.from_numpy(a), torch.from_numpy(b)) == pytest.approx(expected, abs=1e-12)


sizes = st.integers(1, 60)


@given(st.integers(0, 1000), sizes, sizes)
def test_both_are_1_for_the_picture_itself_symmetric_and_bounded(seed, height, width):
    a, b = torch.rand(2, height, width, generator=torch.Generator().manual_seed(seed))
    for measure in (ssim, ms_ssim):
        assert measure(a, a) == pytest.approx(1, abs=1e-6)
        assert measure(a, b) == pytest.approx(measure(b, a), abs=1e-6)
        assert measure(a, b) <= 1
    assert ms_ssim(a, b) >= 0


# pytorch-msssim 1.0.0, in float64.
@pytest.mark.parametrize(("name", "expected"), [("ghost", 0.574617230), ("pale", 0.952753971), ("dark", 0.910405706)])
def test_ms_ssim_is_pytorch_msssims(coffee, name, expected):
    assert ms_ssim(coffee, _altered(name, coffee)) == pytest.approx(expected, abs=1e-6)
    assert ms_ssim(coffee.float(), _altered(name, coffee).float()) == pytest.approx(expected, abs=1e-5)


def _terms(a, b):
    """SSIM and the contrast-structure term by scipy's direct correlation with the window."""
    taps = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(taps, taps) / np.outer(taps, taps).sum()

    def smooth(x):
        return correlate(x, window)[5:-5, 5:-5]

    mean_a, mean_b = smooth(a), smooth(b)
    structure = (2 * (smooth(a * b) - mean_a * mean_b) + 9e-4) / (
        smooth(a * a) - mean_a**2 + smooth(b * b) - mean_b**2 + 9e-4
    )
    luminance = (2 * mean_a * mean_b + 1e-4) / (mean_a**2 + mean_b**2 + 1e-4)
    return (luminance * structure).mean(), structure.mean()


@pytest.mark.parametrize(
    ("size", "scales"), [((176, 200), 5), ((175, 200), 4), ((99, 90), 4), ((50, 87), 3), ((21, 40), 1)]
)
def test_smaller_pictures_have_fewer_scales_whose_weights_sum_to_as_much(coffee, size, scales):
    a = coffee[: size[0], : size[1]].numpy()
    b = _altered("ghost", coffee)[: size[0], : size[1]].numpy()
    assert scale_count(*size) == scales
    actual = ms_ssim(torch.from_numpy(a), torch.from_numpy(b))
    weights = np.array(SCALE_WEIGHTS[:scales]) / sum(SCALE_WEIGHTS[:scales]) * sum(SCALE_WEIGHTS)
    expected = 1.0
    for scale, weight in enumerate(weights, start=1):
        similarity, structure = _terms(a, b)
        expected *= max(0, similarity if scale == scales else structure) ** weight
        a, b = (
            sum(x[i : 2 * (x.shape[0] // 2) : 2, j : 2 * (x.shape[1] // 2) : 2] for i in (0, 1) for j in (0, 1)) / 4
            for x in (a, b)
        )
    assert actual == pytest.approx(expected, abs=1e-9)


def test_a_negative_picture_has_no_similarity_left_at_some_scale(coffee):
    assert ssim(coffee, 1 - coffee) < 0
    assert ms_ssim(coffee, 1 - coffee) == 0
