"""Jobs on a real cluster that wants a token: submitted, locked, followed, stopped, with their true exit codes."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import requests
from ray.job_submission import JobSubmissionClient

from jobs.benchmark.seaweed import free_ports
from jobs.submit import entrypoint_of, lock_of, outcome, runtime_env_of, submit
from tests.jobs.pairs import assert_whole, read_run, write_manifest

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Cluster:
    """A cluster, and the environment of someone who may use it."""

    address: str
    token: str
    environment: dict[str, str]

    def command(self, *arguments):
        return [sys.executable, "-m", "jobs.submit", *map(str, arguments)]

    def call(self, *arguments, **changes):
        return subprocess.run(
            self.command(*arguments), env=self.environment | changes, cwd=CHECKOUT,
            capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip

    @contextmanager
    def following(self, *arguments):
        """A command that is at work; it is ended with the context."""
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            self.command(*arguments), env=self.environment, cwd=CHECKOUT, stdout=pipe, stderr=pipe, text=True
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    @property
    def client(self):
        return JobSubmissionClient(self.address, headers={"Authorization": f"Bearer {self.token}"})


@pytest.fixture(scope="module")
def cluster():
    home = Path(tempfile.mkdtemp(prefix="ray-"))  # short: the sockets in it have long names
    gcs, dashboard, agent, client = free_ports(4)
    address, token = f"http://127.0.0.1:{dashboard}", secrets.token_hex(16)
    ours = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    ours |= {"HOME": str(home), "RAY_AUTH_TOKEN": token, "RAY_USAGE_STATS_ENABLED": "0"}
    ours["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{ours['PATH']}"
    log = home / "head.log"
    with log.open("wb") as output:
        head = subprocess.Popen(
            [
                sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus=2",
                "--node-ip-address=127.0.0.1", f"--port={gcs}", f"--dashboard-port={dashboard}",
                f"--dashboard-agent-listen-port={agent}", f"--ray-client-server-port={client}",
                "--object-store-memory=100000000", f"--temp-dir={home}",
            ],
            env=ours | {"RAY_AUTH_MODE": "token"}, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        wait_for(lambda: answers(address) or head.poll() is not None, "cluster")
        assert head.poll() is None, log.read_text()
        yield Cluster(address, token, ours | {"RAY_API_SERVER_ADDRESS": address})
    finally:
        family = [head.pid, *(child.pid for child in psutil.Process(head.pid).children(recursive=True))]
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        head.wait()
        shutil.rmtree(home, ignore_errors=True)


def answers(address):
    with suppress(requests.ConnectionError):
        return requests.get(f"{address}/api/version", timeout=5).status_code == 401
    return False


def wait_for(condition, what, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"no {what} within {seconds} s"
        time.sleep(0.1)


def ended(client, job):
    wait_for(lambda: client.get_job_status(job).is_terminal(), f"end of {job}")
    return client.get_job_info(job)


def test_a_run_is_submitted_and_its_log_and_exit_code_come_back(cluster, tmp_path):
    manifest = write_manifest(tmp_path, 3, 2, [{"pair_id": "missing", "content": "no.png", "style": "styles/s0.png"}])
    output = tmp_path / "out"
    run = cluster.call(
        "run", "--", "run", "--manifest", manifest, "--output", output, "--resolution", 64, "--max-failed", 0
    )
    assert run.returncode == 3, run.stdout + run.stderr
    records = assert_whole(output, 7)
    assert [record["pair_id"] for record in records if record["status"] == "failed"] == ["missing"]
    job = lock_of(str(output))
    assert run.stdout.startswith(f"{job} was submitted to {cluster.address}\n")
    assert "6 done, 1 failed of 7 pairs" in run.stdout and "exit code 3" in run.stderr
    status = cluster.call("status", job)
    assert status.returncode == 0
    assert status.stdout.splitlines()[0].startswith(f"{job}: FAILED, exit code 3: every pair has its record")
    assert status.stdout.splitlines()[1].startswith("6 done, 1 failed of 7 pairs")
    assert cluster.client.get_job_info(job).driver_exit_code == 3


def test_a_stopped_run_drains_and_the_same_command_goes_on(cluster, tmp_path):
    output, rows = tmp_path / "out", 24
    manifest = write_manifest(tmp_path, 8, 3)
    again = ["run", "--id", "nightly", "--", "run", "--manifest", manifest, "--output", output, "--shard-size", 1]
    with cluster.following(*again) as first:
        wait_for(lambda: list(output.glob("records/*")), "first record")
        cluster.client.stop_job("nightly")
        _, told = first.communicate(timeout=120)
    assert first.returncode == 143 and "nightly: exit code 143: drained; run the same command again" in told
    drained = read_run(output)
    assert 0 < len(drained) < rows and {record["status"] for record in drained} == {"done"}
    assert cluster.call("status", "nightly").stdout.startswith("nightly: STOPPED, exit code 143: drained")

    second = cluster.call(*again)
    assert second.returncode == 0, second.stdout + second.stderr
    assert second.stdout.startswith("nightly-2 was submitted")
    assert_whole(output, rows)
    assert cluster.call("status", "nightly").stdout.startswith("nightly-2: SUCCEEDED, exit code 0")


def test_a_job_that_goes_on_is_not_submitted_again_but_may_be_followed_and_stopped(cluster, tmp_path):
    client, output = cluster.client, str(tmp_path / "out")
    job, _ = submit(client, lock_of(output), entrypoint_of("sleep", "600"), runtime_env_of(str(tmp_path), 60))
    refused = cluster.call("run", "--", "status", "--output", output)
    assert refused.returncode == 75 and f"{job} goes on already, so nothing was submitted" in refused.stderr

    with cluster.following("run", "--attach", "--", "status", "--output", output) as following:
        lines = iter(following.stdout.readline, "")
        assert any("Running entrypoint for job" in line for line in lines)
        following.send_signal(signal.SIGINT)
        _, told = following.communicate(timeout=60)
    assert following.returncode == 130 and f"no longer following {job}, which goes on" in told
    assert not client.get_job_status(job).is_terminal()
    assert cluster.call("status", job).stdout.startswith(f"{job}: RUNNING\n")

    stop = cluster.call("stop", job)
    assert stop.returncode == 0 and f"{job}: exit code 143: drained; run the same command again" in stop.stdout
    assert cluster.call("stop", job).stdout == stop.stdout.splitlines(keepends=True)[-1]


def test_of_many_who_submit_at_once_one_succeeds(cluster, tmp_path):
    client = cluster.client

    def race():
        arguments = (client, "raced", entrypoint_of("sleep", "3"), runtime_env_of(str(tmp_path), 1))
        with ThreadPoolExecutor(8) as threads:
            return list(threads.map(lambda _: submit(*arguments), range(8)))

    for winner in ("raced", "raced-2"):
        results = race()
        assert sorted(results) == [(winner, False)] * 7 + [(winner, True)]
        ended(client, winner)
    client.delete_job("raced")
    client.submit_job(entrypoint="true", submission_id="raced-3")  # somebody else's
    assert submit(client, "raced", "true", {}) == ("raced-4", True)


def test_a_job_that_does_not_drain_is_killed(cluster, tmp_path):
    client = cluster.client
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(600)"
    job, _ = submit(client, "stubborn", entrypoint_of("python", "-c", stubborn), runtime_env_of(str(tmp_path), 1))
    wait_for(lambda: "\nup\n" in client.get_job_logs(job), "start")
    client.stop_job(job)
    code, told = outcome(client, ended(client, job))
    assert code == 137 and "killed before it had drained; nothing committed is lost" in told


def test_what_no_job_needs_is_not_uploaded(cluster, tmp_path):
    for path in ("ift/a.py", "jobs/b.py", ".venv/lib/c.so", "docs/d.jpg", "tests/e.py", ".git/f", "jobs/__pycache__/g"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(bytes(1000))
    client = cluster.client
    job, _ = submit(client, "listing", entrypoint_of("find", ".", "-type", "f"), runtime_env_of(str(tmp_path), 1))
    ended(client, job)
    listed = {line for line in client.get_job_logs(job).splitlines() if line.startswith("./")}
    assert listed == {"./ift/a.py", "./jobs/b.py"}


@pytest.mark.parametrize(
    ("arguments", "changes", "hint"),
    [
        (["status", "nothing"], {}, "no job nothing"),
        (["stop", "nothing"], {}, "no job nothing"),
        (["status", "any", "--address", "http://127.0.0.1:9"], {}, "no Ray cluster answers at http://127.0.0.1:9"),
        (["status", "any", "--address", "127.0.0.1:8265"], {}, "as http://head:8265"),
        (["status", "any"], {"RAY_AUTH_TOKEN": "x" * 32}, "wrong one"),
        (["status", "any"], {"RAY_AUTH_TOKEN": ""}, "RAY_AUTH_TOKEN"),
        (["run", "--working-dir", "/nowhere", "--", "status", "--output", "/out"], {}, "/nowhere"),
        (["run", "--", "run", "--manifest", "m.csv", "--output", "out"], {}, "--output out"),
        (["run", "--", "paint"], {}, "no command 'paint'"),
    ],
)
def test_mistakes_get_one_line(cluster, arguments, changes, hint):
    result = cluster.call(*arguments, **changes)
    assert result.returncode == 2, result.stderr
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1 and hint in result.stderr


def test_a_working_dir_that_is_too_large_is_named_as_the_mistake(cluster, tmp_path):
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(110 << 20)
    result = cluster.call("run", "--working-dir", tmp_path, "--", "status", "--output", "/out")
    assert result.returncode == 2 and result.stderr.count("\n") == 1
    assert "larger than the cluster takes" in result.stderr and ".rayignore" in result.stderr


def test_the_options_of_the_run_are_told_and_checked_before_anything_is_submitted(cluster, tmp_path):
    before = len(cluster.client.list_jobs())
    result = cluster.call("run", "--", "run", "--manifest", "m.csv", "--output", tmp_path, "--presett", "photo")
    assert result.returncode == 2 and "--presett" in result.stderr and "Traceback" not in result.stderr
    told = cluster.call("run", "--", "run", "--help")
    assert told.returncode == 0 and "--manifest" in told.stdout and told.stderr == ""
    assert len(cluster.client.list_jobs()) == before


@pytest.mark.parametrize("output", ["s3://bucket/run1", "/data/ü/run 1", "s3://bucket/" + "x" * 500])
def test_the_id_of_an_output_is_short_plain_and_its_own(output):
    assert lock_of(output) == lock_of(output + "/") != lock_of(output + "2")
    assert len(lock_of(output)) < 64 and lock_of(output).replace("-", "").isalnum() and lock_of(output).isascii()
