"""Works through what is missing of a plan on a Ray cluster, with progress, until all is done or a signal comes."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol

import ray
from rich.console import Console
from tqdm import tqdm

from jobs.actor import ShardActor, StylizeActor, plan_fleet, start_actors
from jobs.commit import Outcome
from jobs.dispatch import Dispatcher
from jobs.errors import JobError
from jobs.event_log import EventLog
from jobs.events import Event, PairFailed, RunStarted, ShardCommitted, Tell
from jobs.flags import Working
from jobs.ledger import RecordKind
from jobs.metrics import RunMetrics
from jobs.parts.records import PARTED
from jobs.records import STYLIZED
from jobs.run_name import run_name
from jobs.signals import StopSignal
from jobs.storage import Store
from jobs.watch import Watch
from jobs.work import BATCH_ON_GPUS, Work, WorkerConfig

Heard = Callable[[Outcome], None]
"""Who is told of outcomes."""


class Go(Protocol):
    """Has the workers of a run do work, and shows how it goes."""

    def __call__(
        self,
        works: Iterator[Work],
        kind: RecordKind,
        *,
        rows: int,
        already: int,
        what: str,
        heard: Heard = ...,
    ) -> bool:
        """Whether all is committed; else a signal came.

        Args:
            works: what is to be done.
            kind: of the records.
            rows: in all, for the bar.
            already: of which so many are done.
            what: is done, in a word.
            heard: called with each outcome.
        """


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
    then: Callable[[Go], bool] = lambda go: True,
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
        then: what the same workers do once all this is committed; says whether that is.

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

            def go(
                works: Iterator[Work],
                kind: RecordKind,
                *,
                rows: int,
                already: int,
                what: str,
                heard: Heard = lambda outcome: None,
            ) -> bool:
                of_parts = kind is PARTED
                with _Progress(rows, already, what, " parts" if of_parts else " pairs") as progress:

                    def hear(outcome: Outcome) -> None:
                        progress(outcome)
                        heard(outcome)

                    dispatcher = Dispatcher(
                        actors,
                        store,
                        kind,
                        row_timeout=working.row_timeout,
                        progress=hear,
                        warn=lambda text: console.print(text, highlight=False),
                        stopping=stop,
                        tell=partial(_tell_but_counts, watch) if of_parts else watch,
                    )
                    return dispatcher.run(works)

            complete = go(works, kind, rows=rows, already=already, what="") and then(go)
            watch.ended(complete=complete)
            return None if complete else stop.exit_code
    finally:
        ray.shutdown()


def _tell_but_counts(tell: Tell, event: Event) -> None:
    """Of parts that are done; those who listen count pairs."""
    if not isinstance(event, (ShardCommitted, PairFailed)):
        tell(event)


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

    def __init__(self, rows: int, already: int, what: str, unit: str) -> None:
        watched = sys.stderr.isatty()
        self._failed = 0
        self._bar = tqdm(
            total=rows,
            initial=already,
            desc=what or None,
            unit=unit,
            dynamic_ncols=watched,
            mininterval=0.5 if watched else 10,
        )

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def __call__(self, outcome: Outcome) -> None:
        self._failed += outcome.failed
        self._bar.set_postfix(failed=self._failed, refresh=False)
        self._bar.update(outcome.done + outcome.failed)
