"""Which pairs a page shows, against sorting by hand."""

import numpy as np

from jobs.report.choice import choose
from tests.jobs.report.evaluated import evaluated

RUINED = 3


def test_best_and_worst_are_those_of_a_plain_sort():
    table = evaluated(100)
    rows = [row for row in table.to_pylist() if row["status"] == "done"]
    choice = choose(table, 1000)
    by_ssim = sorted(rows, key=lambda row: -row["ssim"])
    by_gram = sorted(rows, key=lambda row: row["gram_distance"])
    assert choice.best["ssim"] == [row["row"] for row in by_ssim[:12]]
    assert choice.worst["gram_distance"] == [row["row"] for row in by_gram[::-1][:12]]
    ranks = {row["row"]: by_ssim.index(row) + by_gram.index(row) for row in rows}
    assert [ranks[row] for row in choice.best["both"]] == sorted(ranks.values())[:12]
    assert [ranks[row] for row in choice.worst["both"]] == sorted(ranks.values(), reverse=True)[:12]


def test_failed_pairs_and_pairs_without_figures_are_never_best_or_worst():
    ssim = [None, *np.linspace(0.1, 0.9, 29)]
    choice = choose(evaluated(30, failed=4, ssim=ssim), 1000)
    shown = {row for lists in (choice.best, choice.worst) for order in lists.values() for row in order}
    assert not shown & {0, 26, 27, 28, 29}
    assert choice.failed == [26, 27, 28, 29] and choice.ruined == [0, 1, 2]


def test_the_sample_has_its_share_of_every_method_from_the_beginning():
    methods = ["wct"] * 300 + ["ift"] * 100
    choice = choose(evaluated(400, method=methods, failed=0), 400)
    sample = choice.pictured[choice.featured :]
    for some in (sample[:40], sample[:160]):
        assert 0.15 < np.mean([row >= 300 for row in some]) < 0.35
    assert sorted(choice.pictured) == list(range(400))


def test_places_are_those_of_the_smaller_table():
    table = evaluated(1000)
    choice = choose(table, 150)
    listed = table.take(choice.rows)
    assert len(listed) == 150
    assert [listed["status"][row].as_py() for row in choice.failed] == ["failed"] * 2
    assert [listed["ruin"][row].as_py() for row in choice.ruined] == ["flat"] * RUINED
    best = [listed["ssim"][row].as_py() for row in choice.best["ssim"]]
    assert best == sorted((value for value in table["ssim"].to_pylist() if value is not None), reverse=True)[:12]
