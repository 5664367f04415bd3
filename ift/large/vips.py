"""libvips, made safe and small: no untrusted decoders, no cache, and errors that say what to do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from ift.errors import ImageError, SettingsError

Progress = Callable[[int, int], None]
"""Takes the rows that are done and all rows."""

_MOST_THREADS = 4  # each holds tiles of its own
_CUT_SHORT = ("truncated", "premature end", "end of file", "end of stream", "not enough data")


@cache
def vips() -> Any:
    """The module pyvips, set up for the whole process.

    Raises:
        SettingsError: it is not installed, or cannot be loaded.
    """
    try:
        import pyvips
    except (ImportError, OSError) as error:
        raise SettingsError('files this large need libvips: pip install "pyvips[binary]"') from error
    # What is logged besides an error is for applications that listen.
    logging.getLogger("pyvips").addHandler(logging.NullHandler())
    pyvips.cache_set_max(0)  # it holds pixels, and answers by name even where the file has changed
    pyvips.concurrency_set(min(_MOST_THREADS, pyvips.concurrency_get()))
    pyvips.block_untrusted_set(True)
    return pyvips


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Within it, whatever libvips finds wrong becomes an ImageError about the file `name`."""
    library = vips()
    try:
        yield
    except library.Error as error:
        raise ImageError(f"{name} {_damage(error)}") from error


@contextmanager
def writing(name: str) -> Iterator[None]:
    """Within it, whatever libvips cannot write becomes an ImageError about the file `name`."""
    library = vips()
    try:
        yield
    except library.Error as error:
        raise ImageError(f"{name} cannot be written: {_full_disk(error) or _words(error)}") from error


@contextmanager
def followed(image: Any, rows: int, progress: Progress | None) -> Iterator[None]:
    """Within it, `progress` hears how much of an image is computed; what it raises ends the work and goes on up."""
    if progress is None:
        yield
        return
    raised: list[BaseException] = []
    told = -1

    def tell(_image: Any, step: Any) -> None:
        nonlocal told
        if raised or step.percent <= told:
            return
        told = step.percent
        try:
            progress(min(rows, rows * step.npels // max(1, step.tpels)), rows)
        except BaseException as error:  # through C it could not pass
            raised.append(error)
            image.set_kill(True)

    image.set_progress(True)
    image.signal_connect("eval", tell)
    try:
        yield
    except vips().Error:
        if not raised:
            raise
    if raised:
        raise raised[0]
    progress(rows, rows)


def _damage(error: Exception) -> str:
    reason = _words(error)
    if full := _full_disk(error):
        return f"does not fit: {full}"
    if any(sign in reason.lower() for sign in _CUT_SHORT):
        return "is truncated: fetch or export it again"
    return f"is damaged, or of a kind that cannot be decoded ({reason})"


def _full_disk(error: Exception) -> str | None:
    if "No space left" not in str(error) and "quota exceeded" not in str(error):
        return None
    return "the disk is full: make room, or name another folder"


def _words(error: Exception) -> str:
    """The last of the lines, which is about the cause where the first is about the call."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"
