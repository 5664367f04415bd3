"""Contents on the disk of a node: fetched once and laid down as raw pixels, for all workers and legs there."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from torch import Tensor

from ift.box import Box
from ift.errors import ImageError
from ift.images import decode_image, open_picture
from ift.large.header import size_of
from ift.large.laying import lay_down
from ift.raw_picture import RawPicture
from ift.settings import MAX_PIXELS
from jobs.errors import StorageError, TooLargeError
from jobs.storage import check_allowed, copy_to_file, read_uri

_FORGOTTEN_S = 6 * 3600.0

_IN_MEMORY = 128 << 20
"""Bytes of a file that are read at once; larger ones go through the disk."""


class Contents:
    """Pictures of any size, from anywhere.

    Args:
        run: URI of the run's output: each run has a folder of its own.
        max_pixels: larger pictures are refused.
        most_bytes: larger files are refused; None for no limit.
        allowed: folders and s3:// prefixes below which pictures may lie; anywhere if there are none.

    Attributes:
        folder: on this node, for all that waits there.
    """

    def __init__(self, run: str, max_pixels: int, most_bytes: int | None = None, allowed: Sequence[str] = ()) -> None:
        self._max_pixels, self._most_bytes, self._allowed = max_pixels, most_bytes, tuple(allowed)
        digest = hashlib.sha256(run.encode()).hexdigest()[:16]
        self.folder = Path(tempfile.gettempdir()) / f"ift-parts-{os.getuid()}-{digest}"
        self._lock = threading.Lock()

    def read(self, uri: str) -> bytes | None:
        """The bytes of a file; None if they are many, so that only `size` and `open` are for it.

        Raises:
            StorageError: it cannot be read, or is refused.
        """
        most = _IN_MEMORY if self._most_bytes is None else min(_IN_MEMORY, self._most_bytes)
        try:
            return read_uri(uri, most_bytes=most, allowed=self._allowed)
        except TooLargeError:
            if most == self._most_bytes:
                raise
            return None

    def size(self, uri: str, resolution: int | None) -> tuple[int, int]:
        """(H, W) of a picture, upright and scaled, from its header.

        Raises:
            ImageError: it is no picture, or too large.
            StorageError: it cannot be read, or is refused.
        """
        with self._file(uri) as path:
            return size_of(path, resolution, self._max_pixels)

    def scaled(self, uri: str, resolution: int | None) -> Tensor:
        """(3, H, W) float32 in [0, 1]: a picture that is large in its file, and small enough once it is scaled.

        Raises:
            ImageError: it is no picture, or too large.
            StorageError: it cannot be read, or is refused.
        """
        with self.workplace() as folder, self._file(uri) as path:
            raw = lay_down(path, folder / "content.raw", resolution, self._max_pixels)
            return raw.read(Box(0, 0, raw.height, raw.width))

    def open(self, group: str, row: int, uri: str, resolution: int | None) -> RawPicture:
        """A content as raw pixels; laid down by whoever comes first.

        Args:
            group: of whose folder it is a part; it goes with it.
            row: of the pair.
            uri: of the picture.
            resolution: the longer side to which it is scaled; None for its own.

        Raises:
            ImageError: it is no picture, or too large.
            StorageError: it cannot be read, or is refused.
        """
        with self._lock, self._held(group, fcntl.LOCK_SH):
            return self._opened(self.group_folder(group), row, uri, resolution)

    def _opened(self, folder: Path, row: int, uri: str, resolution: int | None) -> RawPicture:
        with (folder / f"content-{row}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for laid in folder.glob(f"content-{row}-*.raw"):
                height, width, depth = map(int, laid.stem.split("-")[2:])
                return RawPicture(laid, height, width, depth=depth)
            raw = self._laid_down(uri, folder / f"content-{row}.part", resolution)
            path = folder / f"content-{row}-{raw.height}-{raw.width}-{raw.depth}.raw"
            raw.path.replace(path)
            return RawPicture(path, raw.height, raw.width, depth=raw.depth)

    @contextmanager
    def workplace(self) -> Iterator[Path]:
        """A folder for the time of one task, on the disk of the contents but no part of a group, which may go."""
        with tempfile.TemporaryDirectory(prefix=f"{self.folder.name}-") as name:
            yield Path(name)

    def group_folder(self, group: str) -> Path:
        """The folder of a group on this node; whatever lies there may go when a content of the group is forgotten."""
        self._make_folder()
        folder = self.folder / group
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def forget(self, group: str, rows: Iterable[int]) -> None:
        """Removes contents of a group, and with the last one all that is kept of the group on this node."""
        with self._held(group, fcntl.LOCK_EX) as lock:
            folder = self.folder / group
            for row in rows:
                for path in folder.glob(f"content-{row}-*.raw"):
                    path.unlink(missing_ok=True)
            if not any(folder.glob("content-*.raw")):
                shutil.rmtree(folder, ignore_errors=True)
                lock.unlink()
        with suppress(OSError):  # as long as others lie there
            self.folder.rmdir()

    def sweep(self) -> None:
        """Removes what nobody has touched for long: workers of this node may have ended in the midst of it."""
        for folder in (*self.folder.glob("*"), *self.folder.parent.glob(f"{self.folder.name}-*")):
            with suppress(OSError):  # another has removed it
                newest = max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
                if folder.is_dir() and time.time() - newest > _FORGOTTEN_S:
                    shutil.rmtree(folder, ignore_errors=True)
                    folder.with_name(f"{folder.name}.lock").unlink(missing_ok=True)

    @contextmanager
    def _held(self, group: str, how: int) -> Iterator[Path]:
        """A group's lock, of this node, beside its folder: while many open contents of it, nobody removes it."""
        path = self.folder / f"{group}.lock"
        while True:
            try:
                self._make_folder()
                lock = path.open("w")
            except (FileNotFoundError, FileExistsError):  # another has just removed the whole folder, or made it
                if self.folder.is_file():
                    raise
                continue
            with lock:
                fcntl.flock(lock, how)
                if _is_at(path, lock.fileno()):
                    yield path
                    return
            # Whoever held it before has removed it with its group: it is no longer the group's lock.

    def _make_folder(self) -> None:
        """For this user alone: what lies there is believed."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.folder.stat().st_uid != os.getuid():
            raise StorageError(f"{self.folder} belongs to another user: remove it, or set TMPDIR to another place")

    def _laid_down(self, uri: str, to: Path, resolution: int | None) -> RawPicture:
        data = self.read(uri)
        if data is not None and len(data) < _IN_MEMORY // 4:
            picture = _small(data, uri, resolution)
            if picture is not None:
                return _raw(picture, to)
        with self._file(uri) as path:
            return lay_down(path, to, resolution, self._max_pixels)

    @contextmanager
    def _file(self, uri: str) -> Iterator[Path]:
        check_allowed(uri, self._allowed)
        with self.workplace() as folder:
            path = copy_to_file(uri, folder)
            if self._most_bytes is not None and path.stat().st_size > self._most_bytes:
                raise TooLargeError(f"{uri} has more than the {self._most_bytes / 1e6:.0f} MB of --max-file-mb")
            try:
                yield path
            except ImageError as error:
                raise ImageError(str(error).replace(str(path), uri)) from error


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _small(data: bytes, uri: str, resolution: int | None) -> Tensor | None:
    """A picture that is read as any other; None if it is too large for that."""
    source = open_picture(data, uri, 1 << 40)
    if source.width * source.height > MAX_PIXELS // 4:
        return None
    return decode_image(data, uri, resolution)


def _raw(picture: Tensor, to: Path) -> RawPicture:
    """As raw pixels; 16 bits where 8 do not hold it."""
    height, width = picture.shape[-2:]
    depth = 1 if torch.equal(picture.mul(255).round().div(255), picture) else 2
    raw = RawPicture(to, height, width, depth=depth)
    to.unlink(missing_ok=True)
    raw.create().write(Box(0, 0, height, width), picture)
    return raw
