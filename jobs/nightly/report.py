"""What became of each night: an object per night, and a table of the last ones."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timezone

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from ift.errors import IftError
from jobs.errors import JobError, StorageError
from jobs.exit_codes import exit_code_of
from jobs.storage import Store
from jobs.summary import quoted

NIGHTS = "nights/"
_NAME = re.compile(r"nights/[0-9T:-]+Z\.json")


@dataclass
class Report:
    """A night.

    Attributes:
        started_at: ISO 8601, UTC.
        host: where it ran.
        manifest: URI of the pairs.
        built: pairs that the manifest gained, before the plan took them up; None if others make it.
        passed_over: files that were not used, by the reason.
        rows: pairs in the plan.
        missing: of these, without a record when the night began: the new ones, and what earlier nights left.
        retried: pairs that had failed in earlier nights and were given another try.
        done: pairs that the night gave a picture.
        failed: pairs with a failed record at its end.
        left: pairs without a record at its end.
        wrong: what `verify --quick` found, by kind; None if it did not come to that.
        seconds: that it took.
        exit_code: None while it goes on, or if it was killed.
        problem: what ended it, if it was a mistake.
    """

    started_at: str
    host: str
    manifest: str
    built: int | None = None
    passed_over: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    missing: int = 0
    retried: int = 0
    done: int = 0
    failed: int = 0
    left: int = 0
    wrong: dict[str, int] | None = None
    seconds: float = 0.0
    exit_code: int | None = None
    problem: str | None = None

    @property
    def key(self) -> str:
        """Of its object; sorted by name, nights are in order."""
        return f"{NIGHTS}{self.started_at}.json"

    def to_json(self) -> bytes:
        """The night as one JSON object."""
        return (json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n").encode()


@contextmanager
def reported(store: Store, manifest: str) -> Iterator[Report]:
    """The report of a night, which is there from its beginning, and complete at its end, whatever that is.

    Raises:
        StorageError: it cannot be written.
    """
    started = time.perf_counter()
    report = Report(f"{datetime.now(timezone.utc):%Y-%m-%dT%H-%M-%SZ}", socket.gethostname(), manifest)
    store.write(report.key, report.to_json())
    try:
        yield report
    except (JobError, IftError) as error:
        report.problem, report.exit_code = str(error), exit_code_of(error)
        raise
    except SystemExit as stopped:
        report.exit_code = stopped.code if isinstance(stopped.code, int) else 1
        raise
    except BaseException as error:
        report.problem, report.exit_code = repr(error), 130 if isinstance(error, KeyboardInterrupt) else 1
        raise
    finally:
        report.seconds = round(time.perf_counter() - started, 3)
        with suppress(StorageError):  # which may be what ended the night
            store.write(report.key, report.to_json())


def read_reports(store: Store, last: int) -> list[Report]:
    """The last nights of an output, in order.

    Raises:
        JobError: a report is damaged.
        StorageError: the store cannot be read.
    """
    keys = sorted(key for key in store.list(NIGHTS) if _NAME.fullmatch(key))[-last:]
    return [_parse(store, key) for key in keys]


def print_reports(reports: Sequence[Report], console: Console) -> None:
    """A table of nights."""
    table = Table(title="Nights", title_justify="left", box=SIMPLE)
    table.add_column("night", no_wrap=True)
    for name in ("time", "to do", "again", "done", "failed", "left", "wrong", "exit"):
        table.add_column(name, justify="right")
    for report in reports:
        counts = (report.missing, report.retried, report.done, report.failed, report.left)
        table.add_row(
            quoted(report.started_at),
            tqdm.format_interval(report.seconds),
            *(f"{count:,}" for count in counts),
            "?" if report.wrong is None else f"{sum(report.wrong.values()):,}",
            "none" if report.exit_code is None else str(report.exit_code),
        )
    console.print(table)
    for report in reports:
        if report.problem:
            console.print(f"{quoted(report.started_at)}: [red]{quoted(report.problem)}[/]", soft_wrap=True)


def _parse(store: Store, key: str) -> Report:
    known = {each.name for each in fields(Report)}
    try:
        return Report(**{name: value for name, value in json.loads(store.read(key)).items() if name in known})
    except (ValueError, TypeError, AttributeError) as error:
        raise JobError(f"{key} in {store.uri} is no report of a night ({error}): remove it") from error
