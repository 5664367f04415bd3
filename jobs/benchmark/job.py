"""A run of the main job in processes of its own, and its rate by its own records."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from jobs.committed import committed_shards, iter_records
from jobs.errors import JobError
from jobs.plan import load_plan
from jobs.storage import open_store

_LOOK_S = 3.0  # how often the finished pictures are counted
_SHOWN = 2000  # characters of the log of a job that has failed


@dataclass(frozen=True)
class JobRun:
    """How long a run took.

    Attributes:
        steady: seconds a pair, between the first that was finished and the last.
        whole: seconds a pair, from the start of the program to its end.
    """

    steady: float
    whole: float


def write_manifest(path: Path, pairs: Iterable[tuple[str, str]]) -> Path:
    """A CSV file of (content, style)."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("content", "style"), *pairs])
    return path


def run_job(
    manifest: Path,
    output: str,
    resolution: int,
    count: int,
    log: Path,
    progress: Callable[[float], None],
    *,
    gpus: bool,
) -> JobRun:
    """Runs `python -m jobs.stylize run` as anyone would who gives no other flags.

    Args:
        manifest: of at least two pairs.
        output: URI for its results.
        resolution: longer side in pixels.
        count: of the pairs in the manifest.
        log: a new file for what the job says.
        progress: told the share that is done, now and then.
        gpus: whether it may use them.

    Raises:
        JobError: the job ended with anything but 0; with the end of its log.
    """
    command = [sys.executable, "-m", "jobs.stylize", "run", "--manifest", str(manifest), "--output", output]
    command += ["--resolution", str(resolution), *([] if gpus else ["--gpus-per-worker", "0"])]
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}  # on this machine
    store = open_store(output)
    started = time.perf_counter()
    with log.open("wb") as words, subprocess.Popen(command, stdout=words, stderr=words, env=environment) as process:  # noqa: S603
        while process.poll() is None:
            try:
                process.wait(_LOOK_S)
            except subprocess.TimeoutExpired:
                progress(sum(1 for _ in store.list("images/")) / count)
    whole = time.perf_counter() - started
    if process.returncode:
        raise JobError(f"the job ended with {process.returncode}:\n{log.read_text(errors='replace')[-_SHOWN:].strip()}")
    finished = _finished(output)
    return JobRun((max(finished) - min(finished)) / (len(finished) - 1), whole / len(finished))


def _finished(output: str) -> list[float]:
    """When each pair was, in seconds."""
    store = open_store(output)
    plan = load_plan(store)
    shards = committed_shards(store, plan)
    tables = [records for _, records in iter_records(store, plan, shards, ("status", "finished_at"))]
    rows = [row for table in tables for row in table.to_pylist()]
    failed = sum(row["status"] != "done" for row in rows)
    if failed:
        raise JobError(f"{failed} of the job's {len(rows)} pairs failed: see `jobs.stylize status --output {output}`")
    return [row["finished_at"] for row in rows]
