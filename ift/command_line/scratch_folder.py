"""Where scratch files go: beside the result, for the usual place may be memory."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ift.errors import ImageError, SettingsError

_WORK = "ift-scratch"
_LOCK = "lock"


@contextmanager
def scratch_folder(given: Path | None, output: Path) -> Iterator[Path]:
    """A folder for scratch files, which goes once all is done.

    Args:
        given: where a run that is broken off is to leave them, and go on; None for a folder that goes in any case.
        output: of the run.

    Raises:
        ImageError: it cannot be made.
        SettingsError: another run is using it.
    """
    # Of an output in a folder that is still to be made, the last one that is there: it has the same disk.
    parent = next(each for each in output.resolve().parents if each.exists()) if given is None else given
    try:
        if given is None:
            with TemporaryDirectory(prefix=".ift-", dir=parent) as name:
                yield Path(name)
        else:
            folder = given / _WORK
            folder.mkdir(parents=True, exist_ok=True)
            with _alone(folder):
                yield folder
                shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise ImageError(f"{parent} cannot hold scratch files: {error.strerror or error}") from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keeps other runs out, as long as this process lives."""
    with (folder / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError(f"{folder} is in use by another run: give each a --scratch folder of its own") from None
        yield
