"""WCT, OST and AdaIN against what defines them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from ift.moments import Moments
from ift.transformations import square_root
from ift.transformations.adain import adain_map
from ift.transformations.ost import ost_map
from ift.transformations.wct import wct_map

MAPS = {"wct": wct_map, "ost": ost_map, "adain": adain_map}


def features(channels, pixels, seed):
    """(1, C, 1, n), float64, correlated, non-negative."""
    g = torch.Generator().manual_seed(seed)
    mixing = torch.rand(channels, channels, generator=g, dtype=torch.float64) / channels**0.5
    return (mixing @ torch.rand(channels, pixels, generator=g, dtype=torch.float64)).reshape(1, channels, 1, pixels)


def covariance(x):
    return torch.atleast_2d(torch.cov(x[0, :, 0], correction=0))


def mean(x):
    return x[0, :, 0].mean(1)


@pytest.fixture
def no_floor(monkeypatch):
    monkeypatch.setattr(square_root, "_FLOOR", 1e-13)


def mapped(method, content, style):
    return MAPS[method](Moments.of(content), Moments.of(style))(content)


@pytest.mark.parametrize("method", ["wct", "ost"])
@pytest.mark.parametrize("channels", [1, 3, 64])
def test_the_result_has_the_mean_and_covariance_of_the_style(method, channels, no_floor):
    content, style = features(channels, 40 * channels, 1), features(channels, 30 * channels, 2)
    result = mapped(method, content, style)
    torch.testing.assert_close(mean(result), mean(style))
    torch.testing.assert_close(covariance(result), covariance(style), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("method", ["wct", "ost"])
def test_the_floor_costs_little_of_the_match(method):
    content, style = features(64, 4000, 1), features(64, 3000, 2)
    result = covariance(mapped(method, content, style))
    before = (covariance(content) - covariance(style)).norm()
    after = (result - covariance(style)).norm()
    assert after < 0.01 * covariance(style).norm() < before


def test_wct_is_whitening_and_colouring_by_symmetric_roots(no_floor):
    content, style = features(16, 500, 3), features(16, 400, 4)
    whiten = torch.from_numpy(sqrtm(torch.linalg.inv(covariance(content)).numpy()))
    colour = torch.from_numpy(sqrtm(covariance(style).numpy()))
    torch.testing.assert_close(wct_map(Moments.of(content), Moments.of(style)).matrix[0], colour @ whiten)


@given(st.integers(1, 12), st.integers(0, 999))
def test_ost_is_symmetric_positive_and_costs_no_more_than_wct(channels, seed):
    content, style = features(channels, 20 * channels, seed), features(channels, 20 * channels, seed + 1000)
    matrix = ost_map(Moments.of(content), Moments.of(style)).matrix[0]
    torch.testing.assert_close(matrix, matrix.mT)
    assert torch.linalg.eigvalsh(matrix)[0] > 0
    # Of maps between the same two Gaussians, the floored ones, this one moves them least: E|F' − F|².
    sigma_c, sigma_s = (sigma[0] for sigma in square_root.floored(Moments.of(content), Moments.of(style)))
    other = wct_map(Moments.of(content), Moments.of(style)).matrix[0]
    torch.testing.assert_close(matrix @ sigma_c @ matrix.mT, sigma_s)
    torch.testing.assert_close(other @ sigma_c @ other.mT, sigma_s)

    def cost(a):
        move = a - torch.eye(channels, dtype=torch.float64)
        return (move @ sigma_c @ move.mT).trace()

    assert cost(matrix) <= cost(other) * (1 + 1e-9)


def test_adain_gives_each_channel_the_mean_and_deviation_of_the_style(no_floor):
    content, style = features(64, 4000, 1), features(64, 3000, 2)
    result = mapped("adain", content, style)
    torch.testing.assert_close(mean(result), mean(style))
    torch.testing.assert_close(result.std(dim=(2, 3), correction=0), style.std(dim=(2, 3), correction=0))
    normalised = (content - content.mean(dim=(2, 3), keepdim=True)) / content.std(dim=(2, 3), correction=0)[
        ..., None, None
    ]
    expected = normalised * style.std(dim=(2, 3), correction=0)[..., None, None] + style.mean(dim=(2, 3), keepdim=True)
    torch.testing.assert_close(result, expected)


@pytest.mark.parametrize("method", MAPS)
def test_a_picture_in_its_own_style_stays(method):
    content = features(32, 300, 5)
    torch.testing.assert_close(mapped(method, content, content), content)


@pytest.mark.parametrize("method", MAPS)
def test_fewer_pixels_than_channels(method):
    content, style = features(64, 20, 1), features(64, 7, 2)
    result = mapped(method, content, style)
    assert result.isfinite().all()
    # No map can make more directions than the content has.
    assert torch.linalg.matrix_rank(covariance(result), rtol=1e-9) <= 19
    torch.testing.assert_close(mean(result), mean(style))


@pytest.mark.parametrize("method", MAPS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("value", [0.0, 3e-7, 5.3])
def test_one_colour_becomes_the_mean_of_the_style_and_not_noise(method, dtype, value):
    style = features(64, 3000, 2).float()
    content = torch.full((1, 64, 20, 20), value).to(dtype)
    result = mapped(method, content, style).float()
    spread = (result - mean(style).reshape(1, -1, 1, 1)).abs().max()
    assert spread <= 0.02 * style.max()


@pytest.mark.parametrize("method", MAPS)
def test_what_the_content_lacks_is_not_made_of_noise(method):
    g = torch.Generator().manual_seed(0)
    direction = torch.rand(64, 1, generator=g, dtype=torch.float64)
    noise = 1e-4 * torch.randn(64, 4000, generator=g, dtype=torch.float64)
    content = (direction * torch.rand(1, 4000, generator=g, dtype=torch.float64) + noise).reshape(1, 64, 1, 4000)
    style = features(64, 3000, 2)
    gain = torch.linalg.matrix_norm(MAPS[method](Moments.of(content), Moments.of(style)).matrix[0], 2)
    mean_variance = (covariance(content).trace() + covariance(style).trace()) / 2 / 64
    top = torch.linalg.eigvalsh(covariance(style))[-1]
    assert gain <= 1.05 * float(1 + top / (1e-3 * mean_variance)) ** 0.5


@pytest.mark.parametrize("method", MAPS)
def test_a_style_of_one_colour_takes_the_contrast_away(method):
    content, style = features(64, 3000, 2), torch.full((1, 64, 9, 9), 2.0, dtype=torch.float64)
    result = mapped(method, content, style)
    assert covariance(result).trace() < 0.2 * covariance(content).trace()
    torch.testing.assert_close(mean(result), mean(style.reshape(1, 64, 1, 81)))


@pytest.mark.parametrize("method", MAPS)
def test_a_batch_equals_its_pictures_one_by_one(method):
    contents, styles = [features(8, 100, s) for s in (1, 2)], [features(8, 100, s) for s in (3, 4)]
    together = mapped(method, torch.cat(contents), torch.cat(styles))
    for result, content, style in zip(together, contents, styles, strict=True):
        torch.testing.assert_close(result, mapped(method, content, style)[0])
