"""A store in a local folder: atomic through rename and link, whatever is killed and when."""

import errno
import fcntl
import os
import re
import shutil
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from jobs.errors import NotFoundInStoreError, StorageError, StorageUnavailableError, TooLargeError
from jobs.storage.uris import TEMPORARIES, check_key, check_prefix, shown, too_large

_DAY = 86400.0  # seconds
_OWNER = re.compile(r"[0-9a-f]{32}~(?P<pid>[0-9]{1,9})~(?P<space>.+)")  # of a temporary, from its name
_REASONS = {
    errno.ENOSPC: "the disk is full; free some space and resume",
    errno.EDQUOT: "the disk quota is used up; free some space and resume",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "the file system is read-only",
}
_TRANSIENT = {  # of file systems behind a network, and of a process with too much open
    errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENOTCONN,
    errno.ECONNREFUSED, errno.ECONNRESET, errno.EAGAIN, errno.EMFILE, errno.ENFILE,
}  # fmt: skip
_UNSUPPORTED = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOLCK, errno.EINVAL}


@dataclass(frozen=True)
class LocalStore:
    """The store below the folder `root`, which the first write makes if need be. `Store` says what the methods do.

    A file becomes visible only when it is complete: it is written in `root/.partial`, flushed to the disk, then
    renamed (write, replace) or linked (create) to its name; whoever replaces a file holds its lock. Several hosts may
    share the folder if their file system makes these atomic and locks files for all of them, as NFS does.
    """

    root: Path

    @property
    def uri(self) -> str:
        """The absolute path of the folder."""
        return str(self.root)

    def read(self, key: str) -> bytes:
        """Return the object; `NotFoundInStoreError` if it is absent."""
        return read_file(self._path(key))

    def write(self, key: str, data: bytes) -> None:
        """Overwrite atomically."""
        path = self._path(key)
        with plain_errors("write", path):
            self._write(path, data)

    def write_file(self, key: str, file: Path) -> None:
        """Overwrite atomically with the bytes of a file."""
        path = self._path(key)
        with plain_errors("write", path), file.open("rb") as source:
            self._write(path, source)

    def create(self, key: str, data: bytes) -> bool:
        """Create atomically; True if the file now holds exactly `data`."""
        path = self._path(key)
        with plain_errors("create", path):
            return self._create(path, data)

    def replace(self, key: str, data: bytes, expected: bytes) -> bool:
        """Compare and swap, atomic among the calls of `replace` and `create`."""
        path = self._path(key)
        with plain_errors("replace", path):
            return self._replace(path, data, expected)

    def exists(self, key: str) -> bool:
        """Say whether the object is there."""
        path = self._path(key)
        with plain_errors("look for", path):
            return path.is_file()

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the keys that start with `prefix`; a folder that does not exist has none."""
        folder = self.root / check_prefix(prefix).rpartition("/")[0]
        with plain_errors("list", folder):
            for parent, folders, names in os.walk(folder, onerror=_raise_unless_gone):
                if Path(parent) == self.root and TEMPORARIES in folders:
                    folders.remove(TEMPORARIES)
                for name in names:
                    key = (Path(parent) / name).relative_to(self.root).as_posix()
                    if key.startswith(prefix):
                        yield key

    def delete(self, key: str) -> None:
        """Remove the object; an absent one is fine."""
        path = self._path(key)
        with plain_errors("delete", path):
            if path.is_file():  # as on S3, a folder is no object
                path.unlink(missing_ok=True)

    def check(self) -> None:
        """Prove by trying that files can be written, and that a second create and a stale replace are refused."""
        probe = self._partial / _temporary_name()  # where a sweep finds it, should this process be killed
        with plain_errors("write to", self.root):
            created = self._create(probe, b"first")
            created_twice = self._create(probe, b"second")
            replaced = self._replace(probe, b"third", b"first")
            replaced_twice = self._replace(probe, b"fourth", b"first")
            probe.unlink()
        if not created or created_twice or not replaced or replaced_twice:
            raise StorageError(
                f"{self.root}: its file system lets two processes create the same file, so two workers could commit "
                "the same shard; use another folder or S3"
            )

    def sweep(self) -> int:
        """Remove the temporaries of dead processes; of those elsewhere, the ones that are a day old."""
        removed = 0
        with plain_errors("sweep", self._partial):
            for temporary in self._partial.glob("*"):
                if _is_stale(temporary):
                    temporary.unlink(missing_ok=True)
                    removed += 1
        return removed

    @property
    def _partial(self) -> Path:
        return self.root / TEMPORARIES

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)

    def _write(self, path: Path, data: bytes | BinaryIO) -> None:
        with self._temporary(data) as temporary:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(path)

    def _create(self, path: Path, data: bytes) -> bool:
        with self._temporary(data) as temporary:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with self._needing("hard links"):
                    os.link(temporary, path)
            except FileExistsError:
                # Over NFS the link may be ours: made by a request whose answer was lost.
                return _holds(path, data)
            return True

    def _replace(self, path: Path, data: bytes, expected: bytes) -> bool:
        # The temporary comes first: a process that is stopped while it holds the lock stops all others.
        with self._temporary(data) as temporary, ExitStack() as stack:
            try:
                with self._needing("locks"):
                    file = stack.enter_context(_locked(path))
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return False
            held = file.read()
            if held != expected:
                return held == data
            temporary.replace(path)
            return True

    @contextmanager
    def _needing(self, feature: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            raise StorageError(
                f"{self.root}: its file system has no {feature}, which atomic commits need; use another folder or S3"
            ) from error

    @contextmanager
    def _temporary(self, data: bytes | BinaryIO) -> Iterator[Path]:
        """Write `data`, or what is read from it, to a new file that is gone afterwards, unless it was renamed."""
        self._partial.mkdir(parents=True, exist_ok=True)
        path = self._partial / _temporary_name()
        try:
            with path.open("xb") as file:
                if isinstance(data, bytes):
                    file.write(data)
                else:
                    shutil.copyfileobj(data, file, 1 << 20)
                file.flush()
                # A name must never come back from a power cut without its bytes. The folder is not synced: a
                # journal keeps the order of renames, so at worst the last few are lost, and their work redone.
                os.fsync(file.fileno())
            yield path
        finally:
            path.unlink(missing_ok=True)


def read_file(path: Path, most_bytes: int | None = None) -> bytes:
    """Read a whole regular file.

    Raises:
        NotFoundInStoreError: there is no such file.
        StorageError: it cannot be read, or is larger than `most_bytes`, of which then none is read.
    """
    size = check_file(path)
    if most_bytes is not None and size > most_bytes:
        raise TooLargeError(too_large(str(path), size, most_bytes))
    with _reading(path):
        return path.read_bytes()


def read_start(path: Path, most_bytes: int) -> bytes:
    """Read the first bytes of a regular file; raises as `read_file`."""
    check_file(path)
    with _reading(path), path.open("rb") as file:
        return file.read(most_bytes)


def put_file(source: Path, path: Path) -> None:
    """Copy a file to `path`, where it appears whole or not at all.

    Raises:
        StorageError: it cannot be written.
    """
    part = path.with_name(f".{uuid4().hex}.part")
    with plain_errors("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with source.open("rb") as reader, part.open("xb") as writer:
                shutil.copyfileobj(reader, writer, 1 << 20)
                writer.flush()
                os.fsync(writer.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def check_file(path: Path) -> int:
    """Return the size of a regular file.

    Raises:
        NotFoundInStoreError: there is no such file.
        StorageError: it is something else, or cannot be looked at.
    """
    with _reading(path):
        found = path.stat()
    if stat.S_ISDIR(found.st_mode):
        raise NotFoundInStoreError(f"{shown(str(path))} is a folder, not a file")
    if not stat.S_ISREG(found.st_mode):  # opening a pipe could wait for ever
        raise StorageError(f"{shown(str(path))} is not a regular file")
    return found.st_size


@contextmanager
def plain_errors(doing: str, path: Path) -> Iterator[None]:
    """Turn what the operating system says into a `StorageError` that names the path."""
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a name that no file system can hold
        number = (error.errno or 0) if isinstance(error, OSError) else 0
        reason = error if isinstance(error, ValueError) else _REASONS.get(number, error.strerror)
        kind = StorageUnavailableError if number in _TRANSIENT else StorageError
        raise kind(f"cannot {doing} {shown(str(path))}: {reason}") from error


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    with plain_errors("read", path):
        try:
            yield
        except (FileNotFoundError, NotADirectoryError):
            raise NotFoundInStoreError(f"{shown(str(path))} does not exist") from None


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    """Open the file at `path` with the kernel's lock on it, which even kill -9 releases.

    The lock is that of the file itself, so that none is left over. Whoever waited for it may hold that of a file
    that has been replaced meanwhile, and has to try the one that now has the name.
    """
    while True:
        with path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with path.open("rb") as now:  # unlike stat, open is never answered from the cache of a network's client
                if os.path.samestat(os.fstat(file.fileno()), os.fstat(now.fileno())):
                    yield file
                    return


def _holds(path: Path, data: bytes) -> bool:
    try:
        return read_file(path) == data
    except NotFoundInStoreError:
        return False


def _raise_unless_gone(error: OSError) -> None:
    """Let a walk go on when a folder vanished meanwhile, but never when it cannot be read."""
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise error


def _temporary_name() -> str:
    return f"{uuid4().hex}~{os.getpid()}~{pid_space()}"


def pid_space() -> str:
    """Name the set of processes within which a process id means one process: a host, or a container on it."""
    try:
        namespace = Path("/proc/self/ns/pid").stat().st_ino  # containers may share the host's name
    except OSError:
        namespace = 0
    return f"{socket.gethostname()}~{namespace}"


def _is_stale(temporary: Path) -> bool:
    owner = _OWNER.fullmatch(temporary.name)
    if owner and owner["space"] == pid_space():
        return not is_alive(int(owner["pid"]))
    try:
        return time.time() - temporary.stat().st_mtime > _DAY
    except FileNotFoundError:
        return False


def is_alive(pid: int) -> bool:
    """Whether there is such a process here; it may be another one than was meant, if that ended long ago."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
