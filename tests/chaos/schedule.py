"""Which faults happen in which run, and when: all of it decided by a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Literal, get_args

from jobs.plan import LAYOUTS, OBJECTS
from tests.chaos.pictures import Behaviour, Row

Strike = Literal[
    "kill an actor", "kill a raylet", "kill the driver", "stop the driver", "kill the store", "pause an actor",
    "pause a node", "500 burst", "503 burst", "reset answers", "truncate answers", "stall", "slow bytes",
    "cut uploads", "lose answers", "refuse connections",
]  # fmt: skip
"""What the harness does while a job runs. Pauses are SIGSTOP, then SIGCONT after the job has replaced the sleepers."""

STRIKES: tuple[Strike, ...] = get_args(Strike)
BAD_ROWS = tuple(behaviour for behaviour in Behaviour if behaviour is not Behaviour.PLAIN)
DISK_FULL = "disk full"


@dataclass(frozen=True)
class Event:
    """A strike and its moment.

    Attributes:
        share: of the shards; the strike is due once so many are committed, so that it falls in mid-run on any machine.
        delay: seconds after that. With a share of 0 they count from the driver's start.
        dice: a number in [0, 1) that decides the rest: whom to hit, for how long.
    """

    strike: Strike
    share: float
    delay: float
    dice: float


@dataclass(frozen=True)
class Scale:
    """How large and how patient runs are.

    Attributes:
        rows: plain rows in a manifest; bad ones come on top.
        shard_size: rows committed together.
        faults: strikes and bad rows in one run, at most.
        pace: seconds that a picture takes.
        row_timeout: seconds after which the job takes an actor for hung.
        stall: seconds of a stalled answer; less than `row_timeout`.
        early: share of the strikes that fall on a driver that is still starting.
        strikes: to choose from.
        bad_rows: to choose from.
    """

    rows: int
    shard_size: int
    faults: int
    pace: float
    row_timeout: float
    stall: float
    early: float
    strikes: tuple[Strike, ...] = STRIKES
    bad_rows: tuple[Behaviour, ...] = BAD_ROWS


LONG = Scale(rows=240, shard_size=4, faults=12, pace=0.05, row_timeout=15, stall=10, early=0.15)
SHORT = Scale(
    rows=80, shard_size=4, faults=13, pace=0.05, row_timeout=6, stall=2, early=0,
    strikes=("kill an actor", "kill a raylet", "kill the driver", "kill the store", "500 burst", "503 burst",
             "reset answers", "stall", "lose answers", "refuse connections"),
    bad_rows=(Behaviour.RAISE, Behaviour.KILL_ONCE, Behaviour.MISSING),
)  # fmt: skip
"""One run takes about a minute."""


@dataclass(frozen=True)
class Schedule:
    """One run of the job: its manifest and what happens meanwhile."""

    rows: tuple[Row, ...]
    events: tuple[Event, ...]
    layout: str = OBJECTS

    @property
    def bad_rows(self) -> list[Row]:
        """The rows that are faults."""
        return [row for row in self.rows if row.behaviour is not Behaviour.PLAIN]


def schedules(scale: Scale, seed: int) -> Iterator[Schedule]:
    """Endlessly many; every kind of fault and every layout comes equally often."""
    dice = random.Random(seed)
    deck = _deck(scale, dice)
    for number in count(seed - 1):
        cards = [next(deck) for _ in range(scale.faults)]
        events = sorted(
            (_event(card, scale.early, dice) for card in cards if not isinstance(card, Behaviour)),
            key=lambda event: (event.share, event.delay),
        )
        bad = [card for card in cards if isinstance(card, Behaviour)]
        rows = [Row(number) for number in range(scale.rows)]
        rows += [Row(bad_content(behaviour, bad[:at].count(behaviour)), behaviour) for at, behaviour in enumerate(bad)]
        dice.shuffle(rows)
        yield Schedule(tuple(rows), tuple(events), LAYOUTS[number % len(LAYOUTS)])


def bad_content(behaviour: Behaviour, number: int) -> int:
    """The content of the n-th row that behaves so in a run; the same in every run, so that pictures can be compared."""
    return 100_000 * behaviour + number


def most_alike(scale: Scale) -> int:
    """How many faults of one kind there can be in a run."""
    return -(-scale.faults // (len(scale.strikes) + len(scale.bad_rows))) + 1


def _deck(scale: Scale, dice: random.Random) -> Iterator[Strike | Behaviour]:
    cards: list[Strike | Behaviour] = [*scale.strikes, *scale.bad_rows]
    while True:
        yield from dice.sample(cards, len(cards))


def _event(strike: Strike, early: float, dice: random.Random) -> Event:
    if dice.random() < early:  # while the driver starts: it reads the manifest, freezes the plan, starts actors
        return Event(strike, 0.0, dice.uniform(0, 10), dice.random())
    return Event(strike, dice.uniform(0.02, 0.9), dice.uniform(0, 0.5), dice.random())
