"""Styles at random: the same anywhere, all equally often, and hardly any other when folders grow."""

from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from jobs.manifest.building.choice import Waiting, choice, hashes, highest

KEYS = st.lists(
    st.text(min_size=1, max_size=8).filter(lambda key: key.isprintable()), min_size=1, max_size=30, unique=True
)
NONE = np.array([], int), np.array([], int)


def waiting(keys, made=None, taken=NONE, partner=None):
    count = len(keys)
    return Waiting(
        keys,
        np.zeros(count, int) if made is None else np.array(made),
        taken,
        np.full(count, -1) if partner is None else np.array(partner),
    )


def chosen(contents, styles, per_content, seed=0, **given):
    """For each content the set of the styles' keys."""
    rows, columns = choice("random", styles, per_content, seed)(waiting(contents, **given))
    sets = {content: [] for content in contents}
    for row, column in zip(rows, columns, strict=True):
        sets[contents[row]].append(styles[column])
    return sets


def splitmix(value):
    """The finalizer, in whole numbers of Python's."""
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) % 2**64
    return value ^ (value >> 31)


def test_the_finalizer_is_the_published_one():
    assert splitmix(0x9E3779B97F4A7C15) == 0xE220A8397B1DCDAF  # the first number of SplitMix64 from seed 0


@given(KEYS, KEYS, st.integers(0, 5), st.data())
def test_styles_are_those_of_the_highest_score(contents, styles, seed, data):
    count = data.draw(st.integers(1, len(styles)))

    def digest(key, kind):
        return int.from_bytes(blake2b(b"%d\0" % seed + key.encode(), digest_size=8, person=kind).digest(), "little")

    for content, found in chosen(contents, styles, count, seed).items():
        score = {style: splitmix(digest(content, b"content") ^ digest(style, b"style")) for style in styles}
        assert set(found) == set(sorted(styles, key=score.get)[-count:])
        assert len(found) == count


@given(KEYS, KEYS, KEYS)
def test_contents_do_not_depend_on_each_other(contents, others, styles):
    alone, together = chosen(contents, styles, 1), chosen(list(dict.fromkeys([*others, *contents])), styles, 1)
    assert alone == {content: together[content] for content in contents}


def test_every_style_is_taken_equally_often():
    styles = [f"style{k}" for k in range(50)]
    sets = chosen([f"photo{k}" for k in range(10_000)], styles, 3)
    counts = np.unique([style for found in sets.values() for style in found], return_counts=True)[1]
    assert chisquare(counts).pvalue > 0.001


def test_new_styles_take_their_share_and_no_more():
    contents, styles = [f"photo{k}" for k in range(5_000)], [f"style{k}" for k in range(100)]
    before, after = chosen(contents, styles[:90], 3), chosen(contents, styles, 3)
    moved = sum(len(set(after[content]) - set(before[content])) for content in contents)
    assert all(style in styles[90:] for content in contents for style in set(after[content]) - set(before[content]))
    assert moved / len(contents) == pytest.approx(3 * 10 / 100, rel=0.1)


def test_seeds_differ_and_a_picture_is_no_twin_of_itself():
    keys = [f"{k}.jpg" for k in range(2000)]
    first, second = chosen(keys, keys[:40], 1, seed=0), chosen(keys, keys[:40], 1, seed=1)
    assert sum(first[key] == second[key] for key in keys) < 0.05 * len(keys)
    assert sum(first[key] == [key] for key in keys[:40]) < 10


def test_what_is_taken_is_not_taken_again_and_counts():
    styles = ["a", "b", "c", "d"]
    taken = np.array([0, 0, 2]), np.array([1, 3, 0])
    sets = chosen(["x", "y", "z"], styles, 3, made=[2, 3, 2], taken=taken)
    assert len(sets["x"]) == 1
    assert not set(sets["x"]) & {"b", "d"}
    assert sets["y"] == []
    assert len(sets["z"]) == 1
    assert "a" not in sets["z"]


def test_highest_come_first():
    scores = hashes(["x"], 0, b"content")[:, None] ^ hashes(list("abcdef"), 0, b"style")
    best = highest(hashes(["x"], 0, b"content"), hashes(list("abcdef"), 0, b"style"), 6, NONE)[0]
    assert [splitmix(int(scores[0, k])) for k in best] == sorted((splitmix(int(s)) for s in scores[0]), reverse=True)


def test_cross_leaves_out_what_is_there():
    rows, columns = choice("cross", ["a", "b"], 1, 0)(waiting(["x", "y"], taken=(np.array([1]), np.array([0]))))
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 0), (0, 1), (1, 1)]
