"""A run's events as JSON, one line each, for machines that collect logs."""

from __future__ import annotations

import json
import logging
import re
import sys
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from jobs.errors import JobError
from jobs.events import Event

STDOUT = "-"


class EventLog:
    """Writes down each event with the run's name.

    Args:
        to: a file, to whose end is written, or `-` for stdout.
        run: as `jobs.run_name.run_name`.

    Raises:
        JobError: the file cannot be written.
    """

    def __init__(self, to: str, run: str) -> None:
        try:
            handler = (
                logging.StreamHandler(sys.stdout) if to == STDOUT else logging.FileHandler(to, "a", encoding="utf-8")
            )
        except OSError as error:
            raise JobError(
                f"--log-json {to}: {error.strerror}; give a file that can be written, or - for stdout"
            ) from error
        handler.setFormatter(_JsonLine(run))
        self._handler = handler

    def __call__(self, event: Event) -> None:
        """Writes a line, and it is on its way to the reader when this returns; what is for gauges only is left out."""
        if event.level > logging.DEBUG:
            # Without a logger: what others do with those, such as `logging.disable`, changes nothing here.
            self._handler.handle(logging.LogRecord("ift.events", event.level, __file__, 0, event, (), None))

    def close(self) -> None:
        """Closes the file."""
        self._handler.close()


class _JsonLine(logging.Formatter):
    def __init__(self, run: str) -> None:
        super().__init__()
        self._run = run

    def format(self, record: logging.LogRecord) -> str:
        event: Any = record.msg
        line = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "run": self._run,
            "event": name_of(type(event)),
            **asdict(event),
        }
        return json.dumps(line, ensure_ascii=False)


def name_of(event: type[Event]) -> str:
    """The name of a kind of event in the log: `shard_committed` of `ShardCommitted`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", event.__name__).lower()
