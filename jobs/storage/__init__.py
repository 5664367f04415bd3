"""Where a job's bytes live: local folders and S3 behind one small protocol."""

from collections.abc import Iterator
from typing import Protocol

from jobs.errors import StorageError
from jobs.storage import local
from jobs.storage.uris import check_key, local_path, resolve_uri, scheme, split_s3

__all__ = ["Store", "check_key", "open_store", "read_uri", "resolve_uri"]


class Store(Protocol):
    """Objects under one root (a folder or an s3:// prefix), named by relative keys such as 'images/a.png'.

    Every method may be called from many threads. A store can be pickled; it holds no connection. Every method
    raises `StorageError` if the store cannot be reached or refuses, or if the key is one that `check_key` refuses.
    """

    @property
    def uri(self) -> str:
        """The root, for messages and records; `open_store` of it gives the same store on any machine."""

    def read(self, key: str) -> bytes:
        """Return the object; `NotFoundInStoreError` if it is absent."""

    def write(self, key: str, data: bytes) -> None:
        """Overwrite atomically: readers see the old or the new bytes, never a mixture."""

    def create(self, key: str, data: bytes) -> bool:
        """Create atomically: of many racers one wins. This is the commit.

        True means that the object now holds exactly `data`. It may have been an earlier attempt of this very call
        that wrote it, its answer lost on the way; so whoever must know that it was itself that won puts something
        of its own, such as an attempt's id, into `data`.
        """

    def exists(self, key: str) -> bool:
        """Say whether the object is there."""

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the keys that start with `prefix` ('' for all) in no promised order, never a temporary."""

    def delete(self, key: str) -> None:
        """Remove the object; an absent one is fine."""

    def check(self) -> None:
        """Prove by trying that objects can be written and listed, and that a second create is refused."""

    def sweep(self) -> int:
        """Remove temporaries that killed processes left behind and return how many; S3 has none."""


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


def read_uri(uri: str) -> bytes:
    """Read a picture or a manifest from anywhere: a local path, file:// or s3://.

    Raises:
        NotFoundInStoreError: there is no such file or object.
        StorageError: it cannot be read; the message says why.
    """
    if scheme(uri) == "s3":
        from jobs.storage import s3

        bucket, key = split_s3(uri)
        if not key:
            raise StorageError(f"{uri} names a bucket, not an object; write s3://bucket/key")
        return s3.read_object(bucket, key)
    return local.read_file(local_path(uri))
