"""The command in processes of its own, and under Ray."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest
from rich.console import Console
from typer.testing import CliRunner

from jobs.evaluate.__main__ import app
from jobs.evaluate.job import Options, evaluate_run, read_metrics
from jobs.flags import working
from tests.jobs.evaluate.actors import DeadlyActor
from tests.jobs.evaluate.runs import judge_all, plan_run, stylize


def command(*arguments):
    return [sys.executable, "-m", "jobs.evaluate", *map(str, arguments)]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--output", "{}/nothing"], "holds no plan: nothing was run there yet"),
        (["--output", "{}/out", "--triples", "{}/nothing.csv"], "nothing.csv does not exist"),
        (["--output", "{}/out", "--triples", "{}"], "no pictures in content/"),
        ([], "name the run to judge"),
        (["report", "--output", "{}/nothing"], "has not been evaluated"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path, arguments, hint):
    result = CliRunner().invoke(app, [argument.format(tmp_path) for argument in arguments])
    assert result.exit_code == 2 and hint in result.stderr
    assert isinstance(result.exception, SystemExit)
    assert not (tmp_path / "out").exists()


def test_a_list_does_not_go_where_a_run_is(tmp_path):
    plan_run(tmp_path)
    result = CliRunner().invoke(app, ["--output", str(tmp_path / "run"), "--triples", str(tmp_path)])
    assert result.exit_code == 2 and "holds a run" in result.stderr


def figures(output):
    """The columns of metrics.parquet that do not tell of times, nor of the weights by name."""
    columns = read_metrics(str(output)).to_pydict()
    return {name: values for name, values in columns.items() if not name.endswith(("_s", "_at", "fingerprint"))}


@pytest.mark.slow
def test_a_killed_driver_loses_nothing_and_the_next_gives_the_same_table(tmp_path, model):
    plan_run(tmp_path, contents=12, shard_size=1)
    stylize(tmp_path, model)
    output = tmp_path / "run"
    shutil.copytree(output, tmp_path / "untroubled")
    run = command("--output", output, "--workers", 1, "--no-report")
    process = subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    family = []
    try:
        end = time.monotonic() + 120
        while len(list(output.glob("evaluation/records/*"))) < 3:
            assert time.monotonic() < end and process.poll() is None
            time.sleep(0.01)
        family = psutil.Process(process.pid).children(recursive=True)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    finally:
        for child in family:
            if child.is_running():
                child.kill()
    committed = {path: path.read_bytes() for path in output.glob("evaluation/records/*")}
    assert 3 <= len(committed) < 24
    assert not (output / "evaluation/metrics.parquet").exists()
    done = subprocess.run(run, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"24 pairs, {len(committed)} of them done" in done.stdout
    assert {path: path.read_bytes() for path in committed} == committed
    judge_all(tmp_path / "untroubled", model)
    resumed, expected = (figures(tmp_path / name) for name in ("run", "untroubled"))
    assert resumed["status"] == ["done"] * 24
    for name, values in expected.items():
        assert resumed[name] == (pytest.approx(values, rel=1e-6) if isinstance(values[0], float) else values), name


@pytest.mark.slow
def test_a_pair_that_kills_its_worker_fails_alone(tmp_path, model):
    plan_run(tmp_path, shard_size=3)
    stylize(tmp_path, model)
    options = Options(max_failed=0.1, actor=DeadlyActor)
    code = evaluate_run(str(tmp_path / "run"), working(workers=1), Console(), options)
    rows = {row["pair_id"]: row for row in read_metrics(str(tmp_path / "run")).to_pylist()}
    failed = {name: row["error_type"] for name, row in rows.items() if row["status"] == "failed"}
    assert failed == {"c1-s0": "ProcessDiedError"} and len(rows) == 6
    assert rows["c1-s0"]["attempts"] == 4 and rows["c1-s0"]["content"].endswith("contents/c1.png")
    assert [rows[name]["ssim"] for name in ("c0-s0", "c1-s0", "c1-s1")] == [0.5, None, 0.5]
    assert code == 3
    assert json.loads((tmp_path / "run/evaluation/evaluation.json").read_text())["failed"] == 1
