"""One run of the job under a schedule of faults, from the first start of its driver to the last check."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from tests.chaos.checks import pictures_of, problems_of, records_of
from tests.chaos.cluster import family, raylet_of, send
from tests.chaos.pictures import Behaviour, Row
from tests.chaos.proxy import Fault
from tests.chaos.schedule import BAD_ROWS, Event, Scale, Schedule, Strike, bad_content, most_alike
from tests.chaos.world import World, driver_command, prepare_scratch, start_driver

FINE, TOO_MANY_FAILED = 0, 3
AGAIN = {1, 75, 128 + signal.SIGINT, 128 + signal.SIGTERM, -signal.SIGKILL, -signal.SIGTERM}
"""Exit codes after which the same command is run again."""

WORKERS = 2
"""Actors of a run."""

_MOST_STARTS = 25
_MOST_SILENCE_S = 240.0
_LAST_WRITES_S = 30.0


@dataclass(frozen=True)
class Moment:
    """A fault that came about: a strike, or a row that misbehaved."""

    kind: str
    time: float


@dataclass
class Result:
    """What came of a run; times are seconds since 1970.

    Attributes:
        name: of the run.
        moments: the faults that came about, in order.
        bad_rows: the titles of the rows that were faults.
        commits: when a record object was first seen.
        exits: exit codes of its drivers with their times.
        redone: when a row was computed that had been computed before.
        requests: that the run made.
        hits: those of them that the proxy did something to, by kind.
        missed: strikes for which the run left no occasion.
        problems: what is wrong; nothing, if all is well.
        seconds: that it took.
    """

    name: str
    moments: list[Moment] = field(default_factory=list)
    bad_rows: list[str] = field(default_factory=list)
    commits: list[float] = field(default_factory=list)
    exits: list[tuple[float, int]] = field(default_factory=list)
    redone: list[float] = field(default_factory=list)
    requests: int = 0
    hits: dict[str, int] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Drill:
    """Runs a schedule.

    Args:
        world: where.
        scale: of the run.
        schedule: the manifest and the faults.
        name: of the run.
        log: file for what the drivers say.
    """

    def __init__(self, world: World, scale: Scale, schedule: Schedule, name: str, log: Path) -> None:
        self._world, self._scale, self._schedule, self._log = world, scale, schedule, log
        self._result = Result(name)
        self._objects = world.objects(name)
        self._due = list(schedule.events)
        self._reached: dict[float, float] = {}  # since when a share of the shards has been committed
        self._repairs: list[tuple[float, Callable[[], None]]] = []  # of what was broken, and when they are due
        self._store_is_down = False
        self._seen: set[str] = set()
        shards = -(-len(schedule.rows) // scale.shard_size)
        self._shards = shards
        self._command = driver_command(
            "run", "--manifest", world.put_manifest(name, schedule.rows), "--output", world.output(name),
            "--address", world.cluster.address, "--workers", WORKERS, "--shard-size", scale.shard_size,
            "--row-timeout", scale.row_timeout, "--max-failed", 0, "--resolution", 0, "--image-format", "png",
            "--layout", schedule.layout,
        )  # fmt: skip

    def run(self, clean: Mapping[str, str | None] | None) -> Result:
        """Starts drivers until one ends well, striking meanwhile; then checks.

        Args:
            clean: the pictures of a run without faults; None if this is that run.
        """
        started = time.time()
        met: tuple[Row, ...] = ()
        if clean is None:
            met = self._schedule.rows
        else:
            self._result.bad_rows = [row.behaviour.title for row in self._schedule.bad_rows]
        scratch = prepare_scratch(self._world.output(self._result.name), self._scale.pace, met)
        requests, hits = self._world.proxy.requests.total(), self._world.proxy.counts
        try:
            self._finish_somehow()
        finally:
            self._driver.kill()
        self._result.requests = self._world.proxy.requests.total() - requests
        self._result.hits = dict(self._world.proxy.counts - hits)
        self._settle()
        self._result.missed = [event.strike for event in self._due]
        behaviours = {row.content: row.behaviour for row in self._schedule.rows}
        once: set[int] = set()
        for computation in scratch.computations():
            behaviour = behaviours[computation.content]
            if behaviour is not Behaviour.PLAIN and clean is not None:
                self._result.moments.append(Moment(behaviour.title, computation.time))
            if computation.content in once:
                self._result.redone.append(computation.time)
            once.add(computation.content)
        self._result.moments.sort(key=lambda moment: moment.time)
        if not self._result.problems:
            self._result.problems += problems_of(
                self._objects, self._schedule.rows, self.pictures() if clean is None else clean
            )
            self._verify()
        self._result.seconds = time.time() - started
        return self._result

    def pictures(self) -> dict[str, str | None]:
        """The SHA-256 of the run's pictures."""
        return pictures_of(self._objects, records_of(self._objects))

    # The run

    def _finish_somehow(self) -> None:
        """Starts the driver, and again whenever it ends and should be; stops at the end or at a problem."""
        for _ in range(_MOST_STARTS):
            self._driver = start_driver(self._command, self._log)
            self._started = heard = time.time()
            while self._driver.poll() is None:
                time.sleep(0.05)
                heard = max([heard, *self._look()])
                self._strike_what_is_due()
                self._mend_what_is_due()
                if time.time() - heard > _MOST_SILENCE_S:
                    self._driver.send_signal(signal.SIGABRT)  # its log then shows where it was
                    self._driver.wait()
                    self._problem(f"nothing was committed for {_MOST_SILENCE_S:.0f} s; the driver was ended")
                    return
            self._look()
            code = self._driver.returncode
            self._result.exits.append((time.time(), code))
            if code in (FINE, TOO_MANY_FAILED):
                expected = TOO_MANY_FAILED if any(row.behaviour.error for row in self._schedule.rows) else FINE
                if code != expected:
                    self._problem(f"the exit code is {code}, not {expected}")
                return
            if code not in AGAIN:
                self._problem(f"the driver ended with exit code {code}")
                return
        self._problem(f"the driver was started {_MOST_STARTS} times, in vain")

    def _problem(self, text: str) -> None:
        tail = self._log.read_text(errors="replace").splitlines()[-60:]
        self._result.problems.append("\n".join([text, *(f"    {line[:300]}" for line in tail)]))

    def _look(self) -> list[float]:
        """Notes what was committed since; returns when."""
        with suppress(BotoCoreError, ClientError):  # the store may be down
            fresh = self._objects.records() - self._seen
            self._seen |= fresh
            self._result.commits += [time.time()] * len(fresh)
        return self._result.commits[-1:]

    def _strike_what_is_due(self) -> None:
        for event in list(self._due):
            if event.share > len(self._seen) / self._shards:
                return  # they are in order
            since = self._reached.setdefault(event.share, time.time()) if event.share else self._started
            if time.time() >= since + event.delay and self._strike(event):
                self._result.moments.append(Moment(event.strike, time.time()))
                self._due.remove(event)

    def _settle(self) -> None:
        """Everything that was broken is mended, and whoever sleeps has woken and done its worst."""
        while self._repairs:
            self._mend_what_is_due()
            time.sleep(0.05)
        self._world.proxy.clear()
        while not self._world.proxy.quiet:
            time.sleep(0.05)
        self._world.cluster.replace_dead()
        end = time.time() + _LAST_WRITES_S
        while time.time() < end and self._world.leftover_actors():
            time.sleep(0.2)
        send(signal.SIGKILL, self._world.leftover_actors())

    def _verify(self) -> None:
        verify = driver_command("verify", "--output", self._world.output(self._result.name))
        if subprocess.run(verify, capture_output=True, check=False).returncode:
            done = subprocess.run(verify, capture_output=True, text=True, check=False)
            self._result.problems.append(f"verify ends with {done.returncode}:\n{done.stdout}\n{done.stderr}")

    # The strikes; each says whether there was somebody to strike

    def _strike(self, event: Event) -> bool:
        strikes: dict[Strike, Callable[[Event], bool]] = {
            "kill an actor": self._kill_an_actor,
            "kill a raylet": self._kill_a_raylet,
            "kill the driver": lambda _: self._signal_driver(signal.SIGKILL),
            "stop the driver": lambda _: self._signal_driver(signal.SIGTERM),
            "kill the store": self._kill_the_store,
            "pause an actor": self._pause_an_actor,
            "pause a node": self._pause_a_node,
        }
        if event.strike in strikes:
            return strikes[event.strike](event)
        self._world.proxy.inject(_storage_fault(event, self._scale.stall))
        return True

    def _kill_an_actor(self, event: Event) -> bool:
        actors = self._world.cluster.actors()
        victims = actors[int(event.dice * len(actors)) :][:1]
        send(signal.SIGKILL, victims)
        return bool(victims)

    def _pause_an_actor(self, event: Event) -> bool:
        actors = self._world.cluster.actors()
        victims = actors[int(event.dice * len(actors)) :][:1]
        send(signal.SIGSTOP, victims)
        self._later(self._scale.row_timeout + 4, lambda: send(signal.SIGCONT, victims))
        return bool(victims)

    def _kill_a_raylet(self, event: Event) -> bool:
        cluster = self._world.cluster
        if not cluster.whole:
            return False
        cluster.kill(cluster.nodes[int(event.dice * len(cluster.nodes))])
        self._later(2 + 6 * event.dice, cluster.mend)
        return True

    def _pause_a_node(self, event: Event) -> bool:
        """Longer than it takes Ray to give the node up, and the job to do its work elsewhere."""
        cluster = self._world.cluster
        if not cluster.whole:
            return False
        node = cluster.nodes[int(event.dice * len(cluster.nodes))]
        victims = list(family(raylet_of(node)))
        send(signal.SIGSTOP, victims)
        self._later(22, lambda: send(signal.SIGCONT, victims))
        self._later(32, cluster.replace_dead)  # by then it knows that it was given up
        return True

    def _signal_driver(self, number: signal.Signals) -> bool:
        self._driver.send_signal(number)
        return True

    def _kill_the_store(self, event: Event) -> bool:
        if self._store_is_down:
            return False
        self._world.store.kill()
        self._store_is_down = True
        self._later(0.5 + 3 * event.dice, self._start_the_store)
        return True

    def _start_the_store(self) -> None:
        self._world.store.start()
        self._store_is_down = False

    def _later(self, seconds: float, mend: Callable[[], None]) -> None:
        self._repairs.append((time.time() + seconds, mend))

    def _mend_what_is_due(self) -> None:
        for repair in [repair for repair in self._repairs if repair[0] <= time.time()]:
            self._repairs.remove(repair)
            repair[1]()


def _storage_fault(event: Event, stall: float) -> Fault:
    few, many = 1 + int(5 * event.dice), 3 + int(15 * event.dice)
    faults: dict[Strike, Fault] = {
        "500 burst": Fault("500", count=many),
        "503 burst": Fault("503", count=many),
        "reset answers": Fault("reset", count=few),
        "truncate answers": Fault("truncate", count=few),
        "stall": Fault("stall", count=few, amount=stall),
        "slow bytes": Fault("slow", seconds=2, amount=2000),
        "cut uploads": Fault("cut", count=few, methods=("PUT",)),
        "lose answers": Fault("lose", count=few, methods=("PUT",)),
        "refuse connections": Fault("refuse", seconds=1 + 3 * event.dice),
    }
    return faults[event.strike]


def rows_to_be_done(scale: Scale) -> list[Row]:
    """All rows that any schedule has and that are ever done."""
    rows = [Row(number) for number in range(scale.rows)]
    return rows + [
        Row(bad_content(behaviour, number), behaviour)
        for behaviour in BAD_ROWS
        if behaviour.error is None
        for number in range(most_alike(scale))
    ]


def clean_run(world: World, scale: Scale, log: Path) -> tuple[dict[str, str | None], Result]:
    """The pictures of all these rows, made by the job without any fault."""
    rows = rows_to_be_done(scale)
    random.Random(0).shuffle(rows)
    drill = Drill(world, scale, Schedule(tuple(rows), ()), "clean", log)
    result = drill.run(None)
    return drill.pictures(), result
