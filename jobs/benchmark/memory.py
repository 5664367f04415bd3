"""The memory of a command and of all that it starts, as it goes on."""

from __future__ import annotations

import csv
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from jobs.errors import JobError
from jobs.plot_style import INK, PLOT_STYLE

_ALL, _ONE = "#33608c", "#e08e45"


class Sample(NamedTuple):
    """How much memory there was in use at a time.

    Attributes:
        seconds: since the command was started.
        bytes: resident, of all its processes together.
        largest: of the largest of them.
    """

    seconds: float
    bytes: int
    largest: int


@contextmanager
def watched(pid: int, every: float, tell: Callable[[Sample], None]) -> Iterator[None]:
    """Within it, a thread tells of the memory of a process and of all that it started, every so many seconds."""
    started, over = time.perf_counter(), threading.Event()

    def watch() -> None:
        while not over.wait(every):
            sizes = _sizes(pid)
            if sizes:
                tell(Sample(time.perf_counter() - started, sum(sizes), max(sizes)))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def follow(command: Sequence[str], every: float, table: Path | None = None) -> tuple[int, list[Sample]]:
    """Runs a command to its end, and writes how much memory it took.

    Args:
        command: its words.
        every: seconds between samples.
        table: a CSV file to be written.

    Returns:
        Its exit code, and the samples.

    Raises:
        JobError: there is no such command.
    """
    samples: list[Sample] = []
    try:
        process = subprocess.Popen(command)  # noqa: S603 (the user's own command)
    except OSError as error:
        raise JobError(f"{command[0]} cannot be started: {error.strerror}") from error
    with _written(table) as write:

        def tell(sample: Sample) -> None:
            samples.append(sample)
            write((f"{sample.seconds:.1f}", sample.bytes, sample.largest))

        with watched(process.pid, every, tell):
            code = process.wait()
    return code, samples


@contextmanager
def _written(table: Path | None) -> Iterator[Callable[[Sequence[object]], object]]:
    """Writes rows at once, for whoever watches may be killed with the command."""
    if table is None:
        yield lambda row: None
        return
    with table.open("w", newline="", encoding="utf-8", buffering=1) as file:
        writer = csv.writer(file)
        writer.writerow(Sample._fields)
        yield writer.writerow


def draw(runs: Sequence[Sequence[Sample]], picture: Path) -> None:
    """A curve for each of some runs, one after the other, into a PNG file."""
    import matplotlib as mpl  # takes half a second to import
    from matplotlib.figure import Figure

    with mpl.rc_context(PLOT_STYLE):
        figure = Figure(figsize=(9, 3.2), layout="constrained")
        axes = figure.subplots()
        start = 0.0
        for number, samples in enumerate(runs):
            minutes = [(start + each.seconds) / 60 for each in samples]
            axes.plot(minutes, [each.bytes / 1e9 for each in samples], color=_ALL, label=None if number else "all")
            axes.plot(
                minutes, [each.largest / 1e9 for each in samples], color=_ONE, label=None if number else "largest"
            )
            start += samples[-1].seconds if samples else 0.0
            if number + 1 < len(runs):
                axes.axvline(start / 60, color=INK, linestyle=":", label=None if number else "broken off")
        axes.set(xlabel="minutes", ylabel="GB resident", ylim=(0, None), title="Memory of all processes")
        axes.legend(fontsize="small", ncols=3, frameon=False)
        figure.savefig(picture, dpi=150)


def read_samples(table: Path) -> list[Sample]:
    """What `follow` wrote.

    Raises:
        JobError: it is no such table.
    """
    try:
        with table.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return [Sample(float(row["seconds"]), int(row["bytes"]), int(row["largest"])) for row in rows]
    except (OSError, KeyError, ValueError) as error:
        raise JobError(f"{table} is no table that `jobs.benchmark memory` wrote: {error}") from error


def _sizes(pid: int) -> list[int]:
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
    sizes = []
    for each in family:
        try:
            sizes.append(int(each.memory_info().rss))
        except psutil.NoSuchProcess:
            continue
    return sizes
