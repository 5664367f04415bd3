"""A store on S3, or on anything that speaks its protocol and enforces conditional writes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path
from uuid import uuid4

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from jobs.errors import NotFoundInStoreError, StorageError, TooLargeError
from jobs.storage.s3_client import client
from jobs.storage.s3_errors import code_of, plain_errors
from jobs.storage.uris import TEMPORARIES, check_key, check_prefix, too_large

_LARGE = 64 << 20  # bytes; what is larger goes in parts, of which a break costs one
_IN_PARTS = TransferConfig(
    multipart_threshold=_LARGE,
    multipart_chunksize=16 << 20,
    max_concurrency=4,  # of each transfer, beside the threads of the caller
    preferred_transfer_client="classic",  # the other one knows nothing of our client and its retries
)
_ABANDONED = timedelta(days=1)
_PROBED = timedelta(minutes=1)
_CONDITION_FAILED = {"PreconditionFailed", "412", "NoSuchKey"}  # the last when what is to match is gone
_NO_MULTIPARTS = {"NotImplemented", "501", "MethodNotAllowed", "405", "AccessDenied"}


@dataclass(frozen=True)
class S3Store:
    """The store below `prefix` ('' or ending in '/') of `bucket`. `Store` says what the methods do."""

    bucket: str
    prefix: str

    @property
    def uri(self) -> str:
        """'s3://bucket/prefix'."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def read(self, key: str) -> bytes:
        """Return the object; `NotFoundInStoreError` if it is absent."""
        return read_object(self.bucket, self._name(key))

    def write(self, key: str, data: bytes) -> None:
        """Overwrite atomically, as every PUT does, and every upload in parts when it is completed."""
        name = self._name(key)
        with plain_errors("s3:PutObject", self.bucket, name):
            if len(data) > _LARGE:
                client().upload_fileobj(BytesIO(data), self.bucket, name, Config=_IN_PARTS)
            else:
                client().put_object(Bucket=self.bucket, Key=name, Body=data)

    def write_file(self, key: str, file: Path) -> None:
        """Overwrite atomically with the bytes of a file."""
        put_file(file, self.bucket, self._name(key))

    def create(self, key: str, data: bytes) -> bool:
        """Create atomically with a conditional PUT; True if the object now holds exactly `data`."""
        return _put_if(self.bucket, self._name(key), data, IfNoneMatch="*")

    def replace(self, key: str, data: bytes, expected: bytes) -> bool:
        """Compare and swap, with a PUT on the condition that the object is still the one that was compared."""
        name = self._name(key)
        try:
            held, etag = _get(self.bucket, name)
        except NotFoundInStoreError:
            return False
        if held != expected:
            return held == data
        return _put_if(self.bucket, name, data, IfMatch=etag)

    def exists(self, key: str) -> bool:
        """Say whether the object is there."""
        try:
            _look_for(self.bucket, self._name(key))
        except NotFoundInStoreError:
            return False
        return True

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the keys that start with `prefix`."""
        temporaries = self.prefix + TEMPORARIES + "/"
        start = self.prefix + check_prefix(prefix)
        with plain_errors("s3:ListBucket", self.bucket, start):
            for page in client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=start):
                for entry in page.get("Contents", ()):
                    name: str = entry["Key"]
                    # Consoles mark folders by objects whose names end in a slash.
                    if not name.startswith(temporaries) and not name.endswith("/"):
                        yield name[len(self.prefix) :]

    def delete(self, key: str) -> None:
        """Remove the object; an absent one is fine."""
        _delete(self.bucket, self._name(key))

    def check(self) -> None:
        """Prove by trying that objects can be written and listed, and that conditional writes are conditional."""
        probe = f"{self.prefix}{TEMPORARIES}/probe-{uuid4().hex}"
        created = _put_if(self.bucket, probe, b"first", IfNoneMatch="*")
        created_twice = _put_if(self.bucket, probe, b"second", IfNoneMatch="*")
        etag = _get(self.bucket, probe)[1]
        replaced = _put_if(self.bucket, probe, b"third", IfMatch=etag)
        replaced_twice = _put_if(self.bucket, probe, b"fourth", IfMatch=etag)
        _delete(self.bucket, probe)
        if not created or created_twice or not replaced or replaced_twice:
            raise StorageError(
                f"{self.uri}: this store ignores conditional writes (If-None-Match, If-Match), so two workers could "
                "commit the same shard; use a store that enforces them, such as Amazon S3, or a local folder"
            )
        next(self.list(""), None)

    def sweep(self) -> int:
        """Abort the uploads in parts that nobody has completed for a day, and remove the probes of dead processes."""
        return self._abort_uploads() + self._remove_probes()

    def _abort_uploads(self) -> int:
        latest, aborted = datetime.now(timezone.utc) - _ABANDONED, 0
        with plain_errors("s3:ListBucketMultipartUploads", self.bucket, self.prefix):
            try:
                pages = client().get_paginator("list_multipart_uploads")
                for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix):
                    for upload in page.get("Uploads", ()):
                        if upload["Initiated"] <= latest:
                            client().abort_multipart_upload(
                                Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                            )
                            aborted += 1
            except ClientError as error:
                if code_of(error) not in _NO_MULTIPARTS | {"NoSuchUpload"}:  # the last: it was completed meanwhile
                    raise
        return aborted

    def _remove_probes(self) -> int:
        probes = f"{self.prefix}{TEMPORARIES}/"
        latest = datetime.now(timezone.utc) - _PROBED  # a `check` that is going on must keep its own
        with plain_errors("s3:ListBucket", self.bucket, probes):
            pages = client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=probes)
            old = [
                entry["Key"] for page in pages for entry in page.get("Contents", ()) if entry["LastModified"] <= latest
            ]
        for name in old:
            _delete(self.bucket, name)
        return len(old)

    def _name(self, key: str) -> str:
        return self.prefix + check_key(key)


def read_object(bucket: str, name: str, most_bytes: int | None = None) -> bytes:
    """Read a whole object.

    Raises:
        NotFoundInStoreError: there is no such object.
        StorageError: it cannot be read, or is larger than `most_bytes`, of which then none is read.
    """
    return _get(bucket, name, most_bytes)[0]


def read_start(bucket: str, name: str, most_bytes: int) -> bytes:
    """Read the first bytes of an object; raises as `read_object`."""
    with plain_errors("s3:GetObject", bucket, name):
        try:
            body: bytes = client().get_object(Bucket=bucket, Key=name, Range=f"bytes=0-{most_bytes - 1}")["Body"].read()
            return body
        except ClientError as error:
            if code_of(error) != "InvalidRange":  # it is empty
                raise
            return b""


def put_file(path: Path, bucket: str, name: str) -> None:
    """Overwrite an object with the bytes of a file, in parts if it is large; it changes when all are there.

    Raises:
        StorageError: it cannot be written.
    """
    with plain_errors("s3:PutObject", bucket, name):
        client().upload_file(str(path), bucket, name, Config=_IN_PARTS)


def copy_object(bucket: str, name: str, path: Path) -> None:
    """Copy an object of any size to a file, a few parts of it in memory at a time.

    Raises:
        NotFoundInStoreError: there is no such object.
        StorageError: it cannot be read.
        OSError: the file cannot be written.
    """
    _look_for(bucket, name)  # boto3 would begin with a HEAD, whose answers say little about what is wrong
    with plain_errors("s3:GetObject", bucket, name):
        client().download_file(bucket, name, str(path), Config=_IN_PARTS)


def _get(bucket: str, name: str, most_bytes: int | None = None) -> tuple[bytes, str]:
    """Return an object and its ETag."""
    with plain_errors("s3:GetObject", bucket, name):
        response = client().get_object(Bucket=bucket, Key=name, MostBytes=most_bytes)
        size = response.get("ContentLength", 0)
        if most_bytes is not None and size > most_bytes:
            response["Body"].close()
            raise TooLargeError(too_large(f"s3://{bucket}/{name}", size, most_bytes))
        return response["Body"].read(), response["ETag"]


def _look_for(bucket: str, name: str) -> None:
    """Ask for the first byte. HEAD would not do: its answer has no body that tells a missing bucket from an object."""
    read_start(bucket, name, 1)


def _put_if(bucket: str, name: str, data: bytes, **condition: str) -> bool:
    """PUT on a condition (IfNoneMatch='*' or IfMatch=etag); True if the object now holds exactly `data`."""
    with plain_errors("s3:PutObject", bucket, name):
        try:
            client().put_object(Bucket=bucket, Key=name, Body=data, **condition)
            return True
        except ClientError as error:
            if code_of(error) not in _CONDITION_FAILED:
                raise
    # The object that is in the way may be ours: botocore sends a PUT again when its answer was lost.
    try:
        return read_object(bucket, name) == data
    except NotFoundInStoreError:  # deleted since
        return False


def _delete(bucket: str, name: str) -> None:
    with plain_errors("s3:DeleteObject", bucket, name):
        client().delete_object(Bucket=bucket, Key=name)
