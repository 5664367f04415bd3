import time

import pytest
import torch

from ift.stopwatch import Stopwatch


def test_stages_add_up_by_name():
    watch = Stopwatch()
    with watch.stage("a"):
        time.sleep(0.02)
    first = watch.seconds["a"]
    with watch.stage("b"):
        pass
    with watch.stage("a"):
        time.sleep(0.02)
    assert list(watch.seconds) == ["a", "b"]
    assert first >= 0.02
    assert watch.seconds["a"] - first >= 0.02
    assert watch.seconds["b"] >= 0


def test_a_stage_that_fails_passes_its_error_on():
    watch = Stopwatch()
    with pytest.raises(ZeroDivisionError), watch.stage("a"):
        _ = 1 / 0
    assert watch.seconds == {}


@pytest.mark.parametrize("form", ["single_pass", "cascade"])
def test_the_model_times_its_three_stages_apart(model, form):
    image, watch = torch.full((3, 32, 32), 0.5), Stopwatch()
    style = model.style(image)
    started = time.perf_counter()
    model.stylize(image, style, form=form, stopwatch=watch)
    total = time.perf_counter() - started
    assert set(watch.seconds) == {"encoder", "transform", "decoder"}
    assert all(seconds > 0 for seconds in watch.seconds.values())
    assert sum(watch.seconds.values()) <= total
    model.stylize(image, style, n_upd=0, stopwatch=(untouched := Stopwatch()))
    assert set(untouched.seconds) == {"encoder", "decoder"}
