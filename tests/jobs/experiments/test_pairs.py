"""Which content goes with which style."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import JobError
from jobs.experiments.pairs import among, crossed, matched
from tests.jobs.pairs import picture


def paths(side, count):
    return [Path(f"/{side}/{number}.jpg") for number in range(count)]


@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 70), st.integers(0, 3))
def test_crossed_pairs_are_distinct_and_balanced(contents, styles, most, seed):
    pairs = crossed(paths("c", contents), paths("s", styles), most, seed)
    assert len(pairs) == len(set(pairs)) == min(most, contents * styles)
    for side, count in ((0, contents), (1, styles)):
        times = Counter(pair[side] for pair in pairs)
        assert max(times.values()) - (min(times.values()) if len(times) == count else 0) <= 1


@given(st.integers(2, 8), st.integers(1, 70), st.integers(0, 3))
def test_photos_are_paired_with_others_and_balanced(count, most, seed):
    pairs = among(paths("c", count), most, seed)
    assert len(pairs) == len(set(pairs)) == min(most, count * (count - 1))
    assert all(pair.content != pair.style for pair in pairs)
    for side in (0, 1):
        times = Counter(pair[side] for pair in pairs)
        assert max(times.values()) - (min(times.values()) if len(times) == count else 0) <= 1


def test_the_choice_depends_on_names_and_seed_alone():
    contents, styles = paths("c", 7), paths("s", 5)
    chosen = crossed(contents, styles, 9)
    assert crossed(contents[::-1], styles[::-1], 9) == chosen
    elsewhere = crossed([Path("/x") / path.name for path in contents], styles, 9)
    assert [pair.content.name for pair in elsewhere] == [pair.content.name for pair in chosen]
    assert crossed(contents, styles, 9, seed=1) != chosen


def test_one_photo_alone_is_refused():
    with pytest.raises(JobError, match="no other photo"):
        among(paths("c", 1), 3)


def test_pairs_of_a_folder_go_by_name(tmp_path):
    for name in ("content/a.png", "content/b.jpg", "content/lonely.png", "style/a.jpg", "style/b.png"):
        picture(tmp_path / name, 1)
    pairs = matched(tmp_path, 10)
    assert [(pair.content.name, pair.style.name) for pair in pairs] == [("a.png", "a.jpg"), ("b.jpg", "b.png")]
    assert len(matched(tmp_path, 1)) == 1
    with pytest.raises(JobError, match="nowhere"):
        matched(tmp_path / "nowhere", 1)
    picture(tmp_path / "other/content/x.png", 1)
    picture(tmp_path / "other/style/y.png", 1)
    with pytest.raises(JobError, match="namesake"):
        matched(tmp_path / "other", 1)
