"""Runs the trials of an experiment through the main job, and reads what came of them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from jobs.actor import StylizeActor
from jobs.errors import NotFoundInStoreError
from jobs.experiments.trials import Trial, to_manifest
from jobs.flags import Planning, Running, Sources, Working
from jobs.job import Job, begin_job, conclude, exit_code, run_missing
from jobs.plan import PlannedPair
from jobs.storage import open_store

MANIFEST = "manifest.jsonl"
RUN = "run"
"""The folder of the main job's output, in that of the experiment."""

_ANY_MAY_FAIL = 1.0  # a method that fails on a picture is a finding


@dataclass(frozen=True)
class Ran:
    """An experiment's run of the main job, with every trial done or failed."""

    job: Job

    @property
    def output(self) -> str:
        """URI of the run."""
        return self.job.store.uri

    def picture(self, pair_id: str) -> bytes | None:
        """The image file of a trial; None if it failed."""
        try:
            return self.job.store.read(self._pairs[pair_id].output)
        except NotFoundInStoreError:
            return None

    @cached_property
    def _pairs(self) -> Mapping[str, PlannedPair]:
        return {pair.pair_id: pair for shard in self.job.plan.iter_shards() for pair in shard.pairs}


def stylize(
    trials: Sequence[Trial], output: Path, working: Working, console: Console, *, image_format: str = "png"
) -> Ran:
    """Makes the pictures that are not there yet.

    Args:
        trials: the experiment.
        output: folder of the experiment.
        working: what may be used.
        console: for what the user should know.
        image_format: of the results; measures are taken from PNG, which adds nothing of its own.

    Raises:
        JobError, IftError: as `begin_job`; the output belongs to an experiment with other trials.
        typer.Exit: a signal stopped the run; the same command goes on.
    """
    started = time.perf_counter()
    store = open_store(str(output))
    store.write(MANIFEST, to_manifest(trials))
    planning = Planning(
        manifest=str(output.absolute() / MANIFEST), preset=trials[0].preset, options={}, resolution=None,
        style_resolution=None, image_format=image_format, quality=95, layout="objects", shard_size=None,
    )  # fmt: skip
    flags = Running(planning, working, Sources((), None, None), str(output / RUN), _ANY_MAY_FAIL)
    job = begin_job(open_store(flags.output), flags, StylizeActor, console)
    stopped = run_missing(job)
    code = exit_code(job, conclude(job, time.perf_counter() - started), stopped, flags.max_failed)
    if code:
        raise typer.Exit(code)
    return Ran(job)


def measure(ran: Ran, working: Working, console: Console) -> dict[str, dict[str, Any]]:
    """The measures of each trial by its id: a row of the evaluation's `metrics.parquet`.

    Raises:
        JobError: the evaluation cannot be made.
        typer.Exit: a signal stopped it; the same command goes on.
    """
    from jobs.evaluate.job import evaluate_run, read_metrics  # PyTorch

    code = evaluate_run(ran.output, working, console)
    if code:
        raise typer.Exit(code)
    return {row["pair_id"]: row for row in read_metrics(ran.output).to_pylist()}
