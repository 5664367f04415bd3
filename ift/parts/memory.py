"""How large a part may be, so that a process stays within its memory; measured, see docs/large.md."""

from __future__ import annotations

import math
import os
import re
from fractions import Fraction

import torch

from ift.allocator import resident_bytes
from ift.errors import SettingsError
from ift.journey import Networks
from ift.network_shape import MULTIPLE
from ift.settings import Settings

_WHOLE, _IN_PART = 420, 400
"""Bytes that a pixel of a whole picture takes, and one of a part's window, in half precision; twice that in float32.
A part holds fewer of the skips."""

_SLACK = 2.0
"""What the allocator may hold beside what is in use, over that: windows differ in size, and leave gaps."""

_LEAST, _MOST = 128, 2048
"""Sides of tiles: below, halos cost many times the tile; above, hardly anything is left to be gained."""

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def bytes_of(text: str) -> int:
    """The bytes that a user means by "2GB", "512 MiB" or "1.5g".

    Raises:
        SettingsError: it is no such size.
    """
    match = re.fullmatch(r"\s*([0-9]{1,30}(?:\.[0-9]{1,30})?)\s*([kmgt]?i?)b?\s*", text.lower())
    if not match or match[2] == "i":
        raise SettingsError(f"{text!r} is no size: give it such as 2GB or 512MiB")
    return int(Fraction(match[1]) * _UNITS[match[2]])


def usual_memory() -> int:
    """Half of the machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def fits_whole(pixels: int, memory: int, dtype: torch.dtype) -> bool:
    """Whether a picture of so many pixels can be stylized in one piece within so many bytes of the whole process."""
    return pixels * _WHOLE * dtype.itemsize / 2 * _SLACK <= memory - resident_bytes()


def tile_within(memory: int, model: Networks, settings: Settings, halo: int) -> int:
    """The side of tiles with which the whole process, as large as it is now, stays within so many bytes.

    Args:
        memory: in bytes.
        model: that is loaded.
        settings: of the pictures.
        halo: `Journey.halo`.

    Raises:
        SettingsError: it is too little for the smallest tile.
    """
    room = memory - resident_bytes()
    pixel = _IN_PART * model.dtype.itemsize / 2 * _SLACK
    if "avatar" in settings.method:
        pixel *= 2  # scores of patches
    side = int(math.sqrt(max(room, 0) / pixel)) - 2 * halo
    if side < _LEAST:
        least = resident_bytes() + int(pixel * (_LEAST + 2 * halo) ** 2)
        raise SettingsError(
            f"{memory / 1e9:.3g} GB are too little for the smallest tiles: give --memory {least / 1e9 + 0.1:.1f}GB"
        )
    return min(side // MULTIPLE * MULTIPLE, _MOST)
