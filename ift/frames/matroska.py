"""Whether a Matroska or WebM file is whole, for FFmpeg takes the end of a truncated one for the end of the video."""

from __future__ import annotations

import os
from typing import BinaryIO

_SEGMENT = b"\x18\x53\x80\x67"
"""The element that holds all but the header (RFC 9559, section 5.1)."""


def is_truncated(file: BinaryIO) -> bool:
    """Whether less is there than the segment says; live recordings say nothing. The position is kept.

    Args:
        file: at its start, and one that begins as EBML does.
    """
    start = file.tell()
    try:
        file.seek(start + 4)
        header = _size(file)
        if header is None:
            return False
        file.seek(header, os.SEEK_CUR)
        if file.read(4) != _SEGMENT:
            return False
        length = _size(file)
        return length is not None and file.tell() + length > file.seek(0, os.SEEK_END)
    finally:
        file.seek(start)


def _size(file: BinaryIO) -> int | None:
    """Reads the size of an element (RFC 8794, section 6); None if it is unknown, or missing."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()  # bytes, as many as there are zeros before the first one
    rest = file.read(more)
    if len(rest) < more:
        return None
    value = int.from_bytes(first + rest, "big") - (1 << 7 * (more + 1))
    return None if value == (1 << 7 * (more + 1)) - 1 else value
