"""Raw pictures as libvips reads them: through a TIFF header that is made up, for mapped pages would count as memory."""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ift.errors import ImageError
from ift.large.values import eight_bits
from ift.large.vips import vips
from ift.raw_picture import RawPicture

_STRIP = 1 << 20
"""Bytes that are read at once, where rows are not longer."""

_SHORT, _LONG, _LONG8 = "H", "I", "Q"
_TYPES = {_SHORT: 3, _LONG: 4, _LONG8: 16}


@contextmanager
def streamed(raw: RawPicture) -> Iterator[Any]:
    """A raw picture as a libvips image of 8-bit sRGB, whose rows can be had once, from the top.

    Raises:
        ImageError: the file is gone, or shorter than it should be.
    """
    try:
        descriptor = os.open(raw.path, os.O_RDONLY)
    except OSError as error:
        raise ImageError(f"the scratch file {raw.path} cannot be read: {error.strerror}") from error
    try:
        if os.fstat(descriptor).st_size < raw.offset + raw.nbytes:
            raise ImageError(f"the scratch file {raw.path} is cut short: delete it and start again")
        reader = _Reader(descriptor, raw)
        source = vips().SourceCustom()  # whose Python half must live until the last row is read
        source.on_read(reader.read)
        source.on_seek(reader.seek)
        image = vips().Image.tiffload_source(source, access="sequential", fail_on="error")
        yield eight_bits(image).copy(interpretation="srgb")
    finally:
        os.close(descriptor)


class _Reader:
    """A made-up header and the pixels behind it, as one file."""

    def __init__(self, descriptor: int, raw: RawPicture) -> None:
        self._descriptor = descriptor
        self._offset = raw.offset
        self._header = _tiff_header(raw)
        self._size = len(self._header) + raw.nbytes
        self._at = 0

    def read(self, size: int) -> bytes:
        behind = self._at - len(self._header)
        if behind < 0:
            data = self._header[self._at : self._at + size]
        else:
            wanted = min(size, self._size - self._at)
            data = os.pread(self._descriptor, wanted, self._offset + behind)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at


def _tiff_header(raw: RawPicture) -> bytes:
    """A BigTIFF's header and directory for uncompressed rows, which follow it."""
    order = "<" if sys.byteorder == "little" else ">"
    row = raw.width * 3 * raw.depth
    rows = max(1, min(raw.height, _STRIP // row))
    strips = -(-raw.height // rows)
    sizes = [rows * row] * (strips - 1) + [(raw.height - (strips - 1) * rows) * row]
    tags: list[tuple[int, str, list[int]]] = [
        (256, _LONG, [raw.width]),
        (257, _LONG, [raw.height]),
        (258, _SHORT, [8 * raw.depth] * 3),
        (259, _SHORT, [1]),  # uncompressed
        (262, _SHORT, [2]),  # RGB
        (273, _LONG8, [0] * strips),  # where each strip begins, as soon as that is known
        (277, _SHORT, [3]),
        (278, _LONG, [rows]),
        (279, _LONG8, sizes),
    ]
    tables = 16 + 8 + 20 * len(tags) + 8
    start = tables + sum(8 * len(values) for _, kind, values in tags if kind == _LONG8 and len(values) > 1)
    tags[5] = (273, _LONG8, [start + index * rows * row for index in range(strips)])
    entries, behind = b"", b""
    for tag, kind, values in tags:
        data = struct.pack(f"{order}{len(values)}{kind}", *values)
        if len(data) > 8:  # else it stands in the entry itself
            data, behind = struct.pack(f"{order}Q", tables + len(behind)), behind + data
        entries += struct.pack(f"{order}HHQ", tag, _TYPES[kind], len(values)) + data.ljust(8, b"\0")
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HHHQQ", 43, 8, 0, 16, len(tags))
    return head + entries + bytes(8) + behind
