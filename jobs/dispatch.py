"""Shards to actors, and what happens when an actor or the store fails: nothing is lost, and no row wrongly blamed.

A call whose actor died has an unknown outcome: its shard may be committed or not. The dispatcher looks, and sends
the shard again, by itself. If a process dies on it once more, its pairs go one by one, and a pair on which two more
processes die is recorded as failed. A shard that met a store which does not answer goes again later. Whatever
happens, a shard's records are one object, created once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from jobs.actor import IN_FLIGHT
from jobs.commit import Outcome, Rows, commit, committed_rows, recommit
from jobs.errors import JobError, StorageUnavailableError
from jobs.events import Draining, Load, PairFailed, ShardCommitted, StoreSetback, Tell, WorkerDied, ignore
from jobs.ledger import AnyPair, AnyRecord, RecordKind
from jobs.records import STYLIZED
from jobs.storage import Store
from jobs.upcoming import Styles, Upcoming
from jobs.work import Effort, Work

STORAGE_PATIENCE_S = 900.0
"""How long a run goes on trying while no storage answers."""

_DEATHS_BEFORE_ISOLATION = 2
_DEATHS_BEFORE_FAILURE = 2
_SETBACKS_BEFORE_FAILURE = 5
_AHEAD = 8
"""Pieces of work in memory for each actor, from which it gets those whose styles it knows."""

_TICK_S = 1.0
_PAUSE_S = 5.0
"""Between two tries of what a store did not answer; botocore has by then tried again itself for a while."""
_BLAME_AFTER_S = 60.0
_WARN_AFTER_S = 60.0


class ProcessDiedError(Exception):
    """The process that worked on a pair died, was killed, or hung."""


@dataclass
class _Isolation:
    """A piece of work whose pairs go one by one, and the records that are there so far."""

    work: Work
    seen: Rows | None
    tries: int
    records: dict[int, AnyRecord] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return len(self.records) == len(self.work.pairs)

    def commit(self, store: Store, kind: RecordKind) -> Outcome:
        records = [self.records[row] for row in sorted(self.records)]
        if self.seen is None:
            return commit(store, self.work.shard, records, kind)
        return recommit(store, self.work.shard, records, self.seen, kind)


@dataclass
class _Task:
    """A piece of work, or one of its pairs in isolation, and what has befallen it."""

    work: Work
    pair: AnyPair | None = None
    deaths: int = 0
    setbacks: int = 0
    since: float = math.inf  # of the first setback
    not_before: float = 0.0
    last: bool = False

    @property
    def suspect(self) -> bool:
        """Whether it must be the only one on its actor, so that a death can be blamed on it."""
        return self.deaths > 0 or self.pair is not None

    @property
    def rows(self) -> int:
        return len(self.work.pairs) if self.pair is None else 1


@dataclass
class _Seat:
    """An actor and what it is at."""

    actor: Any
    tasks: dict[Any, _Task] = field(default_factory=dict)
    heard: float = field(default_factory=time.monotonic)  # when something last went on there
    beats: int = -1
    pulse: Any = None  # a call that tells whether it works or hangs
    resting: bool = True  # its process is not there, yet or any more
    revival: Any = None  # a call that it will answer once it is there
    asked: float = 0.0  # when `pulse` or `revival` was last called
    styles: Styles | None = None  # of the last pair that it was given

    @property
    def open(self) -> bool:
        """Whether it may get tasks beside those that it has."""
        return not self.resting and not any(task.suspect for task in self.tasks.values())

    def admits(self, task: _Task) -> bool:
        return self.open and len(self.tasks) < (1 if task.suspect else IN_FLIGHT)

    @property
    def calls(self) -> list[Any]:
        return [*self.tasks, *(call for call in (self.pulse, self.revival) if call is not None)]


class Dispatcher:
    """Feeds work to actors until all is committed or it is told to stop.

    Args:
        actors: handles of `jobs.actor.ShardActor`.
        store: where the records are committed.
        kind: of the records.
        row_timeout: seconds without a sign of life after which an actor counts as hung, and is killed.
        progress: called with each outcome as it becomes known.
        warn: called with what the user should know.
        stopping: asked before each shard; true means: start no more, finish what is begun.
        storage_patience: seconds for which it goes on trying while no storage answers.
        tell: told of events, and at every turn of the load.
    """

    def __init__(
        self,
        actors: list[Any],
        store: Store,
        kind: RecordKind = STYLIZED,
        *,
        row_timeout: float,
        progress: Callable[[Outcome], None],
        warn: Callable[[str], None],
        stopping: Callable[[], bool],
        storage_patience: float = STORAGE_PATIENCE_S,
        tell: Tell = ignore,
    ) -> None:
        self._seats = [_Seat(actor) for actor in actors]
        self._store, self._kind = store, kind
        self._row_timeout, self._storage_patience = row_timeout, storage_patience
        self._progress, self._warn, self._stopping, self._tell = progress, warn, stopping, tell
        self._again: list[_Task] = []
        self._isolated: dict[int, _Isolation] = {}
        self._exhausted = self._draining = False
        self._progressed = self._warned = time.monotonic()
        self._commit_after = 0.0

    def run(self, works: Iterator[Work]) -> bool:
        """Goes through the work until all is committed, or it was told to stop and has drained.

        Returns:
            Whether all is committed.

        Raises:
            StorageUnavailableError: no storage has answered for too long; run again later.
            JobError: an actor cannot start, or storage refuses a commit.
        """
        fresh = Upcoming(works, _AHEAD * len(self._seats))
        while True:
            self._commit_isolated()
            if self._stopping():
                self._drain()
            else:
                self._feed(fresh)
            unfinished = bool(self._again or self._isolated)
            if not any(seat.tasks for seat in self._seats):
                if self._exhausted and not unfinished:
                    return True
                if self._stopping():
                    return not unfinished and fresh.empty
            self._ask()
            self._tell(self._load())
            calls = {call: seat for seat in self._seats for call in seat.calls}
            if not calls:  # all that is left waits for the store
                time.sleep(_TICK_S)
                continue
            ready, _ = ray.wait(list(calls), timeout=_TICK_S)
            for call in ready:
                self._answered(calls[call], call)
            self._kill_hung()
            self._tell_of_missing()

    # Sending

    def _feed(self, fresh: Upcoming) -> None:
        suspects = self._send_again()
        # Who must have an actor to itself would never find one if all were always fed.
        seats = [seat for seat in self._by_load() if seat.open][suspects:]
        # The emptiest first, so that the last shards spread over the actors.
        for depth in range(IN_FLIGHT):
            for seat in seats:
                if not self._exhausted and seat.open and len(seat.tasks) == depth:
                    elsewhere = {other.styles for other in self._seats if other is not seat and other.styles}
                    work = fresh.take(seat.styles, elsewhere)
                    if work is None:
                        self._exhausted = True
                    else:
                        self._start(seat, _Task(work))

    def _send_again(self) -> int:
        """Sends what is due once more; returns how many suspects found no actor to themselves."""
        suspects = 0
        for task in [task for task in self._again if task.not_before <= time.monotonic()]:
            seat = next((seat for seat in self._by_load() if seat.admits(task)), None)
            if seat is not None:
                self._again.remove(task)
                self._start(seat, task)
            else:
                suspects += task.suspect
        return suspects

    def _by_load(self) -> list[_Seat]:
        return sorted(self._seats, key=lambda seat: len(seat.tasks))

    def _start(self, seat: _Seat, task: _Task) -> None:
        if not seat.tasks:
            seat.heard = time.monotonic()
        seat.tasks[self._call(seat.actor, task)] = task
        seat.styles = task.work.pairs[-1].styles

    def _call(self, actor: Any, task: _Task) -> Any:
        work, tries = task.work, task.deaths + task.setbacks
        if task.pair is None:
            return actor.run.remote(work.shard, Effort(work.rows, tries, task.last))
        tries += self._isolated[work.shard.index].tries
        return actor.run_alone.remote(work.shard.only(task.pair.row), Effort(None, tries, task.last))

    def _ask(self) -> None:
        """Asks the absent whether they are there, and the busy whether they are alive."""
        now = time.monotonic()
        for seat in self._seats:
            if seat.resting and seat.revival is None and now - seat.asked >= _TICK_S:
                seat.revival, seat.asked = seat.actor.ready.remote(), now
            elif seat.tasks and seat.pulse is None and now - seat.asked >= min(self._row_timeout / 4, 10.0):
                seat.pulse, seat.asked = seat.actor.pulse.remote(), now

    # Hearing

    def _answered(self, seat: _Seat, call: Any) -> None:
        if call == seat.revival:
            self._greet(seat)
        elif call == seat.pulse:
            self._hear(seat)
        else:
            self._settle(seat, call)

    def _greet(self, seat: _Seat) -> None:
        revival, seat.revival = seat.revival, None
        try:
            ray.get(revival)
            seat.resting = False
        except RayActorError as error:
            if "creation task" in str(error):
                raise JobError(f"a worker cannot start: {_reason(error)}") from error

    def _hear(self, seat: _Seat) -> None:
        pulse, seat.pulse = seat.pulse, None
        try:
            beats = ray.get(pulse)
        except RayError:  # the tasks that it was at will tell
            return
        if beats != seat.beats:
            seat.beats, seat.heard = beats, time.monotonic()

    def _settle(self, seat: _Seat, call: Any) -> None:
        task = seat.tasks.pop(call)
        seat.heard = time.monotonic()
        try:
            result = ray.get(call)
        except RayTaskError as error:
            if not isinstance(error.cause, StorageUnavailableError):
                # Rows never raise; this is storage itself, so every other shard would meet the same.
                raise JobError(f"{task.work.shard.name} cannot be committed: {_reason(error)}") from error
            self._setback(task, error.cause)
        except RayError:
            # "Unavailable" is no better news than "died": Ray says it of an actor that it is about to restart. What
            # is sent to an actor that is not back yet dies unseen, so it rests until it answers.
            if not seat.resting:
                self._tell_of_death(seat, task)
            seat.resting = True
            task.deaths += 1
            self._died(task)
        else:
            if task.pair is not None:
                self._isolated[task.work.shard.index].records[result.row] = result
                return
            if result.done:
                self._progressed = time.monotonic()
            self._committed(result)

    def _died(self, task: _Task) -> None:
        try:
            if task.pair is not None:
                self._died_alone(task, task.pair)
            elif (
                task.work.rows is None
                and (rows := committed_rows(self._store, task.work.shard, self._kind)) is not None
            ):
                self._committed(Outcome.of_rows(task.work.shard, rows.values()))
            elif task.deaths < _DEATHS_BEFORE_ISOLATION:
                self._again.append(task)
            else:
                self._isolate(task)
        except StorageUnavailableError as error:
            self._setback(task, error)

    def _died_alone(self, task: _Task, pair: AnyPair) -> None:
        if task.deaths < _DEATHS_BEFORE_FAILURE:
            self._again.append(task)
            return
        isolation = self._isolated[task.work.shard.index]
        record = self._kind.begin(pair, task.work.shard.fingerprint)
        record.attempts, record.finished_at = isolation.tries + task.deaths, time.time()
        record.fail(
            ProcessDiedError(
                f"{task.deaths} processes died or hung while working on {pair.content} alone; its size or its bytes "
                "are more than a worker can take: scale it down, give workers more memory, or raise --row-timeout"
            )
        )
        isolation.records[pair.row] = record

    def _isolate(self, task: _Task) -> None:
        work = task.work
        seen = None if work.rows is None else committed_rows(self._store, work.shard, self._kind)
        if seen is None:  # so that nothing stands, and all of it is to be done
            work = Work(work.shard)
        self._isolated[work.shard.index] = _Isolation(work, seen, task.deaths + task.setbacks)
        self._again.extend(_Task(work, pair) for pair in work.pairs)

    def _commit_isolated(self) -> None:
        if time.monotonic() < self._commit_after:
            return
        for isolation in [isolation for isolation in self._isolated.values() if isolation.complete]:
            try:
                self._committed(isolation.commit(self._store, self._kind))
            except StorageUnavailableError as error:
                self._commit_after = time.monotonic() + _PAUSE_S
                self._give_up_at_last(self._progressed, error)
                return
            del self._isolated[isolation.work.shard.index]

    # When a store does not answer

    def _setback(self, task: _Task, error: StorageUnavailableError) -> None:
        """Sends the task again later; for the last time, if it seems to be the only one that meets an error."""
        now = time.monotonic()
        pair_id = None if task.pair is None else task.pair.pair_id
        self._tell(StoreSetback(task.work.shard.index, pair_id, task.setbacks + 1, str(error)))
        task.setbacks, task.since, task.not_before = task.setbacks + 1, min(task.since, now), now + _PAUSE_S
        others = self._progressed > task.since and now - task.since > _BLAME_AFTER_S
        alone = self._exhausted and now - task.since > self._storage_patience
        if (task.setbacks >= _SETBACKS_BEFORE_FAILURE and others) or alone:
            task.last = self._output_answers(task)
        if not task.last:
            self._give_up_at_last(max(task.since, self._progressed), error)
        self._again.append(task)

    def _output_answers(self, task: _Task) -> bool:
        try:
            self._store.exists(task.work.shard.record_key)
        except StorageUnavailableError:
            return False
        return True

    def _give_up_at_last(self, since: float, error: StorageUnavailableError) -> None:
        if time.monotonic() - since > self._storage_patience:
            raise StorageUnavailableError(
                f"no storage has answered for {self._storage_patience:.0f} s; nothing committed is lost: run the same "
                f"command again later. The last error: {error}"
            )

    # When an actor does not

    def _kill_hung(self) -> None:
        for seat in self._seats:
            if seat.tasks and time.monotonic() - seat.heard > self._row_timeout:
                # Its calls then end with an actor error, like those of any actor that dies.
                ray.kill(seat.actor, no_restart=False)
                seat.heard = time.monotonic()

    # Telling

    def _committed(self, outcome: Outcome) -> None:
        self._progress(outcome)
        for failure in outcome.failures:
            self._tell(PairFailed(outcome.shard, *failure))
        self._tell(ShardCommitted(outcome.shard, outcome.done, outcome.failed))

    def _drain(self) -> None:
        if not self._draining:
            self._draining = True
            self._tell(Draining(sum(len(seat.tasks) for seat in self._seats)))

    def _tell_of_death(self, seat: _Seat, task: _Task) -> None:
        tasks = [task, *seat.tasks.values()]
        shards = tuple(each.work.shard.index for each in tasks)
        self._tell(WorkerDied(self._seats.index(seat), shards, tuple(each.pair.pair_id for each in tasks if each.pair)))

    def _load(self) -> Load:
        missing = sum(seat.resting for seat in self._seats)
        working = sum(bool(seat.tasks) for seat in self._seats if not seat.resting)
        return Load(
            in_flight=sum(len(seat.tasks) for seat in self._seats),
            again=len(self._again),
            working=working,
            idle=len(self._seats) - missing - working,
            missing=missing,
        )

    def _tell_of_missing(self) -> None:
        resting = [seat for seat in self._seats if seat.resting]
        now = time.monotonic()
        if not resting:
            self._warned = now
        elif now - self._warned > _WARN_AFTER_S:
            self._warned = now
            self._warn(
                f"waiting for {len(resting)} of {len(self._seats)} workers: does the cluster have room for them?"
            )


def _reason(error: Exception) -> str:
    """Ray's messages carry a whole remote traceback; its last line is what was raised."""
    return str(error).strip().splitlines()[-1].strip()
