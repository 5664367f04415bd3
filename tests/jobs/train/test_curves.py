"""The loss of every step, as a file that others read and as a picture."""

import csv
import io

import numpy as np
import pytest
from PIL import Image

from jobs.storage import open_store
from jobs.train.curves import plot, to_csv, write_curves

LEVEL_COLOURS = {2: (116, 165, 127), 4: (51, 96, 140)}


def row(step, stage, level, **terms):
    return {
        "step": step,
        "stage": stage,
        "level": level,
        "gate": 0.5,
        **terms,
        "loss": sum(value for value in terms.values() if value is not None),
        "gradient_norm": 0.1 * step,
        "learning_rate": 1e-3 / step,
    }


@pytest.fixture
def rows():
    first = [row(step, "block 2", 2, image=5 / step, moments=0.3) for step in range(1, 41)]
    second = [row(step, 'block 4, "wide"', 4, image=9 / step, estimates=1 / 3) for step in range(41, 81)]
    return first + second


def read(data):
    return list(csv.DictReader(io.StringIO(data.decode())))


def has(picture, colour):
    return bool((np.abs(np.asarray(picture.convert("RGB"), int) - colour).max(-1) < 3).any())


def test_the_file_has_a_row_for_each_step_and_every_number_in_full(rows):
    table = read(to_csv(rows))
    assert list(table[0]) == [
        *("step", "stage", "level", "gate", "loss"),
        *("image", "moments", "estimates"),
        *("learning_rate", "gradient_norm"),
    ]
    assert [int(line["step"]) for line in table] == list(range(1, 81))
    for line, given in zip(table, rows, strict=True):
        assert line["stage"] == given["stage"]
        for name in ("gate", "loss", "image", "moments", "estimates", "learning_rate", "gradient_norm"):
            assert line[name] == "" if given.get(name) is None else float(line[name]) == given[name]
    assert table[0]["estimates"] == "" and table[-1]["moments"] == ""


def test_an_absent_term_may_be_none(rows):
    with_none = [{**each, "image": None} if each["level"] == 4 else each for each in rows]
    assert read(to_csv(with_none))[-1]["image"] == ""
    assert plot(with_none)


def test_the_picture_shows_the_curve_of_each_level_in_its_colour(rows):
    both = Image.open(io.BytesIO(plot(rows)))
    assert both.format == "PNG" and min(both.size) > 800
    assert all(has(both, colour) for colour in LEVEL_COLOURS.values())
    shallow = Image.open(io.BytesIO(plot(rows[:40])))
    assert has(shallow, LEVEL_COLOURS[2]) and not has(shallow, LEVEL_COLOURS[4])


def test_the_loss_of_eq_28_is_not_drawn_twice(rows):
    def of_one_term(count):
        return [row(step, "decoder_2", 2, autoencoder=1 / step) for step in range(1, count)]

    one, several = (Image.open(io.BytesIO(plot(each))) for each in (of_one_term(30), rows))
    assert one.height < several.height


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf"), -1.0])
def test_what_a_logarithmic_axis_cannot_show_is_left_out(rows, value):
    strange = [{**each, "moments": value} if each["level"] == 2 else each for each in rows]
    assert plot(strange)


def test_a_single_step_is_enough(rows):
    assert plot(rows[:1])


def test_both_are_written_to_the_store(rows, tmp_path):
    store = open_store(str(tmp_path))
    write_curves(rows, store)
    assert set(store.list("")) == {"loss.csv", "loss.png"}
    assert len(read(store.read("loss.csv"))) == 80
    assert store.read("loss.png")[:4] == b"\x89PNG"


def test_before_the_first_step_there_is_no_picture(tmp_path):
    store = open_store(str(tmp_path))
    write_curves([], store)
    assert set(store.list("")) == {"loss.csv"}
    assert read(store.read("loss.csv")) == []
