import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ift.metrics.features import content_distance, gram_distance, mean_std_distance
from ift.moments import Moments

# Two channels of 2×2 pixels.
ONES = torch.tensor([[[[1.0, 1.0], [1.0, 1.0]], [[0.0, 2.0], [0.0, 2.0]]]])
ROWS = torch.tensor([[[[3.0, 3.0], [1.0, 1.0]], [[0.0, 0.0], [4.0, 4.0]]]])


def test_content_distance_by_hand():
    # Differences: 2 2 0 0 and 0 −2 4 2, squares 32; the content's squares are 4 and 8.
    assert content_distance(ROWS, ONES) == pytest.approx(math.sqrt(32 / 12))


def test_gram_distance_by_hand():
    # G = FFᵀ/4: (1, 1; 1, 2) and (5, 2; 2, 8).
    assert gram_distance(Moments.of(ROWS), Moments.of(ONES)) == pytest.approx(math.sqrt((16 + 1 + 1 + 36) / 7))


def test_mean_std_distance_by_hand():
    # Means (1, 1) and (2, 2); standard deviations (0, 1) and (1, 2).
    assert mean_std_distance(Moments.of(ROWS), Moments.of(ONES)) == pytest.approx(math.sqrt(4 / 3))


def test_gram_and_mean_std_distance_do_not_depend_on_place_or_size():
    shuffled = ROWS.flip(-1).transpose(-1, -2)
    larger = ROWS.repeat(1, 1, 3, 5)
    for distance in (gram_distance, mean_std_distance):
        assert distance(Moments.of(shuffled), Moments.of(ROWS)) == pytest.approx(0, abs=1e-6)
        assert distance(Moments.of(larger), Moments.of(ROWS)) == pytest.approx(0, abs=1e-6)


@given(st.integers(0, 1000), st.integers(1, 8), st.integers(1, 5), st.floats(0, 4))
def test_features_of_another_scale_are_as_far_as_the_scale_is_from_1(seed, channels, side, scale):
    features = 0.1 + torch.rand(1, channels, side, side, generator=torch.Generator().manual_seed(seed))
    assert content_distance(scale * features, features) == pytest.approx(abs(scale - 1), abs=1e-5)
    moments, scaled = Moments.of(features), Moments.of(scale * features)
    assert mean_std_distance(scaled, moments) == pytest.approx(abs(scale - 1), abs=1e-4)
    assert gram_distance(scaled, moments) == pytest.approx(abs(scale**2 - 1), abs=1e-4)


def test_bfloat16_features_are_compared_in_float32():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.rand(2, 1, 512, 16, 16, generator=generator).bfloat16()
    expected = (a.double() - b.double()).norm() / b.double().norm()
    assert content_distance(a, b) == pytest.approx(expected.item(), rel=1e-5)
