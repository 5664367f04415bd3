"""Frames into a folder of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

import torch

from ift.errors import ImageError, SettingsError
from ift.frames.video_colours import Bytes
from ift.images import format_of, save_image


class PictureFiles:
    """A folder into which frames are written, each whole or not at all.

    Attributes:
        notes: none.
    """

    def __init__(self, folder: Path, names: Sequence[str], quality: int) -> None:
        self.notes: list[str] = []
        self._paths, self._quality = [folder / name for name in names], quality

    def put(self, index: int, pixels: Bytes) -> None:
        """Writes a frame, (H, W, 3).

        Raises:
            ImageError: it cannot be written.
        """
        save_image(torch.from_numpy(pixels).permute(2, 0, 1) / 255, self._paths[index], self._quality)

    def finish(self) -> None:
        """Nothing is left to do."""

    def close(self) -> None:
        """Nothing is left open."""


def result_names(names: Sequence[str], suffix: str | None = None) -> list[str]:
    """File names of the results, after those of their sources.

    Args:
        names: of the frames.
        suffix: such as .jpg; the source's own if not given, or .png where that cannot be written.

    Raises:
        ImageError: the suffix is none that can be written.
        SettingsError: two would have one name.
    """
    if suffix is not None:
        format_of(f"frame{suffix}")
    results = [str(PurePath(name).with_suffix(suffix or _own_suffix(name))) for name in names]
    taken: dict[str, str] = {}
    for name, result in zip(names, results, strict=True):
        other = taken.setdefault(result.casefold(), name)  # on some disks A.png is a.png
        if other != name:
            raise SettingsError(f"{other} and {name} would both become {result}: rename one")
    return results


def _own_suffix(name: str) -> str:
    try:
        format_of(name)
    except ImageError:
        return ".png"
    return PurePath(name).suffix
