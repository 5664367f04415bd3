"""The short form of the fault suite, in a process of its own, for it changes its environment and starts a cluster."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ift.images import decode_image
from tests.chaos.pictures import Behaviour, Row, content_png, read_row
from tests.chaos.schedule import BAD_ROWS, LONG, SHORT, STRIKES, bad_content, schedules

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_is_lost_whatever_fails(tmp_path):
    command = [sys.executable, "-m", "tests.chaos", "--short", "--seed", "1", "--output", tmp_path]
    with subprocess.Popen(
        [*command, "--faults", str(SHORT.faults)], cwd=REPOSITORY, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as suite:  # fmt: skip
        try:
            text, _ = suite.communicate(timeout=550)
        except subprocess.TimeoutExpired:
            suite.send_signal(signal.SIGINT)  # so that it ends all that it has started
            raise
    assert suite.returncode == 0, text
    report = json.loads((tmp_path / "chaos.json").read_text())
    everything = report["lines"][-1]
    assert everything["kind"] == "all"
    assert everything["survived"] == everything["injected"] >= SHORT.faults
    assert report["problems"] == []
    assert (tmp_path / "chaos.md").read_text().count("\n| ") >= len(SHORT.strikes)


def test_a_seed_decides_everything():
    def some(seed):
        return [schedule for schedule, _ in zip(schedules(LONG, seed), range(5), strict=False)]

    assert some(1) == some(1) != some(2)
    for schedule in some(3):
        assert len(schedule.events) + len(schedule.bad_rows) == LONG.faults
        assert len({row.pair_id for row in schedule.rows}) == len(schedule.rows)
        assert list(schedule.events) == sorted(schedule.events, key=lambda event: (event.share, event.delay))


def test_every_kind_of_fault_has_its_turn():
    runs = -(-(len(STRIKES) + len(BAD_ROWS)) // LONG.faults)
    dealt = [schedule for schedule, _ in zip(schedules(LONG, 1), range(runs), strict=False)]
    assert {event.strike for schedule in dealt for event in schedule.events} == set(STRIKES)
    assert {row.behaviour for schedule in dealt for row in schedule.bad_rows} == set(BAD_ROWS)


@pytest.mark.parametrize("behaviour", [each for each in Behaviour if each is not Behaviour.TORN])
def test_contents_say_who_they_are(behaviour):
    row = Row(bad_content(behaviour, 7), behaviour)
    assert read_row(decode_image(content_png(row), "picture", None, 10_000)) == row
