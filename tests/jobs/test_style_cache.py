"""The styles of an actor: made once each, and forgotten by number and by bytes, the least recently used first."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from ift import Stylizer, load_image
from ift.moments import Moments
from ift.style import Style, StylePicture
from jobs.style_cache import StyleCache, StyleKey, size_of
from tests.jobs.pairs import picture

CHANNELS = 8
PATCHES = torch.zeros(1, 4, 5, 5)
MOMENTS_BYTES, PATCHES_BYTES = 8 + 4 * CHANNELS + 4 * CHANNELS**2, 4 * 100


def key(name, patches=False):
    return StyleKey(name, None, None, patches)


def style_of(key, loaded):
    moments = Moments(torch.ones(1, dtype=torch.float64), torch.zeros(1, CHANNELS), torch.zeros(1, CHANNELS, CHANNELS))
    return Style((StylePicture((moments,), None, PATCHES if key.patches else None),))


@pytest.fixture
def cache():
    """A function to a cache, and the names of the styles that it computes."""
    made = []

    def compute(key, loaded):
        made.append(key.uri)
        return style_of(key, loaded)

    with ThreadPoolExecutor(2) as threads:
        yield lambda **limits: StyleCache(lambda key: (torch.zeros(3, 1, 1), None), compute, threads, **limits), made


def test_the_size_of_a_style_is_that_of_its_tensors():
    one = style_of(key("a"), None)
    assert size_of(one) == MOMENTS_BYTES
    assert size_of(style_of(key("a", patches=True), None)) == MOMENTS_BYTES + PATCHES_BYTES
    assert size_of(Style(one.pictures * 3, (1 / 3,) * 3)) == 3 * MOMENTS_BYTES


def test_the_size_of_a_real_style(tmp_path):
    model, image = Stylizer.from_pretrained(dtype=torch.float32), load_image(picture(tmp_path / "a.png", 1, (64, 48)))
    moments = sum(4 * (channels + channels**2) + 8 for channels in (64, 128, 256, 512))
    assert size_of(model.style(image)) == moments
    assert size_of(model.style(image, patches=True)) == moments + 4 * 512 * 8 * 6


def test_the_least_recently_used_styles_are_forgotten(cache):
    make, made = cache
    styles = make(most=3)
    for name in "abcadabc":
        styles.get(key(name))
    assert made == ["a", "b", "c", "d", "b", "c"]


def test_styles_are_forgotten_by_bytes(cache):
    make, made = cache
    styles = make(most_bytes=3 * MOMENTS_BYTES)
    for name in "abcabcda":
        styles.get(key(name))
    assert made == ["a", "b", "c", "d", "a"]
    made.clear()
    for name in "xyzxyzxyz":  # forgetting gives back exactly what adding took
        styles.get(key(name))
    assert made == ["x", "y", "z"]


def test_one_large_style_makes_room_for_itself_alone(cache):
    make, made = cache
    styles = make(most_bytes=MOMENTS_BYTES + PATCHES_BYTES - 1)
    for name, patches in [("a", False), ("large", True), ("large", True), ("a", False), ("a", False)]:
        styles.get(key(name, patches))
    assert made == ["a", "large", "a"]


def test_masks_and_patches_make_another_style_of_a_picture(cache):
    make, made = cache
    styles = make()
    keys = [
        StyleKey("a", resolution, mask, patches)
        for resolution in (None, 64)
        for mask in (None, "label:3", "m.png")
        for patches in (False, True)
    ]
    for one in keys * 2:
        assert (styles.get(one).pictures[0].patches is not None) == one.patches
    assert len(made) == 12


def test_a_style_that_cannot_be_loaded_is_tried_again():
    answers = iter([OSError("gone for a moment"), (torch.zeros(3, 1, 1), None)])

    def load(key):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with ThreadPoolExecutor(1) as threads:
        styles = StyleCache(load, style_of, threads)
        styles.prefetch(key("a"))
        with pytest.raises(OSError, match="for a moment"):
            styles.get(key("a"))
        assert styles.get(key("a")).weights == (1.0,)
