"""s* and the comparison at equal content, against curves with known answers and a dense sampling of the lines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jobs.experiments.curves import Curve, at_equal_content, common_range

FRACTIONS = np.arange(1, 10) / 10
numbers = st.floats(0, 1, allow_subnormal=False)


@st.composite
def curves(draw):
    points = draw(st.integers(2, 8))
    return Curve(*(draw(arrays(np.float64, points, elements=numbers)) for _ in range(2)))


def sampled(curve, level, steps=20_000):
    """The least style distance over many points of the line."""
    at = np.linspace(0, len(curve.style) - 1, steps * (len(curve.style) - 1) + 1)
    places = np.arange(len(curve.style))
    preservation, style = np.interp(at, places, curve.preservation), np.interp(at, places, curve.style)
    return style[preservation >= level].min(initial=np.inf)


def test_a_straight_line_is_read_off():
    line = Curve(np.array([1.0, 0.0]), np.array([10.0, 2.0]))
    assert line.least_style(np.array([1.0, 0.75, 0.5, 0.0])) == pytest.approx([10, 8, 6, 2])
    assert line.least_style(np.array([1.1])) == np.inf


def test_a_line_that_comes_back_counts_where_it_was_best():
    back = Curve(np.array([1.0, 0.4, 0.8]), np.array([5.0, 3.0, 1.0]))  # gains style while it regains content
    assert back.least_style(np.array([0.9, 0.8, 0.5])) == pytest.approx([5 - 2 / 6, 1, 1])


@given(curves(), numbers)
def test_s_is_the_least_of_a_dense_sampling(curve, level):
    (found,) = curve.least_style(np.array([level]))
    expected = sampled(curve, level)
    assert found <= expected
    reach = np.abs(np.diff(curve.preservation)).max() / 20_000  # what one step of the sampling may overshoot
    assert found >= sampled(curve, level - 2 * reach - 1e-12) - 2 * np.abs(np.diff(curve.style)).max() / 20_000 - 1e-12


@given(curves())
def test_less_content_never_costs_style(curve):
    least = curve.least_style(np.linspace(1, 0, 30))
    assert (np.diff(np.where(np.isinf(least), 10, least)) <= 0).all()


@given(curves(), st.data())
def test_another_parametrisation_of_the_same_line_gives_the_same(curve, data):
    """Points put in between, on the line, and points said twice."""
    segments = len(curve.style) - 1
    extra = data.draw(st.lists(st.floats(0, segments), max_size=6))
    at = np.sort([*range(segments + 1), *extra])
    finer = Curve(*(np.interp(at, np.arange(segments + 1), line) for line in (curve.preservation, curve.style)))
    best, worst = curve.preservation.max(), curve.preservation.min()
    levels = best + FRACTIONS * (worst - best)
    assert finer.least_style(levels) == pytest.approx(curve.least_style(levels), abs=1e-9)


@given(curves())
def test_a_method_compared_with_itself_differs_by_nothing(curve):
    equal = at_equal_content({"ift": curve, "same": curve}, FRACTIONS)
    if equal is None:
        assert curve.preservation.max() == curve.preservation.min()
    else:
        assert (equal.least_style["ift"] == equal.least_style["same"]).all()


@given(curves(), st.floats(0.01, 1))
def test_a_dominated_curve_has_a_positive_difference(curve, more):
    worse = Curve(curve.preservation, curve.style + more)
    equal = at_equal_content({"ift": curve, "worse": worse}, FRACTIONS)
    if equal is not None:
        assert equal.least_style["worse"] - equal.least_style["ift"] == pytest.approx(np.full(9, more))


def test_the_common_range_is_what_all_reach():
    curves = {
        "far": Curve(np.array([0.9, 0.1]), np.array([1.0, 0.0])),
        "near": Curve(np.array([0.9, 0.95, 0.4]), np.array([1.0, 1.0, 0.0])),
    }
    assert common_range(curves) == (0.9, 0.4)
    equal = at_equal_content(curves, np.array([0.0, 0.5, 1.0]))
    assert equal.levels == pytest.approx([0.9, 0.65, 0.4])
    assert equal.least_style["far"] == pytest.approx([1, 1 - 0.25 / 0.8, 1 - 0.5 / 0.8])
    assert equal.least_style["near"] == pytest.approx([1 - 0.05 / 0.55, 1 - 0.3 / 0.55, 0])


def test_a_method_that_moves_nothing_leaves_no_range():
    still = Curve(np.array([0.9, 0.9]), np.array([1.0, 1.0]))
    assert (
        at_equal_content({"ift": Curve(np.array([0.9, 0.1]), np.array([1.0, 0.0])), "still": still}, FRACTIONS) is None
    )
