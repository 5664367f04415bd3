"""A store on S3, or on anything that speaks its protocol and enforces conditional writes."""

import os
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import boto3
from botocore import exceptions as boto_errors
from botocore.config import Config

from jobs.errors import NotFoundInStoreError, StorageError
from jobs.storage.uris import TEMPORARIES, check_key, check_prefix

_ATTEMPTS = 8
_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
    connect_timeout=10,  # seconds
    read_timeout=60,
    tcp_keepalive=True,
    max_pool_connections=64,
)  # addressing stays automatic: botocore puts the bucket into the path once an endpoint URL is configured

_UNDECIDED = {"ConditionalRequestConflict", "OperationAborted"}
_ABSENT = {"NoSuchKey", "404"}
_REFUSED = {"AccessDenied", "AllAccessDisabled", "403"}
_BAD_CREDENTIALS = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"}
_OTHER_REGION = {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"}
_NO_CREDENTIALS = (
    boto_errors.NoCredentialsError,
    boto_errors.PartialCredentialsError,
    boto_errors.CredentialRetrievalError,
    boto_errors.TokenRetrievalError,
    boto_errors.SSOError,
)
_DAMAGED = (
    boto_errors.IncompleteReadError,
    boto_errors.ResponseStreamingError,
    boto_errors.FlexibleChecksumError,
)
_UNREACHABLE = (boto_errors.ConnectionError, boto_errors.HTTPClientError)
_CHECK_CREDENTIALS = (
    "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN if they are temporary), "
    "or give the machine a role, on every node"
)

_creating_client = threading.Lock()


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
        """Overwrite atomically, as every PUT does."""
        name = self._name(key)
        with _plain_errors("s3:PutObject", self.bucket, name):
            _client().put_object(Bucket=self.bucket, Key=name, Body=data)

    def create(self, key: str, data: bytes) -> bool:
        """Create atomically with a conditional PUT; True if the object now holds exactly `data`."""
        return _create(self.bucket, self._name(key), data)

    def exists(self, key: str) -> bool:
        """Say whether the object is there."""
        return _is_there(self.bucket, self._name(key))

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the keys that start with `prefix`."""
        temporaries = self.prefix + TEMPORARIES + "/"
        start = self.prefix + check_prefix(prefix)
        with _plain_errors("s3:ListBucket", self.bucket, start):
            for page in _client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=start):
                for entry in page.get("Contents", ()):
                    name: str = entry["Key"]
                    # Consoles mark folders by objects whose names end in a slash.
                    if not name.startswith(temporaries) and not name.endswith("/"):
                        yield name[len(self.prefix) :]

    def delete(self, key: str) -> None:
        """Remove the object; an absent one is fine."""
        _delete(self.bucket, self._name(key))

    def check(self) -> None:
        """Prove by trying that objects can be written and listed, and that a second create is refused."""
        probe = f"{self.prefix}{TEMPORARIES}/probe-{uuid4().hex}"
        created = _create(self.bucket, probe, b"first")
        refused = not _create(self.bucket, probe, b"second")
        _delete(self.bucket, probe)
        if not (created and refused):
            raise StorageError(
                f"{self.uri}: this store ignores conditional writes (If-None-Match), so two workers could commit the "
                "same shard; use a store that enforces them, such as Amazon S3, or a local folder"
            )
        next(self.list(""), None)

    def sweep(self) -> int:
        """Do nothing: an unfinished PUT leaves nothing behind."""
        return 0

    def _name(self, key: str) -> str:
        return self.prefix + check_key(key)


def read_object(bucket: str, name: str) -> bytes:
    """Read a whole object.

    Raises:
        NotFoundInStoreError: there is no such object.
        StorageError: it cannot be read.
    """
    with _plain_errors("s3:GetObject", bucket, name):
        data: bytes = _client().get_object(Bucket=bucket, Key=name)["Body"].read()
        return data


def _is_there(bucket: str, name: str) -> bool:
    """Ask for the first byte. HEAD would not do: its answer has no body that tells a missing bucket from an object."""
    try:
        with _plain_errors("s3:GetObject", bucket, name):
            try:
                _client().get_object(Bucket=bucket, Key=name, Range="bytes=0-0")["Body"].read()
            except boto_errors.ClientError as error:
                if error.response["Error"]["Code"] != "InvalidRange":  # it is empty
                    raise
    except NotFoundInStoreError:
        return False
    return True


def _create(bucket: str, name: str, data: bytes) -> bool:
    with _plain_errors("s3:PutObject", bucket, name):
        try:
            _client().put_object(Bucket=bucket, Key=name, Body=data, IfNoneMatch="*")
            return True
        except boto_errors.ClientError as error:
            if error.response["Error"]["Code"] not in ("PreconditionFailed", "412"):
                raise
    # The object that is in the way may be ours: botocore sends a PUT again when its answer was lost.
    try:
        return read_object(bucket, name) == data
    except NotFoundInStoreError:  # deleted since
        return False


def _delete(bucket: str, name: str) -> None:
    with _plain_errors("s3:DeleteObject", bucket, name):
        _client().delete_object(Bucket=bucket, Key=name)


def _client() -> Any:
    """Return this process's client for the AWS settings in its environment; threads share it."""
    settings = tuple(sorted(item for item in os.environ.items() if item[0].startswith("AWS_")))
    with _creating_client:
        return _new_client(os.getpid(), settings)


@lru_cache(maxsize=4)
def _new_client(_pid: int, _settings: tuple[tuple[str, str], ...]) -> Any:
    """Make a client. The arguments only tell clients apart: connections must not survive a fork."""
    session = boto3.Session()
    try:
        client = session.client("s3", region_name=session.region_name or "us-east-1", config=_CONFIG)
    except ValueError:
        raise StorageError("the configured S3 endpoint is not a URL; write http://host:port or https://…") from None
    client.meta.events.register("needs-retry.s3.PutObject", _retry_undecided)
    return client


def _retry_undecided(response: tuple[Any, dict[str, Any]] | None, attempts: int, **_: object) -> float | None:
    """Have botocore send a conditional PUT again that S3 could not decide (409), after the returned seconds.

    S3 answers so while another request for the same key is under way, and asks for the upload to be repeated;
    botocore's own rules leave 409 alone. For every other answer None hands the question on to them.
    """
    if response is None or response[1].get("Error", {}).get("Code") not in _UNDECIDED or attempts >= _ATTEMPTS:
        return None
    return random.uniform(0, 0.1 * 2**attempts)  # noqa: S311 (jitter, not a secret)


@contextmanager
def _plain_errors(permission: str, bucket: str, name: str) -> Iterator[None]:
    """Turn what botocore says into a `StorageError` in plain words.

    The original is left out, text and chain: botocore quotes headers, proxies and credential helpers in some.
    """
    uri = f"s3://{bucket}/{name}"
    try:
        yield
    except boto_errors.ClientError as error:
        raise _explain_refusal(error.response.get("Error", {}), permission, bucket, uri) from None
    except boto_errors.BotoCoreError as error:
        raise StorageError(_explain_failure(error, permission, uri)) from None


def _explain_refusal(refusal: dict[str, str], permission: str, bucket: str, uri: str) -> StorageError:
    """Explain the error that the store answered with."""
    code, words = refusal.get("Code", "unknown error"), refusal.get("Message", "")
    if code in _ABSENT:
        return NotFoundInStoreError(f"{uri} does not exist")
    if code == "NoSuchBucket":
        return StorageError(
            f"the bucket {bucket!r} does not exist at {_endpoint()}; create it or correct the URI {uri}"
        )
    if code in _REFUSED:
        return StorageError(
            f"access denied: {permission} on {uri}. Grant it to the job's credentials; s3:ListBucket too, without "
            f"which S3 denies access to whatever does not exist. The store says: {words}"
        )
    if code in _BAD_CREDENTIALS:
        return StorageError(f"{_endpoint()} does not accept the credentials ({code}); {_CHECK_CREDENTIALS}")
    if code in _OTHER_REGION:
        return StorageError(f"the bucket {bucket!r} is in another region ({code}); set AWS_DEFAULT_REGION to it")
    return StorageError(f"{permission} on {uri} failed: {code}: {words}")


def _explain_failure(error: boto_errors.BotoCoreError, permission: str, uri: str) -> str:  # noqa: PLR0911 (one per cause)
    """Explain why there was no answer, or none that could be used."""
    kind = type(error).__name__
    if isinstance(error, _NO_CREDENTIALS):
        return f"no usable AWS credentials ({kind}); {_CHECK_CREDENTIALS}"
    if isinstance(error, boto_errors.ProfileNotFound):
        return f"{error}; correct AWS_PROFILE or configure the profile on every node"
    if isinstance(error, boto_errors.ParamValidationError):
        return f"{uri} is not a valid S3 URI: check the name of the bucket"
    if isinstance(error, _DAMAGED):
        return f"{uri} arrived incomplete or damaged ({kind}); try again"
    if type(error) is boto_errors.HTTPClientError:  # its subclasses are about the connection
        return f"no request to {_endpoint()} can be made; look for line ends in the AWS credentials"
    if isinstance(error, _UNREACHABLE):
        return f"cannot reach {_endpoint()} ({kind}); check AWS_ENDPOINT_URL_S3, AWS_DEFAULT_REGION and the network"
    return f"{permission} on {uri} failed ({kind}); check the AWS settings of this machine"


def _endpoint() -> str:
    """Return where the client connects to, without any user name or password."""
    endpoint: str = _client().meta.endpoint_url
    parts = urlsplit(endpoint)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
