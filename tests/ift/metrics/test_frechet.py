import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from ift.metrics.frechet import (
    art_frechet,
    descriptor_moments,
    frechet_distance,
    frechet_distance_to,
    moments_frechet,
    root,
    set_frechet,
)


def _gaussian(seed, channels=6, rank=None):
    generator = torch.Generator().manual_seed(seed)
    factor = torch.randn(channels, rank or channels, generator=generator, dtype=torch.float64)
    return torch.randn(channels, generator=generator, dtype=torch.float64), factor @ factor.T


def _by_scipy(mean_a, covariance_a, mean_b, covariance_b):
    """The formula of FID as its authors compute it."""
    common = sqrtm(covariance_a.numpy() @ covariance_b.numpy())
    traces = covariance_a.trace() + covariance_b.trace()
    return ((mean_a - mean_b).square().sum() + traces).item() - 2 * np.trace(common).real


def test_in_one_dimension_it_is_the_distance_of_means_and_of_standard_deviations():
    a, b = torch.tensor([1.0]), torch.tensor([4.0])
    assert frechet_distance(a, torch.tensor([[4.0]]), b, torch.tensor([[25.0]])) == pytest.approx(9 + 9)


def test_with_equal_covariances_only_the_means_count():
    mean, covariance = _gaussian(0, 40)
    assert frechet_distance(mean, covariance, mean + 0.5, covariance) == pytest.approx(40 / 4, rel=1e-6)


def test_of_commuting_covariances_the_roots_of_the_eigenvalues_are_compared():
    axes = torch.linalg.qr(_gaussian(1, 30)[1]).Q
    a, b = torch.linspace(0, 9, 30, dtype=torch.float64), torch.linspace(5, 1, 30, dtype=torch.float64)
    mean = torch.zeros(30)
    expected = (a.sqrt() - b.sqrt()).square().sum().item()
    actual = frechet_distance(mean, axes * a @ axes.T, mean, axes * b @ axes.T)
    assert actual == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_of_any_covariances_it_is_what_scipys_root_gives(seed):
    a, b = _gaussian(seed, 20), _gaussian(seed + 100, 20)
    assert frechet_distance(*a, *b) == pytest.approx(_by_scipy(*a, *b), rel=1e-9)


@given(st.integers(0, 1000), st.integers(1, 8), st.integers(1, 8), st.integers(1, 8))
def test_it_is_a_squared_distance_also_between_singular_covariances(seed, channels, rank_a, rank_b):
    a, b = _gaussian(seed, channels, rank_a), _gaussian(seed + 1, channels, rank_b)
    distance = frechet_distance(*a, *b)
    assert distance >= 0
    assert distance == pytest.approx(frechet_distance(*b, *a), rel=1e-6, abs=1e-6)
    assert frechet_distance(*a, *a) == pytest.approx(0, abs=1e-5)
    moved = frechet_distance(a[0] + 3, a[1], b[0] + 3, b[1])
    assert distance == pytest.approx(moved, rel=1e-6, abs=1e-6)


def test_a_point_is_as_far_as_the_mean_square_from_it():
    mean, covariance = _gaussian(3)
    nothing = torch.zeros(6, 6)
    expected = (mean.square().sum() + covariance.trace()).item()
    assert frechet_distance(torch.zeros(6), nothing, mean, covariance) == pytest.approx(expected)
    assert frechet_distance(mean, covariance, torch.zeros(6), nothing) == pytest.approx(expected)


def test_the_root_of_fewer_samples_than_dimensions_is_as_narrow_as_their_rank():
    x = torch.randn(20, 64, generator=torch.Generator().manual_seed(0))  # float32, as features are
    covariance = (x - x.mean(0)).T @ (x - x.mean(0)) / 20
    factor = root(covariance)
    assert factor.shape == (64, 19)
    torch.testing.assert_close(factor @ factor.T, covariance.double(), rtol=0, atol=1e-6)
    other = _gaussian(0, 64)
    expected = _by_scipy(torch.zeros(64), factor @ factor.T, *other)
    assert frechet_distance_to(torch.zeros(64), factor, *other) == pytest.approx(expected, rel=1e-6)


def test_sets_are_compared_by_the_gaussians_of_their_descriptors():
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(200, 8)), generator.normal(0.5, 2, size=(300, 8))
    gaussians = [torch.from_numpy(part) for x in (a, b) for part in (x.mean(0), np.cov(x, rowvar=False, bias=True))]
    actual = set_frechet(torch.from_numpy(a), torch.from_numpy(b))
    assert actual == pytest.approx(_by_scipy(*gaussians), rel=1e-9)


def test_a_set_in_half_precision_and_in_parts_gives_the_same():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.rand(2, 300, 32, generator=generator).half()
    whole = set_frechet(a, b)
    assert whole == pytest.approx(set_frechet(a.double(), b.double()), rel=1e-12)
    parts = descriptor_moments(a[:1]) + descriptor_moments(a[1:120]) + descriptor_moments(a[120:])
    assert moments_frechet(parts, descriptor_moments(b)) == pytest.approx(whole, rel=1e-9)


def test_one_picture_a_set_is_the_squared_distance():
    a, b = torch.rand(2, 1, 512, generator=torch.Generator().manual_seed(0))
    assert set_frechet(a, b) == pytest.approx((a.double() - b.double()).square().sum().item())


def test_small_sets_of_one_source_look_further_apart_than_large_ones():
    draws = torch.randn(4000, 64, generator=torch.Generator().manual_seed(0))
    few, many = set_frechet(draws[:50], draws[50:100]), set_frechet(draws[:2000], draws[2000:])
    assert few > 10 * many > 0


def test_art_frechet_multiplies_what_both_sides_lack():
    assert art_frechet(0.5, 3) == 6
    assert art_frechet(0, 0) == 1
