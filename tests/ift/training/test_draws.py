from collections import Counter
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ift.training.draws import Crop, calibration, cut, draw
from ift.training.recipe import DEFAULT

STAGE = replace(DEFAULT.stages[0], batch=4, levels=((2, 0.25), (4, 0.75)))


def draws(steps, photos=10, stage=STAGE, seed=5, first=0):
    return [draw(seed, step, first, stage, photos) for step in range(first, first + steps)]


def test_the_same_step_draws_the_same_in_any_order():
    in_order = draws(20)
    assert [draw(5, step, 0, STAGE, 10) for step in reversed(range(20))] == in_order[::-1]
    assert draws(20, seed=6) != in_order


@given(photos=st.integers(1, 40), batch=st.integers(1, 9), seed=st.integers(0, 2**40))
def test_every_photo_is_seen_once_in_each_pass(photos, batch, seed):
    stage = replace(STAGE, batch=batch)
    passes = 3
    steps = -(-passes * photos // batch)
    seen = [crop.photo for drawn in draws(steps, photos, stage, seed, first=7) for crop in drawn.crops]
    for number in range(passes):
        assert Counter(seen[number * photos : (number + 1) * photos]) == Counter(range(photos))


def test_each_pass_has_an_order_of_its_own():
    seen = [crop.photo for drawn in draws(50, 100) for crop in drawn.crops]
    assert seen[:100] != seen[100:]


def test_levels_and_gates_come_as_often_as_they_should():
    drawn = draws(2000)
    levels = Counter(one.level for one in drawn)
    assert levels[2] / 2000 == pytest.approx(0.25, abs=0.04)
    assert levels[2] + levels[4] == 2000
    assert sum(one.gate == 0 for one in drawn) / 2000 == pytest.approx(0.5, abs=0.04)
    assert sum(one.gate == 1 for one in drawn) / 2000 == pytest.approx(0.3, abs=0.04)
    assert all(0 <= one.gate <= 1 for one in drawn)
    assert all(one.gate == 0 for one in draws(50, stage=replace(STAGE, gates=False)))


@given(
    height=st.integers(4, 40),
    width=st.integers(4, 40),
    side=st.integers(1, 4),
    top=st.floats(0, 1, exclude_max=True),
    left=st.floats(0, 1, exclude_max=True),
    mirrored=st.booleans(),
)
def test_a_crop_is_a_square_of_the_photo(height, width, side, top, left, mirrored):
    photo = torch.arange(height * width).view(1, height, width)
    square = cut(photo, Crop(0, top, left, mirrored), side)
    assert square.shape == (1, side, side)
    if mirrored:
        square = square.flip(2)
    corner = int(square[0, 0, 0])
    row, column = divmod(corner, width)
    assert torch.equal(square, photo[:, row : row + side, column : column + side])


def test_crops_reach_every_border():
    photo = torch.arange(20).view(1, 4, 5)
    corners = {int(cut(photo, crop, 3)[0, 0, 0]) for drawn in draws(200) for crop in drawn.crops if not crop.mirrored}
    assert corners == {0, 1, 2, 5, 6, 7}


def test_calibration_is_the_same_for_every_worker():
    crops = calibration(5, STAGE, 10)
    assert crops == calibration(5, STAGE, 10)
    assert len(crops) >= 8
    assert {crop.photo for crop in crops} <= set(range(10))
