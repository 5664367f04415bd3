"""Who is told of a run's events: its metrics always, its log where one is asked for."""

from __future__ import annotations

import time
from types import TracebackType

from jobs.event_log import EventLog
from jobs.events import Event, RunEnded, RunFailed, ShardCommitted
from jobs.metrics import RunMetrics


class Watch:
    """Passes on what it is told, and tells how the run ended; a context, from after `ray.init` to before the shutdown.

    Args:
        metrics: of the run.
        log: of the run; None if nobody asked for one.
    """

    def __init__(self, metrics: RunMetrics, log: EventLog | None) -> None:
        self._metrics, self._log = metrics, log
        self._begun = time.monotonic()
        self._done = self._failed = 0

    def __enter__(self) -> Watch:
        return self

    def __call__(self, event: Event) -> None:
        """Passes an event on."""
        if isinstance(event, ShardCommitted):
            self._done += event.done
            self._failed += event.failed
        self._metrics(event)
        if self._log is not None:
            self._log(event)

    def ended(self, *, complete: bool) -> None:
        """Tells that the dispatcher has come to an end without an error."""
        self(RunEnded("complete" if complete else "stopped", self._done, self._failed, self._seconds()))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self(RunFailed(type(error).__name__, str(error), self._done, self._failed, self._seconds()))
        if self._log is not None:
            self._log.close()

    def _seconds(self) -> float:
        return round(time.monotonic() - self._begun, 3)
