import statistics

import pytest

from jobs.benchmark.timing import Times, alternate


def test_calls_take_turns_and_the_first_round_does_not_count():
    made, begun = [], []
    calls = {name: lambda name=name: made.append(name) for name in "abc"}
    times = alternate(calls, 2, begin=lambda name, number: begun.append((number, name)))
    assert "".join(made) == "abcabcabc"
    assert begun == list(enumerate("abcabcabc"))
    assert {name: len(each.seconds) for name, each in times.items()} == {"a": 2, "b": 2, "c": 2}
    assert all(second >= 0 for each in times.values() for second in each.seconds)


@pytest.mark.parametrize(("budget", "counted"), [(0, 2), (1e9, 5)])
def test_what_takes_longer_than_its_budget_is_done_twice(budget, counted):
    times = alternate({"a": lambda: None, "b": lambda: None}, 5, budget=budget)
    assert [len(each.seconds) for each in times.values()] == [counted, counted]


@pytest.mark.parametrize("seconds", [(3.0,), (5.0, 1.0, 2.0, 9.0)])
def test_median_and_spread(seconds):
    times = Times(seconds)
    assert times.median == statistics.median(seconds)
    assert times.spread == (min(seconds), max(seconds))
