"""How far the measurements are, and how long they will go on."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from jobs.benchmark.keys import Key

_PACE_S = 900  # the time left is estimated from the pace over so long a time


class Bar:
    """One bar over all keys, each as long as it usually takes; to be used as a context manager."""

    def __init__(self, keys: Sequence[Key], console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(20),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            speed_estimate_period=_PACE_S,
            transient=True,
        )
        self._task = self._progress.add_task("", total=sum(key.seconds for key in keys))
        self._before, self._key = 0.0, Key("", 0, False, "", 0)

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def enter(self, key: Key) -> None:
        """The key at hand is done, and another begins."""
        self._before += self._key.seconds
        self._key = key
        self.begin("getting ready", 0)

    def begin(self, what: str, share: float) -> None:
        """Shows what runs now, and which share of the key at hand is done, 0 to 1."""
        self._progress.update(
            self._task,
            description=f"{self._key.name}: {escape(what)}",
            completed=self._before + share * self._key.seconds,
        )
