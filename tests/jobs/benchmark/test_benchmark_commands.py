import json

import pytest
from typer.testing import CliRunner

from jobs.benchmark import measure
from jobs.benchmark.__main__ import app
from jobs.benchmark.figure import Figure, NotMeasurableError
from jobs.benchmark.keys import KEYS


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_key_that_is_not_there_is_answered_with_those_that_are():
    result = run("--only", "over_adain_9000")
    assert result.exit_code == 2
    assert "over_adain_9000" in result.output
    assert all(key.name in result.output for key in KEYS)


def test_a_device_that_is_not_there_is_one_line():
    result = run("--only", "over_adain_512", "--device", "warp")
    assert result.exit_code == 2 and result.output.startswith("error:") and "warp" in result.output


@pytest.fixture
def three_measures(monkeypatch):
    """One key gives a figure, one cannot be measured, one is interrupted."""

    def fail(error):
        raise error

    outcomes = {
        "over_bare_convolutions_512": lambda: Figure(1.2),
        "over_bare_convolutions_1024": lambda: fail(NotMeasurableError("for a reason")),
        "over_adain_512": lambda: fail(KeyboardInterrupt()),
    }
    monkeypatch.setattr(measure, "_by_name", lambda *_: outcomes)
    return list(outcomes)


def test_what_was_measured_before_an_end_is_kept(three_measures, tmp_path):
    flags = [part for name in three_measures for part in ("--only", name)]
    result = run(*flags, "--output", tmp_path)
    assert result.exit_code != 0
    facts = json.loads((tmp_path / "benchmark.json").read_text())
    assert facts["ratios"] == {"over_bare_convolutions_512": 1.2}
    assert facts["skipped"] == {"over_bare_convolutions_1024": "for a reason"}
    assert "for a reason" in result.output


@pytest.mark.slow
def test_methods_are_compared():
    result = run("methods", "--resolution", 48, "--repetitions", 1, "--nst-steps", 1)
    assert result.exit_code == 0, result.output
    for name in ("ift", "wct", "ost", "adain", "avatar", "nst, 1 steps"):
        assert name in result.output
