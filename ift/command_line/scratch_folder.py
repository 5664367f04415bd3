"""Where scratch files go: beside the result, for the usual place may be memory."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ift.errors import ImageError

_WORK = "ift-scratch"


@contextmanager
def scratch_folder(given: Path | None, output: Path) -> Iterator[Path]:
    """A folder for scratch files, which goes once all is done.

    Args:
        given: where a run that is broken off is to leave them, and go on; None for a folder that goes in any case.
        output: of the run.

    Raises:
        ImageError: it cannot be made.
    """
    parent = output.resolve().parent if given is None else given
    try:
        parent.mkdir(parents=True, exist_ok=True)
        if given is None:
            with TemporaryDirectory(prefix=".ift-", dir=parent) as name:
                yield Path(name)
        else:
            folder = given / _WORK
            folder.mkdir(exist_ok=True)
            yield folder
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise ImageError(f"{parent} cannot hold scratch files: {error.strerror or error}") from error
