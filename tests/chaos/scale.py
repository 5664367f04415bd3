"""The shape at scale: seconds, rows/s and peak memory of every process, for some rows and for ten times as many."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from tests.chaos.pictures import STYLES, Row, content_png, style_png
from tests.chaos.scratch import VARIABLE, Scratch

_ROW_GROUP = 100_000
_TICK_S = 0.2
_MOST_START_S = 10.0
_ROLES = {"raylet": "raylet", "gcs_server": "gcs", "ray::ChaosActor": "actor"}


@dataclass
class Step:
    """What a command took.

    Attributes:
        name: of the command.
        rows: that it dealt with.
        seconds: from its start to its end, importing and starting Ray included.
        peaks: MB of resident memory, by the role of the process; of several of a role the largest.
        started: seconds until the first picture was computed.
    """

    name: str
    rows: int
    seconds: float = 0.0
    peaks: dict[str, int] = field(default_factory=dict)
    started: float | None = None


def measure_scale(rows: int, plan_rows: int, folder: Path, console: Console) -> bool:
    """Measures plans and whole runs; writes scale.json, prints a table.

    Returns:
        Whether a half-done run started computing soon enough.
    """
    steps: list[Step] = []
    with tempfile.TemporaryDirectory(prefix="scale-") as name, _environment(Path(name)):
        scratch = Path(name)
        for count in (plan_rows // 10, plan_rows):
            manifest = _manifest(scratch / f"plan-{count}.parquet", count)
            steps.append(_command("plan", count, manifest, scratch / f"plan-{count}", folder))
            manifest.unlink()
        _write_pictures(scratch, rows // STYLES)
        for count in (rows // 10, rows):
            manifest, output = _manifest(scratch / f"run-{count}.parquet", count), scratch / f"run-{count}"
            steps.append(_command("run", count, manifest, output, folder))
            steps.append(_command("status", count, None, output, folder))
            steps.append(_command("verify", count, None, output, folder))
        steps.append(_resumed(scratch, rows, folder))
    _report(steps, folder, console)
    return (steps[-1].started or 0.0) <= _MOST_START_S


def _resumed(scratch: Path, rows: int, folder: Path) -> Step:
    """A run that is killed when half of it is done, and goes on."""
    manifest, output = scratch / f"run-{rows}.parquet", scratch / "resumed"

    def done() -> int:
        return 32 * sum(1 for _ in output.glob("records/*"))

    _command("first half", rows, manifest, output, folder, kill_when=lambda: done() > rows / 2)
    left = rows - done()
    return _command("resume", left, manifest, output, folder)


def _command(
    name: str, rows: int, manifest: Path | None, output: Path, folder: Path, kill_when: Callable[[], bool] | None = None
) -> Step:
    verb = name if manifest is None or name == "plan" else "run"
    arguments = [sys.executable, "-m", "tests.chaos.driver", verb, "--output", str(output)]
    if manifest is not None:
        arguments += ["--manifest", str(manifest), "--resolution", "0"]
    step, began = Step(name, rows), time.time()
    with (folder / "scale.log").open("ab") as log:
        process = subprocess.Popen(arguments, stdout=log, stderr=log)
        while process.poll() is None:
            _sample(process.pid, step.peaks)
            if kill_when is not None and kill_when():
                _kill_all(process)
            time.sleep(_TICK_S)
    step.seconds = time.time() - began
    if process.returncode and kill_when is None:
        raise RuntimeError(f"{name} ended with {process.returncode}: see {folder / 'scale.log'}")
    times = [computed.time for computed in Scratch.of(str(output)).computations() if computed.time > began]
    step.started = times[0] - began if times else None
    return step


def _kill_all(process: subprocess.Popen[bytes]) -> None:
    """As when a machine goes down: all that it has started ends with it."""
    for each in (psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait()


def _sample(pid: int, peaks: dict[str, int]) -> None:
    try:
        driver = psutil.Process(pid)
        for process in (driver, *driver.children(recursive=True)):
            role = "driver" if process.pid == pid else _role(" ".join(process.cmdline()))
            if role is not None:
                peaks[role] = max(peaks.get(role, 0), process.memory_info().rss // 10**6)
    except psutil.Error:  # it ended meanwhile
        return


def _role(command: str) -> str | None:
    return next((role for word, role in _ROLES.items() if word in command.split(" --", 1)[0]), None)


@contextmanager
def _environment(folder: Path) -> Iterator[None]:
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(folder / "scratch")
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


def _manifest(path: Path, rows: int) -> Path:
    """Every content with every style, shuffled within each row group."""
    random = np.random.default_rng(rows)
    schema = pa.schema({"content": pa.string(), "style": pa.string()})
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, _ROW_GROUP):
            numbers = random.permutation(np.arange(start, min(start + _ROW_GROUP, rows)))
            contents = [f"contents/{number // STYLES:08d}.png" for number in numbers.tolist()]
            styles = [f"styles/{number % STYLES}.png" for number in numbers.tolist()]
            writer.write_table(pa.table({"content": contents, "style": styles}, schema=schema))
    return path


def _write_pictures(folder: Path, contents: int) -> None:
    (folder / "contents").mkdir()
    (folder / "styles").mkdir()
    for number in range(contents + 1):
        (folder / f"contents/{number:08d}.png").write_bytes(content_png(Row(number)))
    for number in range(STYLES):
        (folder / f"styles/{number}.png").write_bytes(style_png(number))


def _report(steps: list[Step], folder: Path, console: Console) -> None:
    (folder / "scale.json").write_text(json.dumps([asdict(step) for step in steps], indent=1) + "\n")
    table = Table("command", "rows", "seconds", "rows/s", "first picture after", "peak memory, MB")
    for step in steps:
        peaks = ", ".join(f"{role} {megabytes}" for role, megabytes in step.peaks.items())
        started = "" if step.started is None else f"{step.started:.1f} s"
        table.add_row(
            step.name, f"{step.rows:,}", f"{step.seconds:.1f}", f"{step.rows / step.seconds:,.0f}", started, peaks
        )
    console.print(table)
