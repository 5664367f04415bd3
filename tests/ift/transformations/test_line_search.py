import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ift.transformations.line_search import best_step

coefficient = st.floats(-1e3, 1e3).filter(lambda c: c == 0 or abs(c) > 1e-6)


def value(eta, c):
    return sum(c[k] * eta ** (k + 1) for k in range(4))


def oracle(c):
    """The least value over the real stationary points that NumPy finds, and 0."""
    roots = np.roots([4 * c[3], 3 * c[2], 2 * c[1], c[0]])
    candidates = [0.0, *roots.real]
    return min(value(eta, c) for eta in candidates)


@settings(max_examples=500)
@given(st.floats(-1e3, -1e-6), coefficient, coefficient, st.floats(1e-6, 1e3), st.floats(-12, 12))
def test_step_reaches_the_global_minimum(c1, c2, c3, c4, magnitude):
    scale = 10**magnitude
    c = [c1 * scale, c2, c3 / scale, c4 / scale**2]
    step, change = best_step(*c)
    reached, best = value(step, c), oracle(c)
    assert reached <= best + 1e-9 * abs(best)
    assert change == pytest.approx(reached, rel=1e-9)


@given(st.floats(-1e3, -1e-6), st.floats(1e-6, 1e3))
def test_without_style_term_the_quadratic_is_solved(c1, c2):
    step, _ = best_step(c1, c2, 0.0, 0.0)
    np.testing.assert_allclose(step, -c1 / (2 * c2), rtol=1e-9)


def test_flat_objective_is_left_alone():
    assert best_step(0.0, 0.0, 0.0, 0.0) == (0.0, 0.0)


@pytest.mark.parametrize("bad", [float("inf"), float("nan")])
def test_what_left_the_range_of_numbers_is_not_followed(bad):
    assert best_step(-1.0, bad, 0.0, 1.0) == (0.0, 0.0)
