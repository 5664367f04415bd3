"""Shards to actors, and what happens when an actor dies: nothing is lost, and nothing blamed on the wrong row.

A call whose actor died has an unknown outcome: its shard may be committed or not. The dispatcher looks, and sends
the shard again, by itself. If a process dies on it once more, its pairs go one by one, and a pair on which two more
processes die is recorded as failed. Whatever happens, a shard's records are one object, created once.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayTaskError, WorkerCrashedError

from jobs.actor import IN_FLIGHT
from jobs.errors import JobError
from jobs.plan import PlannedPair, Shard
from jobs.records import Record
from jobs.storage import Store
from jobs.worker import Outcome, commit

_DEATHS_BEFORE_ISOLATION = 2
_DEATHS_BEFORE_FAILURE = 2
_TICK_S = 1.0


class ProcessDiedError(Exception):
    """The process that worked on a pair died, was killed, or hung."""


@dataclass
class _Task:
    """A shard, or one pair of a shard in isolation."""

    shard: Shard
    pair: PlannedPair | None = None
    deaths: int = 0

    @property
    def suspect(self) -> bool:
        """Whether it must be the only one on its actor, so that a death can be blamed on it."""
        return self.deaths > 0 or self.pair is not None

    @property
    def rows(self) -> int:
        return len(self.shard.pairs) if self.pair is None else 1


@dataclass
class _Seat:
    """An actor and what it is at."""

    actor: Any
    tasks: dict[Any, _Task] = field(default_factory=dict)
    heard: float = field(default_factory=time.monotonic)
    revival: Any = None  # a call that the actor will answer once it is back from the dead

    @property
    def open(self) -> bool:
        """Whether it may get tasks beside those that it has."""
        return self.revival is None and not any(task.suspect for task in self.tasks.values())

    def admits(self, task: _Task) -> bool:
        return self.open and len(self.tasks) < (1 if task.suspect else IN_FLIGHT)


class Dispatcher:
    """Feeds shards to actors until all are committed or it is told to stop.

    Args:
        actors: handles of `jobs.actor.StylizeActor`.
        store: where the records are committed.
        fingerprint: of the plan, for records that the dispatcher writes itself.
        row_timeout: seconds per row after which a silent actor counts as hung, and is killed.
        progress: called with each outcome as it becomes known.
        stopping: asked before each shard; true means: start no more, finish what is begun.
    """

    def __init__(
        self,
        actors: list[Any],
        store: Store,
        fingerprint: str,
        *,
        row_timeout: float,
        progress: Callable[[Outcome], None],
        stopping: Callable[[], bool],
    ) -> None:
        self._seats = [_Seat(actor) for actor in actors]
        self._store, self._fingerprint = store, fingerprint
        self._row_timeout, self._progress, self._stopping = row_timeout, progress, stopping
        self._again: deque[_Task] = deque()
        self._isolated: dict[int, dict[int, Record]] = {}

    def run(self, shards: Iterator[Shard]) -> None:
        """Works through the shards; returns when all are committed, or when it was told to stop and has drained.

        Raises:
            JobError: an actor cannot start, or storage refuses a commit.
        """
        fresh = (_Task(shard) for shard in shards)
        while True:
            if not self._stopping():
                self._feed(fresh)
            waiting = {ref: seat for seat in self._seats for ref in seat.tasks}
            revivals = {seat.revival: seat for seat in self._seats if seat.revival is not None}
            # Nobody is at work: all is done, unless actors that could not be fed are yet to come back.
            if not waiting and (self._stopping() or not revivals):
                return
            ready, _ = ray.wait([*waiting, *revivals], timeout=_TICK_S)
            for ref in ready:
                if ref in revivals:
                    self._revive(revivals[ref])
                else:
                    self._settle(waiting[ref], ref)
            self._kill_hung()

    def _feed(self, fresh: Iterator[_Task]) -> None:
        for seat in self._seats:
            while self._again and seat.admits(self._again[0]):
                self._start(seat, self._again.popleft())
        # The emptiest first, so that the last shards spread over the actors.
        for depth in range(IN_FLIGHT):
            for seat in self._seats:
                if seat.open and len(seat.tasks) == depth:
                    task = next(fresh, None)
                    if task is None:
                        return
                    self._start(seat, task)

    def _start(self, seat: _Seat, task: _Task) -> None:
        if not seat.tasks:
            seat.heard = time.monotonic()
        run, run_alone = seat.actor.run, seat.actor.run_alone
        ref = run.remote(task.shard) if task.pair is None else run_alone.remote(task.pair)
        seat.tasks[ref] = task

    def _settle(self, seat: _Seat, ref: Any) -> None:
        task = seat.tasks.pop(ref)
        seat.heard = time.monotonic()
        try:
            result = ray.get(ref)
        except (RayActorError, WorkerCrashedError):
            # "Unavailable" is no better news than "died": Ray says it of an actor that it is about to restart.
            self._rest(seat)
            self._died(task)
        except RayTaskError as error:
            # Rows never raise; this is the commit itself, so every other shard would meet the same.
            raise JobError(f"{task.shard.name} cannot be committed: {_reason(error)}") from error
        else:
            self._finished(task, result)

    def _rest(self, seat: _Seat) -> None:
        """Lets a seat rest until its actor answers: what is sent to an actor that is not back yet dies unseen."""
        if seat.revival is None:
            seat.revival = seat.actor.ready.remote()

    def _revive(self, seat: _Seat) -> None:
        """Takes the answer that a resting seat waited for, or asks again."""
        revival, seat.revival = seat.revival, None
        try:
            ray.get(revival)
        except RayActorError as error:
            if "creation task" in str(error):
                raise JobError(f"a worker cannot start: {_reason(error)}") from error
            self._rest(seat)

    def _finished(self, task: _Task, result: Outcome | Record) -> None:
        if isinstance(result, Outcome):
            self._progress(result)
        elif task.pair is not None:
            result.attempts += task.deaths
            self._isolated_record(task.shard, result)

    def _died(self, task: _Task) -> None:
        task.deaths += 1
        if task.pair is not None:
            if task.deaths < _DEATHS_BEFORE_FAILURE:
                self._again.append(task)
            else:
                self._isolated_record(task.shard, self._killed(task.pair, task.deaths))
        elif self._store.exists(task.shard.record_key):
            self._progress(Outcome(task.shard.index, task.rows, 0))
        elif task.deaths < _DEATHS_BEFORE_ISOLATION:
            self._again.append(task)
        else:
            self._isolated[task.shard.index] = {}
            self._again.extend(_Task(task.shard, pair) for pair in task.shard.pairs)

    def _isolated_record(self, shard: Shard, record: Record) -> None:
        records = self._isolated[shard.index]
        records[record.row] = record
        if len(records) == len(shard.pairs):
            del self._isolated[shard.index]
            self._progress(commit(self._store, shard, [records[row] for row in sorted(records)]))

    def _killed(self, pair: PlannedPair, deaths: int) -> Record:
        record = Record.begin(pair, self._fingerprint)
        record.attempts, record.finished_at = _DEATHS_BEFORE_ISOLATION + deaths, time.time()
        record.fail(
            ProcessDiedError(
                f"{deaths} processes died or hung while working on {pair.content} alone; its size or its bytes are "
                "more than a worker can take: scale it down, give workers more memory, or raise --row-timeout"
            )
        )
        return record

    def _kill_hung(self) -> None:
        for seat in self._seats:
            rows = sum(task.rows for task in seat.tasks.values())
            if rows and time.monotonic() - seat.heard > self._row_timeout * rows:
                # Its calls then end with an actor error, like those of any actor that dies.
                ray.kill(seat.actor, no_restart=False)
                seat.heard = time.monotonic()


def wait_until_ready(actors: list[Any], warn: Callable[[str], None], patience: float = 60.0) -> None:
    """Waits for every actor to have loaded its model.

    Raises:
        JobError: an actor cannot start, with the reason.
    """
    waiting = [actor.ready.remote() for actor in actors]
    while waiting:
        try:
            ray.get(waiting[0], timeout=patience)
            del waiting[0]
        except GetTimeoutError:
            warn(f"waiting for {len(waiting)} of {len(actors)} workers to start: does the cluster have room for them?")
        except (RayActorError, RayTaskError) as error:
            raise JobError(f"a worker cannot start: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Ray's messages carry a whole remote traceback; its last line is what was raised."""
    return str(error).strip().splitlines()[-1].strip()
