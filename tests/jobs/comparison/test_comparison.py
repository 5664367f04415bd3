"""Two evaluations compared: which pairs, what is said of them, and to whom."""

import json

import numpy as np
import pytest
from rich.console import Console

from jobs.comparison import compare_tables
from jobs.comparison.bootstrap import Interval
from jobs.comparison.compare import NOTHING_SHOWN, verdict_of
from jobs.comparison.pairing import match_pairs
from jobs.comparison.told import print_comparison
from jobs.errors import JobError
from tests.jobs.report.evaluated import evaluated


def shifted(table, name, by):
    return table.set_column(
        table.column_names.index(name),
        name,
        [[None if value is None else value + by for value in table[name].to_pylist()]],
    )


def pairs(pairing):
    return list(zip(pairing.a.tolist(), pairing.b.tolist(), strict=True))


def test_rows_are_matched_by_id_wherever_they_stand():
    a = evaluated(20)
    order = np.random.default_rng(0).permutation(20)[:15]
    pairing = match_pairs(a, a.take(order))
    assert sorted(pairs(pairing)) == sorted((int(row), at) for at, row in enumerate(order))
    assert (pairing.by_id, pairing.by_pictures, pairing.only_a, pairing.only_b) == (15, 0, 5, 0)


def test_where_ids_differ_pictures_and_then_settings_tell():
    a = evaluated(6, methods=("ift",), counts=(6, 1))
    b = evaluated(6, methods=("wct",), counts=(6, 1), pair_id=[f"other-{row}" for row in range(6)])
    pairing = match_pairs(a, b.take([3, 1, 2, 0, 5, 4]))
    assert pairs(pairing) == [(0, 3), (1, 1), (2, 2), (3, 0), (4, 5), (5, 4)] and pairing.by_pictures == 6
    same = {"content": ["c.png"] * 6, "styles": [["s.png"]] * 6}
    settings = ("ift", "wct", "ost", "adain", "avatar", "nst")
    a, b = (evaluated(6, methods=settings, pair_id=[f"{name}-{row}" for row in range(6)], **same) for name in "ab")
    assert pairs(match_pairs(a, b.take([5, 4, 3, 2, 1, 0]))) == [(row, 5 - row) for row in range(6)]


def test_what_could_belong_to_several_is_left_out():
    same = {"content": ["c.png"] * 4, "styles": [["s.png"]] * 4}
    a, b = (evaluated(4, methods=("ift",), pair_id=[f"{name}-{row}" for row in range(4)], **same) for name in "ab")
    pairing = match_pairs(a, b)
    assert pairs(pairing) == [] and (pairing.only_a, pairing.only_b) == (4, 4)
    with pytest.raises(JobError, match="no judged pair in common"):
        compare_tables(a, b)


def test_differences_are_those_of_the_pairs_that_both_have():
    a = evaluated(60, failed=5)
    b = shifted(shifted(a, "ssim", 0.1), "gram_distance", 0.2).slice(10)
    comparison = compare_tables(a, b)
    found = {one.name: one for one in comparison.metrics}
    assert (comparison.pairs, comparison.only_a, comparison.failed_a, comparison.failed_b) == (45, 10, 5, 5)
    done = a.slice(10, 45)
    assert found["ssim"].mean_a == pytest.approx(np.mean(done["ssim"].to_pylist()))
    assert found["ssim"].difference == pytest.approx(0.1) and found["gram_distance"].difference == pytest.approx(0.2)
    assert (found["ssim"].verdict, found["gram_distance"].verdict) == ("better", "worse")
    assert (found["ssim"].improved, found["gram_distance"].improved) == (1, 0)
    assert (found["edge_ssim"].verdict, found["edge_ssim"].improved) == (NOTHING_SHOWN, 0)
    assert (found["brightness"].improved, found["brightness"].low, found["brightness"].high) == (None, 0, 0)
    assert "lpips" not in found


@pytest.mark.parametrize(
    ("better", "interval", "verdict"),
    [
        ("higher", Interval(0.1, 0.2), "better"), ("higher", Interval(-0.2, -0.1), "worse"),
        ("lower", Interval(0.1, 0.2), "worse"), ("lower", Interval(-0.2, -0.1), "better"),
        (None, Interval(0.1, 0.2), "higher"), (None, Interval(-0.2, -0.1), "lower"),
        ("lower", Interval(-0.1, 0.1), NOTHING_SHOWN), ("higher", None, NOTHING_SHOWN),
    ],
)  # fmt: skip
def test_verdicts_know_which_direction_is_better(better, interval, verdict):
    assert verdict_of(better, interval) == verdict


def test_one_style_alone_is_said_to_be_one():
    a = evaluated(30, counts=(30, 1))
    comparison = compare_tables(a, shifted(a, "ssim", 0.1))
    assert comparison.resampled == ("pair",) and any("only 1 style:" in note for note in comparison.notes)


def test_it_is_told_as_a_table_and_as_json(capsys):
    a = evaluated(30)
    comparison = compare_tables(a, shifted(a, "ssim", 0.1))
    print_comparison(comparison, "a[b]", "b\x1b[31m", Console(width=140))
    printed = capsys.readouterr().out
    assert "a[b]" in printed and "\x1b" not in printed
    assert any("SSIM" in line and "better" in line and "100%" in line for line in printed.splitlines())
    told = json.loads(comparison.to_json("a", "b"))
    assert (told["a"], told["b"], told["pairs"]) == ("a", "b", 28)
    assert [one["name"] for one in told["metrics"]] == [one.name for one in comparison.metrics]
    assert json.loads(compare_tables(a, shifted(a, "ssim", 0.1)).to_json("a", "b")) == told
