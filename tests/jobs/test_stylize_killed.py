"""The main job under signals: real processes that are killed or told to stop, and runs that go on after it."""

import json
import os
import signal
import subprocess
import time

import psutil
import pytest

from tests.jobs.drivers import call, command
from tests.jobs.pairs import assert_whole, read_run, write_manifest

pytestmark = pytest.mark.slow


def start(*arguments):
    """A run in a session of its own, so that all it started can be found and ended."""
    return subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def wait_for(condition, what, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"no {what} within {seconds} s"
        time.sleep(0.05)


@pytest.fixture
def started():
    """Runs that a test leaves behind are ended with all their processes, by id."""
    processes = []
    yield processes.append
    for process in processes:
        family = [process.pid]
        if psutil.pid_exists(process.pid):
            family += [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
        for pid in family:
            if psutil.pid_exists(pid):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def test_a_killed_driver_loses_nothing_and_a_new_one_finishes(tmp_path, started):
    manifest, output = write_manifest(tmp_path, contents=12, styles=3), tmp_path / "out"
    run = ("run", "--manifest", manifest, "--output", output, "--shard-size", 2)
    process = start(*run)
    started(process)
    wait_for(lambda: len(list(output.glob("records/*"))) >= 3, "records")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    committed = {path: path.read_bytes() for path in output.glob("records/*")}
    assert 3 <= len(committed) < 18
    result = call(*run)
    assert result.returncode == 0, result.stdout + result.stderr
    assert all(record["status"] == "done" for record in assert_whole(output, 36))
    assert all(path.read_bytes() == data for path, data in committed.items())


def test_a_killed_actor_is_replaced(tmp_path, started):
    manifest, output = write_manifest(tmp_path, contents=12, styles=3), tmp_path / "out"
    process = start("run", "--manifest", manifest, "--output", output, "--shard-size", 2, "--workers", 1)
    started(process)
    wait_for(lambda: len(list(output.glob("records/*"))) >= 2, "records")
    children = psutil.Process(process.pid).children(recursive=True)
    actors = [child for child in children if "ray::StylizeActor" in " ".join(child.cmdline())]
    assert len(actors) == 1
    os.kill(actors[0].pid, signal.SIGKILL)
    text, _ = process.communicate(timeout=240)
    assert process.returncode == 0, text
    assert all(record["status"] == "done" for record in assert_whole(output, 36))


def test_sigterm_drains_and_the_run_goes_on_later(tmp_path, started):
    manifest, output = write_manifest(tmp_path, contents=12, styles=3), tmp_path / "out"
    run = ("run", "--manifest", manifest, "--output", output, "--shard-size", 1)
    process = start(*run)
    started(process)
    wait_for(lambda: len(list(output.glob("records/*"))) >= 2, "records")
    process.terminate()
    text, _ = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM, text
    summary = json.loads((output / "summary.json").read_text())
    assert summary["done"] == len(read_run(output)) == 36 - summary["left"] < 36
    assert call(*run).returncode == 0
    assert_whole(output, 36)
