from collections import Counter
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.upcoming import Upcoming


def work(index, *styles):
    """A piece of work as far as it matters here: its pairs have one style each."""
    return SimpleNamespace(index=index, pairs=[SimpleNamespace(styles=(style,)) for style in styles])


def deal(works, actors, ahead):
    """The works of each actor, if they ask in turn."""
    upcoming, last, dealt = Upcoming(iter(works), ahead), [None] * actors, [[] for _ in range(actors)]
    while True:
        for actor in range(actors):
            elsewhere = {style for other, style in enumerate(last) if other != actor and style is not None}
            taken = upcoming.take(last[actor], elsewhere)
            if taken is None:
                return dealt
            dealt[actor].append(taken)
            last[actor] = taken.pairs[-1].styles


@given(st.lists(st.integers(0, 5), max_size=60), st.integers(1, 4), st.integers(1, 20))
def test_everything_is_dealt_once(styles, actors, ahead):
    dealt = deal([work(index, style) for index, style in enumerate(styles)], actors, ahead)
    assert sorted(each.index for works in dealt for each in works) == list(range(len(styles)))
    counts = Counter(map(len, dealt))
    assert max(counts, default=0) - min(counts, default=0) <= 1


@pytest.mark.parametrize("actors", [2, 3])
def test_a_style_goes_to_one_actor(actors):
    works = [work(4 * style + part, style, style) for style in range(12) for part in range(4)]
    for dealt in deal(works, actors, 8 * actors):
        assert all(count == 4 for count in Counter(each.pairs[0].styles for each in dealt).values())


def test_what_begins_with_the_last_style_comes_first():
    upcoming = Upcoming(iter([work(0, "a"), work(1, "b"), work(2, "b", "c"), work(3, "c")]), 4)
    assert upcoming.take(("b",), {("a",)}).index == 1
    assert upcoming.take(("b",), {("a",)}).index == 2
    assert upcoming.take(("c",), {("a",)}).index == 3
    assert upcoming.take(("c",), {("a",)}).index == 0


def test_it_looks_no_further_ahead_than_it_may():
    seen = []
    stream = (seen.append(index) or work(index, index) for index in range(100))
    upcoming = Upcoming(stream, 5)
    upcoming.take(None, ())
    assert seen == list(range(5))
    upcoming.take(None, ())
    assert seen == list(range(6))


def test_the_end_is_known():
    upcoming = Upcoming(iter([work(0, "a")]), 3)
    assert not upcoming.empty
    upcoming.take(None, ())
    assert upcoming.empty and upcoming.take(None, ()) is None
