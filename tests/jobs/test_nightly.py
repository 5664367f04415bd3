"""Nights as they go wrong: folders that grow, a killed night, two at once, a missed one; and who may be at work."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from jobs.config import read_config
from jobs.errors import BusyError, ConfigError
from jobs.nightly.__main__ import app
from jobs.nightly.lease import LEASE_KEY, lease
from jobs.nightly.night import read_nightly
from jobs.nightly.report import Report, read_reports, reported
from jobs.storage import open_store
from tests.chaos import scratch
from tests.chaos.pictures import Behaviour, Row, content_png, style_png
from tests.chaos.scratch import Scratch
from tests.jobs.pairs import assert_whole, read_run

CHECKOUT = Path(__file__).parents[2]

DATASET = """
[build]
contents = ["photos"]
styles = ["styles"]
styles_per_content = 2
seed = 5
image_format = "png"

[run]
output = "out"
resolution = 32
image_format = "png"
shard_size = 2
workers = 1
max_failed = 0.5
"""


# Who is at work


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "out"))


@pytest.mark.parametrize("where", ["local", pytest.param("s3", marks=pytest.mark.slow)])
def test_of_many_at_once_one_gets_it_and_the_next_when_it_is_over(request, store, where):
    if where == "s3":
        store = open_store(f"s3://{request.getfixturevalue('s3').bucket()}/out")
    refused = []

    def attempt(_):
        try:
            with lease(store):
                wait_for(lambda: len(refused) == 7, "refusal of all others")
        except BusyError as error:
            refused.append(str(error))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(attempt, range(8)))
    assert all(f"process {os.getpid()} of" in text and text.startswith("a night is at work on") for text in refused)
    with lease(store):
        pass


def elsewhere(store, age, pid=1):
    """The lease of a night on another machine, last renewed some seconds ago."""
    now = time.time()
    holder = {"owner": "other", "place": "node-7~1", "pid": pid, "since": now - 4000, "renewed": now - age}
    store.write(LEASE_KEY, json.dumps(holder).encode())


def test_a_holder_elsewhere_counts_until_its_last_sign_of_life_is_old(store):
    elsewhere(store, age=10)
    with pytest.raises(BusyError, match="process 1 of node-7"), lease(store, stale=60):
        pass
    elsewhere(store, age=61)
    with lease(store, stale=60):
        assert json.loads(store.read(LEASE_KEY))["owner"] != "other"


def test_what_is_no_lease_is_taken(store):
    store.write(LEASE_KEY, b"[1]")
    with lease(store):
        pass


def test_a_holder_stays_fresh_for_as_long_as_it_is_at_work(store):
    with lease(store, stale=1.0):
        first = json.loads(store.read(LEASE_KEY))
        end = time.monotonic() + 30
        while json.loads(store.read(LEASE_KEY))["renewed"] < first["renewed"] + 1:
            assert time.monotonic() < end, "the lease was never renewed"
            time.sleep(0.05)


def test_a_holder_that_has_lost_the_lease_leaves_it_to_the_other(store):
    with lease(store, stale=1.0):
        elsewhere(store, age=0)
        theirs = store.read(LEASE_KEY)
    assert store.read(LEASE_KEY) == theirs


def test_a_dead_process_of_this_machine_holds_nothing(store):
    """However lately it was renewed."""
    code = (
        "import os, sys; from jobs.nightly.lease import lease; from jobs.storage import open_store\n"
        "with lease(open_store(sys.argv[1])): os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, store.uri], cwd=CHECKOUT, check=False).returncode == 9
    with lease(store):
        pass


# What became of nights


def test_a_report_is_there_from_the_beginning_and_says_how_it_ended(store):
    with reported(store, "m.parquet") as report:
        (begun,) = read_reports(store, 5)
        assert begun.exit_code is None
        report.exit_code, report.done = 3, 7
    (ended,) = read_reports(store, 5)
    assert (ended.exit_code, ended.done, ended.problem) == (3, 7, None)


@pytest.mark.parametrize(
    ("error", "code", "problem"),
    [(ConfigError("no such key"), 2, "no such key"), (SystemExit(143), 143, None), (ZeroDivisionError(), 1, "Zero")],
)
def test_what_ends_a_night_is_in_its_report(tmp_path, error, code, problem):
    store = open_store(str(tmp_path))
    with pytest.raises(type(error)), reported(store, "m.parquet"):
        raise error
    (report,) = read_reports(store, 1)
    assert report.exit_code == code and (report.problem or "").startswith(problem or "")
    shown = CliRunner().invoke(app, ["history", "--output", str(tmp_path)], env={"COLUMNS": "200"})
    assert shown.exit_code == 0 and report.started_at in shown.stdout and (problem or "") in shown.stdout


def test_the_last_nights_in_order(tmp_path):
    store = open_store(str(tmp_path))
    for day in (9, 11, 10):
        report = Report(f"2026-11-{day:02}T01-00-00Z", "host", "m.parquet", exit_code=0)
        store.write(report.key, report.to_json())
    store.write("nights/notes.txt", b"mine")
    assert [report.started_at[8:10] for report in read_reports(store, 2)] == ["10", "11"]
    store.write("nights/2026-11-12T01-00-00Z.json", b"{")
    shown = CliRunner().invoke(app, ["history", "--output", str(tmp_path)])
    assert shown.exit_code == 2 and "is no report of a night" in shown.stderr


# What a night is told


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[run]\nmanifest = 'm.csv'", "[run] lacks output"),
        ("[run]\noutput = 'out'", "[run] lacks manifest, and there is no [build] to make one"),
        ("[run]\noutput = 'out'\n[build]\ncontents = ['c']", "[build] lacks styles"),
    ],
)
def test_what_nights_need_is_asked_for(tmp_path, text, hint):
    config = tmp_path / "d.toml"
    config.write_text(text)
    result = CliRunner().invoke(app, ["--config", str(config)])
    assert result.exit_code == 2 and hint in result.stderr and not (tmp_path / "out").exists()
    assert CliRunner().invoke(app, []).exit_code == 2


def test_where_the_manifest_is_built(tmp_path):
    config = tmp_path / "d.toml"
    config.write_text("[run]\noutput = 's3://b/o/'\n[build]\ncontents = ['c']\nstyles = ['s']\n[night]\nretry = false")
    nightly = read_nightly(str(config))
    assert nightly.run.planning.manifest == "s3://b/o/manifest.parquet" and not nightly.night.retry
    assert nightly.pairing and nightly.pairing.contents == (str(tmp_path / "c"),)
    config.write_text("[run]\noutput = 's3://b/o/'\nmanifest = 'm.csv'")
    nightly = read_nightly(str(config))
    assert nightly.run.planning.manifest == str(tmp_path / "m.csv") and nightly.pairing is None


# Three nights


class Nights:
    """A folder of photos that grows, and the nights that go over it, each a process of its own."""

    def __init__(self, folder):
        self.folder, self.output, self.config = folder, folder / "out", folder / "dataset.toml"
        self.environment = os.environ | {
            scratch.VARIABLE: str(folder / "scratch"), "OMP_NUM_THREADS": "1", "COLUMNS": "200",
        }  # fmt: skip
        self.environment.pop("RAY_ADDRESS", None)
        self.scratch = Scratch.of(str(self.output))
        for style in range(3):
            (folder / "styles").mkdir(exist_ok=True)
            (folder / f"styles/{style}.png").write_bytes(style_png(style))
        self.config.write_text(DATASET)

    def grow(self, start, stop, behaviour=Behaviour.PLAIN):
        for number in range(start, stop):
            path = self.folder / f"photos/class{number % 2}/{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content_png(Row(number, behaviour)))

    def start(self):
        command = [sys.executable, "-m", "tests.jobs.nightly_driver", "--config", str(self.config)]
        return subprocess.Popen(
            command, cwd=CHECKOUT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip

    def spend(self):
        with self.start() as process:
            said, _ = process.communicate(timeout=200)
        return process.returncode, said

    def recorded(self):
        return {path.name: path.read_bytes() for path in self.output.glob("records/*")}

    def reports(self):
        return read_reports(open_store(str(self.output)), 100)


def wait_for(condition, what, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"no {what} within {seconds} s"
        time.sleep(0.05)


def end_all_of(process):
    """By -9, the driver first, as a machine would that dies."""
    family = [process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]
    for pid in family:
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)
    process.wait()


@pytest.fixture
def nights(tmp_path, monkeypatch):
    monkeypatch.setenv(scratch.VARIABLE, str(tmp_path / "scratch"))
    return Nights(tmp_path)


@pytest.mark.slow
def test_nights_with_growing_folders_a_stopped_one_a_killed_one_and_two_at_once(nights):
    # The first night: 8 photos, 2 styles each. SIGTERM comes when some are done and some have failed.
    nights.grow(0, 4, Behaviour.TORN)
    nights.grow(4, 8)
    nights.scratch.set_pace(0.2)
    with nights.start() as first:
        wait_for(lambda: {r["status"] for r in read_run(nights.output)} == {"done", "failed"}, "of both kinds")
        first.terminate()
        said, _ = first.communicate(timeout=120)
    assert first.returncode == 143, said
    drained, early = read_run(nights.output), nights.recorded()
    failed = {record["pair_id"] for record in drained if record["status"] == "failed"}
    assert len(drained) < 16
    names = [row["output"] for row in pq.read_table(nights.output / "manifest.parquet").to_pylist()]

    # The second night: more photos, and the torn ones mended. Another wants to begin meanwhile; then it is killed.
    nights.grow(0, 12)
    nights.scratch.set_pace(0.4)
    with nights.start() as second:
        wait_for(lambda: len(nights.recorded()) >= len(early) + 2, "records of the second night")
        reports = nights.reports()
        overlapping, said = nights.spend()
        assert overlapping == 75 and "a night is at work on" in said and "nothing was done" in said
        assert nights.reports() == reports
        end_all_of(second)
    killed = nights.recorded()
    assert len(early) < len(killed) < 12

    # The third night, at once after the kill: still more photos, and all that the others left.
    nights.grow(12, 14)
    nights.scratch.set_pace(0.0)
    code, said = nights.spend()
    assert code == 0, said
    records = assert_whole(nights.output, 28)
    assert {record["status"] for record in records} == {"done"} and len({r["pair_id"] for r in records}) == 28
    assert {record["pair_id"] for record in records if record["attempts"] > 1} == failed
    done = [record for record in drained if record["status"] == "done"]
    assert all(record in records for record in done)  # to the second, and the actor
    changed = {name for name, data in killed.items() if nights.recorded()[name] != data}
    assert changed <= early.keys()  # of which those with failed pairs were replaced
    after = [row["output"] for row in pq.read_table(nights.output / "manifest.parquet").to_pylist()]
    assert after[: len(names)] == names and len(after) == 28

    stopped, lost, ended = nights.reports()
    assert (stopped.exit_code, stopped.rows, stopped.missing, stopped.wrong) == (143, 16, 16, None)
    assert (stopped.done, stopped.failed, stopped.left) == (len(done), len(failed), 16 - len(drained))
    assert (lost.exit_code, lost.rows, lost.missing, lost.retried) == (None, 24, 24 - len(drained), len(failed))
    assert (ended.exit_code, ended.rows, ended.left, ended.failed, ended.wrong) == (0, 28, 0, 0, {})
    assert ended.missing == 28 - sum(len(_pairs_of(data)) for data in killed.values())
    assert re.search(rf"{lost.started_at}.* none *$", said, re.MULTILINE)

    # A night with nothing new starts no cluster.
    idle, handler = nights.recorded(), signal.getsignal(signal.SIGTERM)
    last = CliRunner().invoke(app, ["--config", str(nights.config)])
    signal.signal(signal.SIGTERM, handler)
    assert last.exit_code == 0 and "nothing to do" in last.stdout and nights.recorded() == idle
    assert (
        read_config(str(nights.output / "config.toml")).values("run")["manifest"] == f"{nights.output}/manifest.parquet"
    )


def _pairs_of(data):
    return pq.read_table(pa.BufferReader(data))["pair_id"].to_pylist()
