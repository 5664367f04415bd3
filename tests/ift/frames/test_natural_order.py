"""The order of file names, and the names of results."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ift.errors import ImageError, SettingsError
from ift.frames.natural_order import natural_order
from ift.frames.picture_files import result_names

NAMES = st.text(st.sampled_from("aAbB0129._- ßé٣"), max_size=12)


@given(st.sets(st.integers(0, 10**12), min_size=2), st.sampled_from(["frame{}.png", "{}", "a1b{}c.JPG"]))
def test_numbers_are_in_the_order_of_counting(numbers: set[int], form: str) -> None:
    names = [form.format(number) for number in numbers]
    assert sorted(names, key=natural_order) == [form.format(number) for number in sorted(numbers)]


@given(st.lists(NAMES, unique=True), st.randoms(use_true_random=False))
def test_the_order_is_one_however_the_names_come(names: list[str], chance: random.Random) -> None:
    shuffled = list(names)
    chance.shuffle(shuffled)
    assert sorted(shuffled, key=natural_order) == sorted(names, key=natural_order)


@given(NAMES, NAMES)
def test_only_a_name_itself_is_its_equal(a: str, b: str) -> None:
    assert (natural_order(a) == natural_order(b)) == (a == b)


def test_words_numbers_and_case() -> None:
    names = ["b1", "A10", "a2", "a02", "A1b", "a1", "a", "1", "10", "9"]
    assert sorted(names, key=natural_order) == ["1", "9", "10", "a", "a1", "A1b", "a02", "a2", "A10", "b1"]


@given(st.lists(st.integers(0, 999), unique=True), st.sampled_from([".jpg", ".png", ".webp", ".TIF"]))
def test_results_are_named_after_their_sources(numbers: list[int], suffix: str) -> None:
    names = [f"photo.{number}.gif" for number in numbers]
    assert result_names(names, suffix) == [f"photo.{number}{suffix}" for number in numbers]


@given(st.lists(NAMES.map(lambda name: f"x{name}.png"), unique=True))
def test_results_never_overwrite_one_another(names: list[str]) -> None:
    try:
        results = result_names(names, ".jpg")
    except SettingsError:
        return
    assert len({result.casefold() for result in results}) == len(names)


def test_a_suffix_that_can_be_written_stays() -> None:
    assert result_names(["a.JPG", "b.webp", "c.gif", "frame000001"]) == ["a.JPG", "b.webp", "c.png", "frame000001.png"]


def test_two_results_of_one_name_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"a\.gif and A\.png would both become A\.png: rename one"):
        result_names(["a.gif", "A.png"])


def test_an_unknown_suffix_is_refused() -> None:
    with pytest.raises(ImageError, match=r"the suffix must be one of"):
        result_names(["a.png"], ".xyz")
