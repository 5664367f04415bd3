"""Where a job's bytes live: local folders and S3 behind one small protocol."""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol
from uuid import uuid4

from jobs.errors import StorageError
from jobs.storage import local
from jobs.storage.allowed import check_allowed
from jobs.storage.uris import check_key, local_path, resolve_uri, scheme, shown, split_s3

__all__ = [
    "Store", "check_allowed", "check_key", "copy_from_file", "copy_to_file", "open_store", "read_start", "read_uri",
    "resolve_uri",
]  # fmt: skip


class Store(Protocol):
    """Objects under one root (a folder or an s3:// prefix), named by relative keys such as 'images/a.png'.

    Every method may be called from many threads. A store can be pickled; it holds no connection. Every method raises
    `StorageUnavailableError` if the store does not answer, or not properly, however often it is asked;
    `CredentialsError` if it does not accept who asks; and another `StorageError` if it refuses for good, or if the
    key is one that `check_key` refuses. Whatever failed may be called again, even if it was done after all.
    """

    @property
    def uri(self) -> str:
        """The root, for messages and records; `open_store` of it gives the same store on any machine."""

    def read(self, key: str) -> bytes:
        """Return the object; `NotFoundInStoreError` if it is absent."""

    def write(self, key: str, data: bytes) -> None:
        """Overwrite atomically: readers see the old or the new bytes, never a mixture."""

    def write_file(self, key: str, file: Path) -> None:
        """As `write`, with the bytes of a local file, streamed whatever their size."""

    def create(self, key: str, data: bytes) -> bool:
        """Create atomically: of many racers one wins. This is the commit.

        True means that the object now holds exactly `data`. It may have been an earlier attempt of this very call
        that wrote it, its answer lost on the way; so whoever must know that it was itself that won puts something
        of its own, such as an attempt's id, into `data`.
        """

    def replace(self, key: str, data: bytes, expected: bytes) -> bool:
        """Overwrite if the object holds exactly `expected`: of many racers one wins. False if there is no object.

        As with `create`, True means that the object now holds exactly `data`. Objects that are replaced are not to
        be written or deleted at the same time: a local folder notices the other racers, and not those.
        """

    def exists(self, key: str) -> bool:
        """Say whether the object is there."""

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the keys that start with `prefix` ('' for all) in no promised order, never a temporary."""

    def delete(self, key: str) -> None:
        """Remove the object; an absent one is fine."""

    def check(self) -> None:
        """Prove by trying that objects can be written and listed, and that conditional writes are conditional."""

    def sweep(self) -> int:
        """Remove what killed processes left behind, temporaries and half an upload, and return how many."""


def open_store(uri: str) -> Store:
    """Open the folder or S3 prefix at `uri` ('s3://bucket/prefix', 'file:///path' or a path); contacts nothing yet.

    Raises:
        StorageError: the URI names no place that is supported.
    """
    if scheme(uri) == "s3":
        from jobs.storage.s3 import S3Store  # local jobs do without boto3

        bucket, prefix = split_s3(uri)
        prefix = prefix.rstrip("/")
        return S3Store(bucket, f"{check_key(prefix)}/" if prefix else "")
    return local.LocalStore(local_path(uri).absolute())


def read_uri(uri: str, *, most_bytes: int | None = None, allowed: Sequence[str] = ()) -> bytes:
    """Read a picture or a manifest from anywhere: a local path, file:// or s3://.

    Args:
        uri: what to read.
        most_bytes: if it is larger, it is refused before any of it is read.
        allowed: see `check_allowed`.

    Raises:
        NotFoundInStoreError: there is no such file or object.
        StorageError: it cannot be read, or is refused; the message says why.
    """
    check_allowed(uri, allowed)
    if scheme(uri) == "s3":
        from jobs.storage import s3

        return s3.read_object(*_split_object(uri), most_bytes)
    return local.read_file(local_path(uri), most_bytes)


def read_start(uri: str, most_bytes: int, *, allowed: Sequence[str] = ()) -> bytes:
    """Read the first `most_bytes` of what is anywhere, or all if it has fewer.

    Raises:
        NotFoundInStoreError: there is no such file or object.
        StorageError: it cannot be read, or is refused; the message says why.
    """
    check_allowed(uri, allowed)
    if scheme(uri) == "s3":
        from jobs.storage import s3

        return s3.read_start(*_split_object(uri), most_bytes)
    return local.read_start(local_path(uri), most_bytes)


def copy_to_file(uri: str, folder: Path) -> Path:
    """Return a local file with the bytes at `uri`: a local file as it is, an object copied into `folder`.

    The copy has a new name with the suffix of the object's; it is streamed, whatever its size.

    Raises:
        NotFoundInStoreError: there is no such file or object.
        StorageError: it cannot be read, or the copy not be written; the message says why.
    """
    if scheme(uri) != "s3":
        local.check_file(path := local_path(uri))
        return path
    from jobs.storage import s3

    bucket, name = _split_object(uri)
    copy = folder / f"{uuid4().hex}{PurePosixPath(name).suffix}"
    with local.plain_errors("write", copy):
        s3.copy_object(bucket, name, copy)
    return copy


def copy_from_file(file: Path, uri: str) -> None:
    """Put the bytes of a local file at `uri`: readers see what was there or all that is new, never a mixture.

    They are streamed, whatever their size.

    Raises:
        StorageError: it cannot be written; the message says why.
    """
    if scheme(uri) != "s3":
        local.put_file(file, local_path(uri))
        return
    from jobs.storage import s3

    s3.put_file(file, *_split_object(uri))


def _split_object(uri: str) -> tuple[str, str]:
    bucket, key = split_s3(uri)
    if not key:
        raise StorageError(f"{shown(uri)} names a bucket, not an object; write s3://bucket/key")
    return bucket, key
