"""Where the workers of a training tell the driver how it goes, and the driver tells them to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jobs.errors import JobError

ATTEMPTS = 3
"""How often the workers are started without any new checkpoint before it is given up."""

LEASH = 60.0
"""Seconds without the driver after which the workers stop: where nobody buries dead processes, Ray does not see that
the driver's cluster has died, and they would go on for ever."""

_MEMORY = 0.95  # of the loss that is shown: that of one step depends on the level that was drawn


@dataclass(frozen=True)
class Progress:
    """What the driver shows.

    Attributes:
        step: how many steps are done.
        loss: a running mean; None before the first step.
        notes: what has been said since the driver last asked.
        failure: what nobody but the user can mend; None if there is nothing.
        finished: whether the result is written.
        rests: whether the workers have stopped before that, as they were told.
    """

    step: int
    loss: float | None
    notes: tuple[str, ...]
    failure: Exception | None
    finished: bool
    rests: bool


class Board:
    """To be an actor. Its methods are called by the first worker, unless they say otherwise.

    Args:
        clock: seconds, from any beginning.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard = clock()
        self._step, self._loss = 0, None  # type: tuple[int, float | None]
        self._notes: list[str] = []
        self._unreadable: dict[str, str] = {}
        self._failure: Exception | None = None
        self._setback: str | None = None
        self._attempts, self._saved = 0, -1
        self._stop = self._finished = self._rests = False

    def attempt(self) -> bool:
        """The workers have been started, perhaps not for the first time; whether they are to work."""
        self._attempts += 1
        if self._attempts > ATTEMPTS and self._failure is None:
            self._failure = JobError(
                f"the workers were started {ATTEMPTS} times without a new checkpoint; the last time {self._why}. "
                "Once that is mended, --resume goes on"
            )
        return self._failure is None and not self._stop

    def begin(self, step: int, unreadable: Mapping[str, str]) -> None:
        """Training goes on from a checkpoint."""
        self._step, self._saved = step, max(self._saved, step)
        self._unreadable = {**unreadable, **self._unreadable}
        if step and self._attempts == 1:
            self._notes.append(f"going on from step {step}")
        elif self._attempts > 1:
            self._notes.append(f"workers were started again ({self._why}); going on from step {step}")
        self._setback = None

    def tell(self, step: int, loss: float) -> bool:
        """So many steps are done, the last with that loss; returns whether to stop."""
        self._step = step
        self._loss = loss if self._loss is None else _MEMORY * self._loss + (1 - _MEMORY) * loss
        if self._clock() - self._heard > LEASH:
            self.fail(JobError(f"the workers had not heard of the driver for {LEASH:.0f} s: --resume goes on"))
        return self._stop or self._failure is not None

    def saved(self, step: int) -> None:
        """There is a checkpoint."""
        if step > self._saved:
            self._saved, self._attempts = step, 1

    def skip(self, name: str, reason: str) -> None:
        """A photo cannot be used. Called by any worker."""
        if name not in self._unreadable:
            self._notes.append(f"skipped {reason if name in reason else f'{name}: {reason}'}")
            self._unreadable[name] = reason

    def unreadable(self) -> dict[str, str]:
        """The photos that could not be used, with the reasons."""
        return dict(sorted(self._unreadable.items()))

    def note(self, text: str) -> None:
        """Something for the user to know. Called by any worker."""
        self._notes.append(text)

    def set_back(self, reason: str) -> None:
        """An attempt fails, and another may not. Called by any worker."""
        self._setback = self._setback or reason  # one that dies takes the others with it, who then complain

    def fail(self, error: Exception) -> None:
        """Another attempt would fail as well. Called by any worker."""
        self._failure = self._failure or error

    def finish(self) -> None:
        """The result is written."""
        self._finished = True

    def rest(self) -> None:
        """The workers have stopped, and all that they did is saved."""
        self._rests = True

    def stop(self) -> None:
        """To stop after the step that is under way. Called by the driver."""
        self._stop = True

    def progress(self) -> Progress:
        """How it goes. Called by the driver, which is given each note once."""
        self._heard = self._clock()
        notes, self._notes = tuple(self._notes), []
        return Progress(self._step, self._loss, notes, self._failure, self._finished, self._rests)

    @property
    def _why(self) -> str:
        return self._setback or "a process died"
