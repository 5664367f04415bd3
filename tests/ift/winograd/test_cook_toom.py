from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ift.winograd.cook_toom import cook_toom

POINTS = [Fraction(p) for p in (0, 1, -1, 2, -2, Fraction(1, 2), Fraction(-1, 2))]
numbers = st.fractions(-5, 5, max_denominator=7)


def times(matrix, vector):
    return [sum((a * b for a, b in zip(row, vector, strict=True)), Fraction(0)) for row in matrix]


@given(st.data(), st.integers(2, 7))
def test_outputs_are_exactly_those_of_the_definition(data, count):
    f = cook_toom(POINTS[:count])
    tile = count - 1
    taps = data.draw(st.lists(numbers, min_size=3, max_size=3))
    inputs = data.draw(st.lists(numbers, min_size=tile + 2, max_size=tile + 2))
    products = [a * b for a, b in zip(times(f.filter, taps), times(f.input, inputs), strict=True)]
    assert times(f.output, products) == [sum(g * inputs[i + j] for j, g in enumerate(taps)) for i in range(tile)]


@given(st.data())
def test_any_different_points_do(data):
    points = data.draw(st.lists(numbers, min_size=3, max_size=5, unique=True))
    f = cook_toom(points)
    taps, inputs = [Fraction(1), Fraction(2), Fraction(3)], [Fraction(i * i - 3) for i in range(len(points) + 1)]
    products = [a * b for a, b in zip(times(f.filter, taps), times(f.input, inputs), strict=True)]
    assert times(f.output, products) == [
        sum(g * inputs[i + j] for j, g in enumerate(taps)) for i in range(len(points) - 1)
    ]


def test_it_is_the_published_f_2_3():
    """Lavin and Gray, eq. 5, whose rows have other signs: the products are the same but for a factor of ±1."""
    f = cook_toom([0, 1, -1])
    half = Fraction(1, 2)
    assert [tuple(map(abs, row)) for row in f.filter] == [(1, 0, 0), (half,) * 3, (half,) * 3, (0, 0, 1)]
    assert [tuple(map(abs, row)) for row in f.input] == [(1, 0, 1, 0), (0, 1, 1, 0), (0, 1, 1, 0), (0, 1, 0, 1)]
    assert f.output == ((1, 1, 1, 0), (0, 1, -1, 1))


@pytest.mark.parametrize("count", [3, 5, 7])
def test_opposite_points_differ_in_signs_only(count):
    f = cook_toom(POINTS[:count])
    columns = list(zip(*f.output, strict=True))
    for k in range(1, count, 2):
        assert [abs(x) for x in f.input[k]] == [abs(x) for x in f.input[k + 1]]
        assert [abs(x) for x in columns[k]] == [abs(x) for x in columns[k + 1]]
