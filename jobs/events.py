"""What happens in a run, as those who watch it are told: `jobs.metrics` counts it, `jobs.event_log` writes it down."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Event:
    """Something that happened, or how things stand."""

    level: ClassVar[int] = logging.INFO


Tell = Callable[[Event], None]
"""Who is told of events."""


@dataclass(frozen=True)
class RunStarted(Event):
    """A run has its workers on the way.

    Attributes:
        output: URI of the run's output.
        rows: pairs in all.
        already: pairs that are done.
        workers: number of actors.
        cpus: CPUs of each.
        gpus: GPUs of each; may be a fraction.
    """

    output: str
    rows: int
    already: int
    workers: int
    cpus: int
    gpus: float


@dataclass(frozen=True)
class ShardCommitted(Event):
    """The records of a shard stand, or those of its pairs that were redone."""

    shard: int
    done: int
    failed: int


@dataclass(frozen=True)
class PairFailed(Event):
    """A committed record says that its pair failed."""

    level: ClassVar[int] = logging.WARNING
    shard: int
    pair_id: str
    error_type: str | None
    error: str | None


@dataclass(frozen=True)
class WorkerDied(Event):
    """An actor's process died, was killed, or is out of reach.

    Attributes:
        worker: number of the actor.
        shards: that it was at; they are done again.
        pair_ids: those that it was at alone, because a process had died on their shard before.
    """

    level: ClassVar[int] = logging.WARNING
    worker: int
    shards: tuple[int, ...]
    pair_ids: tuple[str, ...]


@dataclass(frozen=True)
class StoreSetback(Event):
    """A store did not answer for a shard, or for one pair that goes alone; it is sent again later.

    Attributes:
        setbacks: of this piece of work so far.
    """

    level: ClassVar[int] = logging.WARNING
    shard: int
    pair_id: str | None
    setbacks: int
    error: str


@dataclass(frozen=True)
class Draining(Event):
    """The run was told to stop: it begins nothing more, and finishes the pieces of work `in_flight`."""

    in_flight: int


@dataclass(frozen=True)
class RunEnded(Event):
    """All is committed, or the run was stopped by a signal.

    Attributes:
        outcome: `complete` or `stopped`.
        done: pairs that this run has committed with a picture.
        failed: pairs that this run has committed without.
        seconds: since the workers were started.
    """

    outcome: str
    done: int
    failed: int
    seconds: float


@dataclass(frozen=True)
class RunFailed(Event):
    """An error ended the run; run again, it goes on."""

    level: ClassVar[int] = logging.ERROR
    error_type: str
    error: str
    done: int
    failed: int
    seconds: float


@dataclass(frozen=True)
class Load(Event):
    """How much is at work; told at every turn of the dispatcher, for gauges and not for logs.

    Attributes:
        in_flight: pieces of work that workers have.
        again: pieces of work that wait to be sent once more.
        working: workers that have something to do.
        idle: workers that have not.
        missing: workers whose process is not there, yet or any more.
    """

    level: ClassVar[int] = logging.DEBUG
    in_flight: int
    again: int
    working: int
    idle: int
    missing: int


def ignore(_: Event) -> None:
    """Tells nobody."""
