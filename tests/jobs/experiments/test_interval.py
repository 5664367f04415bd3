"""Means over pairs and their intervals: which pairs count as independent."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from jobs.experiments.interval import Estimate, estimate, estimates
from jobs.experiments.pairs import Pair


def unrelated(count):
    return [Pair(Path(f"/c{number}.jpg"), Path(f"/s{number}.jpg")) for number in range(count)]


def test_pairs_that_share_nothing_have_the_interval_of_scipy():
    values = np.random.default_rng(1).gamma(2.0, 3.0, 60)
    found = estimate(values, unrelated(60))
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2))
    low, high = theirs.confidence_interval
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(low, abs=0.06 * (high - low))
    assert found.high == pytest.approx(high, abs=0.06 * (high - low))


def test_pairs_that_share_contents_know_less_than_as_many_that_do_not():
    """Sixty pairs of six contents, all of whose variation is the content's: the interval is that of six values."""
    hard = np.random.default_rng(3).normal(size=6)
    pairs = [Pair(Path(f"/c{number % 6}.jpg"), Path(f"/s{number}.jpg")) for number in range(60)]
    shared = estimate(np.tile(hard, 10), pairs)
    few, many = estimate(hard, unrelated(6)), estimate(np.tile(hard, 10), unrelated(60))
    assert shared.high - shared.low == pytest.approx(few.high - few.low, rel=0.1)
    assert shared.high - shared.low > 2 * (many.high - many.low)


def test_what_is_not_there_does_not_count():
    values = np.array([1.0, np.nan, 3.0, 5.0])
    pairs = unrelated(4)
    assert estimate(values, pairs).mean == 3
    assert estimate(np.full(4, np.nan), pairs) == Estimate(None, None, None)
    assert estimate(np.array([2.0]), pairs[:1]) == Estimate(2.0, None, None)
    assert estimates(np.zeros((0, 2)), []) == [Estimate(None, None, None)] * 2


def test_units_and_words():
    one = Estimate(0.5, 0.25, 0.75)
    assert one.times(100) == Estimate(50, 25, 75)
    assert one.words("+.2f") == "+0.50 [+0.25, +0.75]"
    assert Estimate(2.0, None, None).times(2).words(".1f") == "4.0"
    assert Estimate(None, None, None).words() == "–"
