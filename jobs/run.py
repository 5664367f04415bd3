"""Works through what is missing of a plan on a Ray cluster, with progress, until all is done or a signal comes."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from typing import Any

import ray
from rich.console import Console
from tqdm import tqdm

from jobs.actor import ShardActor, StylizeActor, plan_fleet, start_actors
from jobs.commit import Outcome
from jobs.dispatch import Dispatcher
from jobs.errors import JobError
from jobs.event_log import EventLog
from jobs.events import RunStarted
from jobs.flags import Working
from jobs.ledger import RecordKind
from jobs.metrics import RunMetrics
from jobs.records import STYLIZED
from jobs.run_name import run_name
from jobs.signals import StopSignal
from jobs.storage import Store
from jobs.watch import Watch
from jobs.work import BATCH_ON_GPUS, Work, WorkerConfig


def run_on_cluster(
    works: Iterator[Work],
    store: Store,
    config: WorkerConfig,
    working: Working,
    console: Console,
    *,
    rows: int,
    already: int = 0,
    actor: type[ShardActor] = StylizeActor,
    kind: RecordKind = STYLIZED,
) -> int | None:
    """Starts or joins Ray, and goes through the work.

    Args:
        works: what is to be done.
        store: where the records are committed.
        config: of the workers.
        working: what may be used.
        console: for what the user should know.
        rows: pairs in all, for the progress bar.
        already: pairs that are done.
        actor: what does the work.
        kind: of the records.

    Returns:
        The exit code, if a signal ended it early; None if all is committed.

    Raises:
        JobError: as `Dispatcher.run`.
    """
    run = run_name(store.uri)
    log = None if working.log_json is None else EventLog(working.log_json, run)
    connect(working.address, working.metrics_port)
    stop = StopSignal()
    try:
        with Watch(RunMetrics(run), log) as watch:
            fleet = plan_fleet(
                [node["Resources"] for node in ray.nodes() if node["Alive"]],  # type: ignore[no-untyped-call]
                working.workers,
                working.gpus_per_worker,
                None if working.memory_per_worker is None else int(working.memory_per_worker * 2**30),
            )
            actors = start_actors(fleet, config, working.batch_size or (BATCH_ON_GPUS if fleet.gpus else 1), actor)
            console.print(
                f"{rows} pairs, {already} of them done; {fleet.workers} workers with "
                f"{fleet.cpus} CPUs{f' and {fleet.gpus:g} GPUs' if fleet.gpus else ''} each",
                highlight=False,
            )
            watch(RunStarted(store.uri, rows, already, fleet.workers, fleet.cpus, fleet.gpus))
            with _Progress(rows, already) as progress:
                dispatcher = Dispatcher(
                    actors,
                    store,
                    kind,
                    row_timeout=working.row_timeout,
                    progress=progress,
                    warn=lambda text: console.print(text, highlight=False),
                    stopping=stop,
                    tell=watch,
                )
                complete = dispatcher.run(works)
            watch.ended(complete=complete)
            return None if complete else stop.exit_code
    finally:
        ray.shutdown()


def connect(address: str | None, metrics_port: int | None = None, **settings: Any) -> None:
    """Joins the cluster at `address` or in RAY_ADDRESS, which `ray job submit` sets, or else starts one of its own.

    Args:
        address: of the cluster, if the user gave one.
        metrics_port: where one of its own serves metrics; any free port if None.
        settings: more for `ray.init`.

    Raises:
        JobError: nothing answers there, or the port is taken.
    """
    quiet: dict[str, Any] = {"log_to_driver": True, "logging_level": "warning", **settings}
    address = address or os.environ.get("RAY_ADDRESS")
    if address is None:
        if metrics_port is not None:
            _check_free(metrics_port)
            quiet["_metrics_export_port"] = metrics_port
        ray.init("local", include_dashboard=False, object_store_memory=100 << 20, **quiet)
        return
    try:
        ray.init(address, **quiet)
    except ConnectionError as error:
        raise JobError(f"no Ray cluster answers at {address}: {error}") from error


def _check_free(port: int) -> None:
    """Ray would say after half a minute that its node timed out, and not why."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("", port))
        except OSError as error:
            raise JobError(f"--metrics-port {port}: {error.strerror}; give another port, or none") from error


class _Progress:
    """A bar with rate and time left; where nobody watches, a line now and then."""

    def __init__(self, rows: int, already: int) -> None:
        watched = sys.stderr.isatty()
        self._failed = 0
        self._bar = tqdm(
            total=rows, initial=already, unit=" pairs", dynamic_ncols=watched, mininterval=0.5 if watched else 10
        )

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def __call__(self, outcome: Outcome) -> None:
        self._failed += outcome.failed
        self._bar.set_postfix(failed=self._failed, refresh=False)
        self._bar.update(outcome.done + outcome.failed)
