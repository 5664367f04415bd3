"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ift.errors import ImageError


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """A name beside `target` for what is being made; it takes the place of `target` if all goes well, else it goes.

    Raises:
        ImageError: the folder around it cannot be made, or the name not be taken.
    """
    # Not the tempfile module: its files are private to the user whatever the umask says.
    part = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            if part.is_dir():  # which cannot take the place of a full one
                _removed(target)
            part.replace(target)
        except BaseException:
            _removed(part)
            raise
    except (OSError, ValueError) as error:
        raise ImageError(f"{target} cannot be written: {getattr(error, 'strerror', None) or error}") from error


def _removed(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
