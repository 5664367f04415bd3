"""SIGTERM and SIGINT as a wish to stop: begun work is finished, and what is left waits for the next run."""

from __future__ import annotations

import signal
import sys
from types import FrameType


def exit_on_sigterm() -> None:
    """Has SIGTERM end the program as `sys.exit` would, with 143: what is open is closed, and nothing is drained."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))


class StopSignal:
    """Remembers the first signal; a second one stops the program at once.

    To be made after `ray.init`, which installs a handler of its own.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    def __call__(self) -> bool:
        """Whether a signal has come."""
        return self.received is not None

    @property
    def exit_code(self) -> int:
        """128 + the signal's number, as shells have it."""
        return 128 + (self.received or 0)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.received is not None:
            sys.exit(self.exit_code)
        self.received = signal.Signals(number)
        print(
            f"\n{self.received.name}: finishing what is begun; run the same command again to go on. "
            "A second signal stops at once (nothing committed is lost).",
            file=sys.stderr,
        )
