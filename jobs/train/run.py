"""Runs a training on a Ray cluster, with progress, until it is done or a signal comes."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import ray
import ray.train
from ray.train.torch import TorchTrainer
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from rich.console import Console
from tqdm import tqdm

from ift.training.recipe import Recipe
from jobs.actor import MALLOC, Fleet, plan_fleet
from jobs.errors import JobError
from jobs.run import connect
from jobs.signals import StopSignal
from jobs.train.board import Board, Progress
from jobs.train.loop import work
from jobs.train.task import Task

_ray_train: Any = ray.train  # its types are those of the first version of its API

_TICK_S = 0.5
_LEAVE_S = 180.0
_START_FAILURES = 10
"""How often the workers may fail to start, a minute each, before Ray gives up."""


@dataclass(frozen=True)
class Resources:
    """What a training may use; changes nothing about its result.

    Attributes:
        workers: how many share each batch; by the cluster if None.
        gpus_per_worker: GPUs of each, 0 for CPUs only; by the cluster if None.
        address: of a Ray cluster; that of RAY_ADDRESS, or else an embedded one, if None.
    """

    workers: int | None = None
    gpus_per_worker: float | None = None
    address: str | None = None


def run_training(task: Task, resources: Resources, console: Console) -> int | None:
    """Starts or joins Ray, and trains.

    Args:
        task: what to do; its output is already its own.
        resources: what may be used; a number of workers has passed `check_shares`.
        console: for what the user should know.

    Returns:
        The exit code, if a signal ended it early; None if the result is written.

    Raises:
        JobError: the cluster has less than asked for, or the training cannot go on.
        IftError: the same, by a fault of the weights or the recipe.
    """
    # Of what Ray Train has to say, only errors are of use: without a dashboard it warns every second.
    connect(resources.address, logging_config=ray.LoggingConfig(log_level="ERROR"))
    stop = StopSignal()
    try:
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
        fleet = plan_workers(nodes, resources, task.recipe)
        console.print(
            f"{task.steps} steps on {len(task.names)} photos; {fleet.workers} workers with {fleet.cpus} CPUs"
            f"{f' and {fleet.gpus:g} GPUs' if fleet.gpus else ''} each",
            highlight=False,
        )
        # Beside the driver, with which alone it may die.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        board = ray.remote(Board).options(num_cpus=0, scheduling_strategy=here).remote()
        with tempfile.TemporaryDirectory(prefix="ift-train-") as scratch:
            return _watch(_Fit(replace(task, threads=fleet.cpus), board, fleet, scratch), board, task.steps, stop)
    finally:
        ray.shutdown()


def check_shares(recipe: Recipe, workers: int) -> None:
    """Refuses workers that cannot share each batch equally.

    Raises:
        JobError: a stage's batch is no multiple of their number.
    """
    for stage in recipe.stages:
        if stage.batch % workers:
            fitting = [number for number in range(1, stage.batch + 1) if _share(recipe, number)]
            raise JobError(
                f"--workers {workers}: they cannot share a batch of {stage.batch} equally; "
                f"give {' or '.join(map(str, fitting))}, or another --batch"
            )


def plan_workers(nodes: Sequence[dict[str, float]], resources: Resources, recipe: Recipe) -> Fleet:
    """How many workers there are, and what each takes: by default one per GPU, or else one per node.

    Fewer, where so many cannot share each batch equally.

    Raises:
        JobError: the cluster has less than asked for.
    """
    gpus = resources.gpus_per_worker
    if resources.workers is not None:
        return plan_fleet(nodes, resources.workers, gpus)
    on_gpus = any(node.get("GPU") for node in nodes) if gpus is None else gpus > 0
    most = plan_fleet(nodes, None, gpus).workers if on_gpus else sum(node.get("CPU", 0) >= 1 for node in nodes) or 1
    return plan_fleet(nodes, max(number for number in range(1, most + 1) if _share(recipe, number)), gpus)


def _share(recipe: Recipe, workers: int) -> bool:
    return all(stage.batch % workers == 0 for stage in recipe.stages)


class _Fit(threading.Thread):
    """Ray Train's `fit`, which blocks, beside the main thread, which gets the signals."""

    def __init__(self, task: Task, board: Any, fleet: Fleet, scratch: str) -> None:
        super().__init__(daemon=True)
        self.error: Exception | None = None
        # Announced ends of nodes are to Ray Train as any other: the workers start again from the newest checkpoint.
        os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")
        quiet = {}
        if hasattr(_ray_train, "LoggingConfig"):  # not in Ray 2.50
            quiet["logging_config"] = _ray_train.LoggingConfig(log_level="ERROR")
        each = {"CPU": float(fleet.cpus), **({"GPU": fleet.gpus} if fleet.gpus else {})}
        self._trainer = TorchTrainer(
            work,
            train_loop_config={"task": task, "board": board},
            scaling_config=_ray_train.ScalingConfig(
                num_workers=fleet.workers, use_gpu=bool(fleet.gpus), resources_per_worker=each
            ),
            run_config=_ray_train.RunConfig(
                name="train",
                storage_path=scratch,  # of Ray Train's own; the checkpoints go to the output
                # The board counts failures, and forgets them with each new checkpoint.
                failure_config=_ray_train.FailureConfig(max_failures=-1, controller_failure_limit=_START_FAILURES),
                worker_runtime_env={"env_vars": {"OMP_NUM_THREADS": str(fleet.cpus), "TQDM_DISABLE": "1", **MALLOC}},
                **quiet,
            ),
        )

    def run(self) -> None:
        """As `Thread.run`."""
        try:
            self._trainer.fit()
        except Exception as error:  # raised again by whoever waits for the thread
            self.error = error


def _watch(fit: _Fit, board: Any, steps: int, stop: StopSignal) -> int | None:
    """Shows how it goes until it has ended; as `run_training`."""
    fit.start()
    told = False
    with _Bar(steps) as bar:
        while True:
            ended = not fit.is_alive()
            progress: Progress = ray.get(board.progress.remote())
            bar.show(progress)
            if progress.failure is not None:
                raise progress.failure
            if progress.finished or progress.rests:
                # Ray Train's own end takes a while; to shut Ray down in the middle of it can end the process.
                fit.join(_LEAVE_S)
                return None if progress.finished else stop.exit_code
            if ended:
                break
            if stop() and not told:
                told = True
                ray.get(board.stop.remote())
            time.sleep(_TICK_S)
    if fit.error is not None:
        raise fit.error
    return stop.exit_code


class _Bar:
    """A bar with rate, time left and loss; where nobody watches, a line now and then."""

    def __init__(self, steps: int) -> None:
        watched = sys.stderr.isatty()
        self._bar = tqdm(total=steps, unit=" steps", dynamic_ncols=watched, mininterval=0.5 if watched else 10)
        self._begun = False

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, progress: Progress) -> None:
        """What has happened since."""
        for note in progress.notes:
            self._bar.write(note, file=sys.stderr)
        if not self._begun and progress.step:
            # What an earlier run has done is no part of this one's rate.
            self._begun = True
            self._bar.initial = self._bar.n = self._bar.last_print_n = progress.step
            self._bar.unpause()
        if progress.loss is not None:
            self._bar.set_postfix(loss=f"{progress.loss:.4g}", refresh=False)
        self._bar.update(progress.step - self._bar.n)
