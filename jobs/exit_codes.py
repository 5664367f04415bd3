"""Exit codes of the job's programs, and the mistakes that become one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from ift.errors import IftError
from jobs.errors import BusyError, JobError, StorageUnavailableError

USAGE_ERROR, TOO_MANY_FAILED, DAMAGED, TRY_LATER = 2, 3, 4, 75
"""Exit codes beside 0 (every pair has its record) and 128 + a signal's number (stopped; run again to go on)."""


def exit_code_of(error: JobError | IftError) -> int:
    """`TRY_LATER` for a store that is unavailable or taken, `USAGE_ERROR` for all that is the user's to mend."""
    return TRY_LATER if isinstance(error, (StorageUnavailableError, BusyError)) else USAGE_ERROR


@contextmanager
def mistakes_as_exit_code() -> Iterator[None]:
    """A mistake of the user becomes one line and `USAGE_ERROR`, an unavailable store `TRY_LATER`; no traceback."""
    try:
        yield
    except (JobError, IftError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(exit_code_of(error)) from None
