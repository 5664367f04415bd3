"""Seconds of several ways to do a thing, taken in turn, so that whatever slows the machine slows them all."""

from __future__ import annotations

import itertools
import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from ift.stopwatch import Stopwatch

_LEAST = 2  # rounds, however long they take


@dataclass(frozen=True)
class Times:
    """Wall-clock seconds of each repetition.

    Attributes:
        seconds: at least one.
    """

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Of the seconds."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the most."""
        return min(self.seconds), max(self.seconds)


def alternate(
    calls: Mapping[str, Callable[[], object]],
    repetitions: int,
    device: torch.device | str = "cpu",
    begin: Callable[[str, int], None] = lambda name, number: None,
    budget: float = math.inf,
) -> dict[str, Times]:
    """Times every call, one after the other, round after round.

    Args:
        calls: what is timed, by names.
        repetitions: rounds, at least 1, after a first one that warms up and does not count.
        device: is waited for at both ends of each call.
        begin: told the name and how many calls were made before, each time that one is about to be made.
        budget: seconds after which no further round begins, once two have counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    number, deadline = itertools.count(), time.perf_counter() + budget
    for done in range(repetitions + 1):  # the first of which does not count
        if done > _LEAST and time.perf_counter() > deadline:
            break
        for name, call in calls.items():
            begin(name, next(number))
            clock = Stopwatch(device)
            with clock.stage(name):
                call()
            seconds[name].append(clock.seconds[name])
    return {name: Times(tuple(each[1:])) for name, each in seconds.items()}


class Stages:
    """The stages of a call that `alternate` makes, each time by a stopwatch of its own.

    Args:
        device: see `Stopwatch`.
    """

    def __init__(self, device: torch.device | str) -> None:
        self._device = device
        self._clocks: list[Stopwatch] = []

    def stopwatch(self) -> Stopwatch:
        """For the next call."""
        self._clocks.append(Stopwatch(self._device))
        return self._clocks[-1]

    def medians(self) -> dict[str, float]:
        """Seconds of each stage; the first call, which warms up, does not count."""
        counted = [clock.seconds for clock in self._clocks[1:]]
        return {name: statistics.median(seconds[name] for seconds in counted) for name in counted[0]}
