"""What a tour keeps between its steps, in a folder: a tour that was broken off finds it again."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ift.errors import ImageError

_SHARE = 0.8
"""Of the room that is free on the disk: what is kept beyond it would stop others, and at last ourselves."""

_TOUR = "tour.json"
_SUFFIX = ".safetensors"
_HEADER = 160
"""Bytes that a file needs at most for itself, and for what it says of each tensor."""


class Scratch:
    """Tensors by name, each written whole or not at all.

    Args:
        folder: where they are; made if it is missing.
        room: bytes that `keep` may take in all; a share of what is free on the disk if not given.
        share: of what is free on the disk.

    Raises:
        ImageError: the folder cannot be made.
    """

    def __init__(self, folder: Path, room: int | None = None, share: float = _SHARE) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            sizes = {path.stem: path.stat().st_size for path in folder.glob(f"*{_SUFFIX}")}
            free = shutil.disk_usage(folder).free
        except OSError as error:
            raise ImageError(f"{folder} cannot be used for scratch files: {error.strerror}") from error
        for part in folder.glob("*.part"):
            part.unlink(missing_ok=True)
        self._sizes: dict[str, int] = sizes
        self._room = int(share * (free + sum(sizes.values()))) if room is None else room

    def begin(self, tour: Mapping[str, Any]) -> None:
        """Says what the tour is; what is there of another one is thrown away.

        Args:
            tour: all that decides the numbers which will be kept, as JSON can hold it.
        """
        text = json.dumps(tour, sort_keys=True)
        path = self.folder / _TOUR
        if not path.exists() or path.read_bytes() != text.encode():  # bytes, for what is damaged may be no text
            for name in list(self._sizes):
                self.drop(name)
            path.write_bytes(text.encode())

    def __contains__(self, name: object) -> bool:
        return name in self._sizes

    def keep(
        self, name: str, tensors: Mapping[str, Tensor], *, must: bool = False, instead_of: Sequence[str] = ()
    ) -> bool:
        """Keeps tensors, unless there is no room for them.

        Args:
            name: by which they are found again.
            tensors: on any device.
            must: keep them in any case.
            instead_of: what goes once they are kept, and whose room they may take.

        Returns:
            Whether they are kept.

        Raises:
            ImageError: they must be kept, and the disk is full.
        """
        # Features lie channel by channel within a pixel, and are written as they lie.
        flat = {key: (x.permute(0, 2, 3, 1) if x.dim() == 4 else x).cpu().contiguous() for key, x in tensors.items()}
        size = _HEADER + sum(_HEADER + x.nbytes for x in flat.values())
        if not must and not self._has_room(size, {name, *instead_of}):
            return False
        part = self.folder / f"{uuid.uuid4().hex}.part"
        try:
            save_file(flat, part)
            part.replace(self._path(name))
        except (OSError, SafetensorError) as error:
            part.unlink(missing_ok=True)
            if not must:
                return False
            raise ImageError(f"{self.folder} cannot hold more scratch files: make room ({error})") from error
        self._sizes[name] = size
        for other in instead_of:
            self.drop(other)
        return True

    def load(self, name: str, device: torch.device) -> dict[str, Tensor] | None:
        """Tensors that were kept; None if there are none by this name, or they are damaged."""
        if not self._path(name).exists():  # another process may have put it there, or taken it away
            self._sizes.pop(name, None)
            return None
        try:
            flat = load_file(self._path(name), device=str(device))
        except (OSError, SafetensorError):  # cut short by a crash of the machine: it is only work that is lost
            self.drop(name)
            return None
        return {key: x.permute(0, 3, 1, 2) if x.dim() == 4 else x for key, x in flat.items()}

    def drop(self, name: str) -> None:
        """Lets go of tensors, if they are there."""
        self._sizes.pop(name, None)
        self._path(name).unlink(missing_ok=True)

    def _has_room(self, size: int, going: Set[str]) -> bool:
        """Whether there is room for so many bytes once some have gone."""
        if self._taken(going) + size <= self._room:
            return True
        # Another process may have taken some away.
        self._sizes = {name: held for name, held in self._sizes.items() if self._path(name).exists()}
        return self._taken(going) + size <= self._room

    def _taken(self, going: Set[str]) -> int:
        return sum(size for name, size in self._sizes.items() if name not in going)

    def _path(self, name: str) -> Path:
        return self.folder / f"{os.path.basename(name)}{_SUFFIX}"  # noqa: PTH119 (a name never leaves the folder)
