"""The bootstrap, against SciPy's and against drawing by hand."""

import numpy as np
import pytest
from scipy import stats

from jobs.comparison import bootstrap
from jobs.comparison.bootstrap import mean_intervals, resampled_factors


def crossed(contents, styles, content_effect, style_effect, seed=0):
    random = np.random.default_rng(seed)
    content, style = (grid.ravel() for grid in np.meshgrid(np.arange(contents), np.arange(styles), indexing="ij"))
    values = random.normal(0, content_effect, contents)[content] + random.normal(0, style_effect, styles)[style]
    return values + random.normal(0, 0.2, len(content)), content, style


def width(interval):
    return interval.high - interval.low


def test_without_factors_it_is_scipys_percentile_bootstrap():
    values = np.random.default_rng(1).gamma(2.0, size=80)
    (ours,) = mean_intervals(values[:, None], [], resamples=20_000)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=0).confidence_interval
    assert [ours.low, ours.high] == pytest.approx([theirs.low, theirs.high], abs=0.02 * (theirs.high - theirs.low))


def test_with_one_factor_it_is_scipys_bootstrap_of_the_means_of_clusters():
    values, content, _ = crossed(25, 8, 1.0, 0)
    (ours,) = mean_intervals(values[:, None], [content], resamples=20_000)
    means = values.reshape(25, 8).mean(axis=1)
    theirs = stats.bootstrap((means,), np.mean, n_resamples=20_000, method="percentile", rng=0).confidence_interval
    assert [ours.low, ours.high] == pytest.approx([theirs.low, theirs.high], abs=0.02 * (theirs.high - theirs.low))


def test_with_two_factors_it_is_drawing_rows_and_columns_of_the_grid():
    values, content, style = crossed(12, 9, 1.0, 0.7)
    (ours,) = mean_intervals(values[:, None], [content, style], resamples=20_000)
    random, grid = np.random.default_rng(7), values.reshape(12, 9)
    means = [grid[np.ix_(random.integers(0, 12, 12), random.integers(0, 9, 9))].mean() for _ in range(20_000)]
    low, high = np.percentile(means, [2.5, 97.5])
    assert [ours.low, ours.high] == pytest.approx([low, high], abs=0.03 * (high - low))


def test_what_pairs_have_in_common_widens_the_interval():
    values, content, style = crossed(20, 20, 1.0, 0.5)
    (naive,), (by_content,), (by_both,) = (
        mean_intervals(values[:, None], factors) for factors in ([], [content], [content, style])
    )
    assert width(by_content) > 2.5 * width(naive)
    assert width(by_both) > 1.05 * width(by_content)


def test_intervals_hold_the_truth_as_often_as_they_say_where_those_of_pairs_do_not():
    held = {"pairs": 0, "factors": 0}
    for seed in range(100):
        values, content, style = crossed(15, 12, 1.0, 0.6, seed)
        for name, factors in (("pairs", []), ("factors", [content, style])):
            (interval,) = mean_intervals(values[:, None], factors, resamples=400)
            held[name] += interval.low <= 0 <= interval.high
    assert held["factors"] >= 85 and held["pairs"] <= 60


def test_columns_and_chunks_do_not_matter(monkeypatch):
    values, content, style = crossed(10, 6, 1.0, 0.5)
    both = np.stack([values, -2 * values + 1], axis=1)
    first, second = mean_intervals(both, [content, style])
    assert (second.low, second.high) == pytest.approx((1 - 2 * first.high, 1 - 2 * first.low))
    monkeypatch.setattr(bootstrap, "_MOST_AT_ONCE", 7 * len(values))
    chunked = mean_intervals(both, [content, style])
    assert width(chunked[0]) == pytest.approx(width(first), rel=0.1)
    assert mean_intervals(both, [content, style]) == chunked
    assert mean_intervals(both, [content, style], seed=1) != chunked


def test_missing_values_are_left_out_of_their_column_only():
    values = np.random.default_rng(2).normal(size=(60, 3))
    values[:20, 1], values[1:, 2] = np.nan, np.nan
    whole, some, single = mean_intervals(values, [])
    assert single is None
    (alone,) = mean_intervals(values[20:, 1:2], [], resamples=20_000)
    assert width(some) == pytest.approx(width(alone), rel=0.15)
    assert np.isfinite([whole.low, whole.high]).all()


@pytest.mark.parametrize(
    ("content", "style", "drawn"),
    [
        (np.repeat(np.arange(8), 6), np.tile(np.arange(6), 8), ["content", "style"]),
        (np.repeat(np.arange(8), 3), np.tile(np.arange(3), 8), ["content"]),  # three styles say nothing of others
        (np.arange(40), np.arange(40) // 4, ["style"]),  # every content has one style: its style stands for it
        (np.arange(40) // 4, np.arange(40), ["content"]),
        (np.arange(40), np.arange(40), []),
        (np.arange(40), np.zeros(40, int), []),
        (np.arange(40) // 4, np.arange(40) // 4, ["style"]),
    ],
)
def test_what_is_resampled(content, style, drawn):
    assert list(resampled_factors({"content": content, "style": style})) == drawn
