"""Which transformation runs at a level, towards several styles, blended by α."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ift.moments import Moments, mix
from ift.settings import Settings
from ift.transformations import transformation
from ift.transformations.adain import adain_map
from ift.transformations.iterative import ift_map
from ift.transformations.ost import ost_map
from ift.transformations.wct import wct_map

CLOSED_FORMS = {"wct": wct_map, "ost": ost_map, "adain": adain_map}
AFFINE = ["ift", *CLOSED_FORMS]


def features(seed, pixels=60):
    g = torch.Generator().manual_seed(seed)
    mixing = torch.rand(8, 8, generator=g, dtype=torch.float64)
    return (mixing @ torch.rand(8, pixels, generator=g, dtype=torch.float64)).reshape(1, 8, 1, pixels)


CONTENT = features(0)
STYLES = [Moments.of(features(seed)) for seed in (1, 2, 3)]


def result(styles, weights, settings, level=1):
    shares = torch.tensor(weights, dtype=torch.float64).reshape(len(styles), 1)
    return transformation(Moments.of(CONTENT), styles, shares, level, settings)(CONTENT)


@pytest.mark.parametrize("method", CLOSED_FORMS)
@given(st.floats(0, 1), st.floats(0.05, 1))
def test_closed_forms_are_combined_and_blended_as_results(method, alpha, share):
    settings = Settings(method=method, alpha=alpha)
    one, other = (CLOSED_FORMS[method](Moments.of(CONTENT), style)(CONTENT) for style in STYLES[:2])
    expected = alpha * (share * one + (1 - share) * other) + (1 - alpha) * CONTENT
    torch.testing.assert_close(result(STYLES[:2], [share, 1 - share], settings), expected)


def test_ift_takes_the_mixed_target():
    settings = Settings()
    weights = torch.tensor([0.2, 0.3, 0.5])
    expected = ift_map(Moments.of(CONTENT), mix(STYLES, weights), 1, settings)(CONTENT)
    torch.testing.assert_close(result(STYLES, [0.2, 0.3, 0.5], settings), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("method", AFFINE)
def test_equal_styles_are_one(method):
    settings = Settings(method=method, alpha=0.7)
    expected = result(STYLES[:1], [1.0], settings)
    torch.testing.assert_close(result([STYLES[0]] * 3, [0.2, 0.3, 0.5], settings), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("method", AFFINE)
def test_a_style_without_weight_does_not_count(method):
    settings = Settings(method=method)
    torch.testing.assert_close(result(STYLES, [0, 1, 0], settings), result(STYLES[1:2], [1.0], settings))


def test_each_level_has_its_own_method_and_alpha():
    settings = Settings(method="adain,wct,ift,ost", alpha=(1, 0.5, 1, 0.25))
    for level, (method, alpha) in enumerate(zip(settings.method, settings.alpha, strict=True), 1):
        alone = Settings(method=method, alpha=alpha)
        assert torch.equal(result(STYLES[:1], [1.0], settings, level), result(STYLES[:1], [1.0], alone, level))


@pytest.mark.parametrize("method", AFFINE)
def test_each_picture_of_a_batch_has_its_own_weights(method):
    settings = Settings(method=method)
    contents = [features(10), features(11)]
    shares = torch.tensor([[0.9, 0.25], [0.1, 0.75]], dtype=torch.float64)
    maps = transformation(Moments.of(torch.cat(contents)), STYLES[:2], shares, 1, settings)
    for index, content in enumerate(contents):
        alone = transformation(Moments.of(content), STYLES[:2], shares[:, index : index + 1], 1, settings)
        torch.testing.assert_close(maps[index : index + 1](content), alone(content), rtol=1e-6, atol=1e-7)


def test_a_region_has_its_share_of_the_papers_lambda():
    whole = Settings(strength=None, lambda_=(3.0,) * 4, centred=False, tolerance=0)
    part = Settings(strength=None, lambda_=(3.0 * 60 / 240,) * 4, centred=False, tolerance=0)
    shares = torch.ones(1, 1, dtype=torch.float64)
    pixels = torch.tensor([240.0], dtype=torch.float64)
    scaled = transformation(Moments.of(CONTENT), STYLES[:1], shares, 1, whole, pixels)(CONTENT)
    torch.testing.assert_close(scaled, result(STYLES[:1], [1.0], part))
    assert not torch.allclose(scaled, result(STYLES[:1], [1.0], whole))
