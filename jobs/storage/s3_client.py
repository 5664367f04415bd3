"""The S3 client of this process: settings, retries, and what botocore is taught about damaged answers."""

import os
import threading
from functools import lru_cache
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from urllib3.exceptions import HTTPError

from jobs.errors import CredentialsError

DAMAGED = "DamagedAnswer"  # the error code of an answer that arrived incomplete or altered, every time
UNDECIDED = {"ConditionalRequestConflict", "OperationAborted"}

_ATTEMPTS = 8
_CONNECT_SECONDS = 10  # and for each 128 KiB of a body that is sent, as urllib3 has it, so no shorter
_READ_SECONDS = 20  # without a byte; a store so slow is stuck, and a stall of a few seconds costs no second request
_creating = threading.Lock()


def client() -> Any:
    """Return this process's client for the AWS settings in its environment; threads share it."""
    settings = hash(tuple(sorted(item for item in os.environ.items() if item[0].startswith("AWS_"))))
    with _creating:
        return _new_client(os.getpid(), settings)


def endpoint() -> str:
    """Return where the client connects to, without any user name or password."""
    url: str = client().meta.endpoint_url
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


@lru_cache(maxsize=4)
def _new_client(_pid: int, _settings: int) -> Any:
    """Make a client. The arguments only tell clients apart: connections must not survive a fork."""
    session = boto3.Session()
    try:
        made = session.client("s3", region_name=session.region_name or "us-east-1", config=_config())
    except ValueError:
        raise CredentialsError(
            "the AWS settings cannot be used: the endpoint must be a URL (http://host:port or https://…) and "
            "AWS_MAX_ATTEMPTS, if set, a whole number"
        ) from None
    # All four come before botocore's own handlers of these events, which then see what is left here.
    made.meta.events.register("provide-client-params.s3.GetObject", _take_most_bytes)
    made.meta.events.register("before-parse.s3", _refuse_cut_answer)
    made.meta.events.register("needs-retry.s3.GetObject", _read_body)
    made.meta.events.register("needs-retry.s3.PutObject", _repeat_undecided)
    return made


def _config() -> Config:
    """Return what is not left to the usual AWS environment and configuration files.

    Retries are 'standard', not 'adaptive': that mode slows all requests of a client down for each SlowDown. Where one
    request in a hundred was answered so, 16 threads got 39 requests a second through, and 370 in this mode, which is
    what they got with no error at all.
    """
    retries: dict[str, Any] = {}
    if "AWS_RETRY_MODE" not in os.environ:
        retries["mode"] = "standard"
    if "AWS_MAX_ATTEMPTS" not in os.environ:
        retries["total_max_attempts"] = _ATTEMPTS
    anonymous = os.environ.get("AWS_NO_SIGN_REQUEST", "").lower() in ("1", "true", "yes")
    return Config(
        retries=retries,
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        tcp_keepalive=True,
        max_pool_connections=64,  # more threads than a worker has: none waits, or throws a connection away
        signature_version=UNSIGNED if anonymous else None,
    )  # addressing stays automatic: botocore puts the bucket into the path once an endpoint URL is configured


def _take_most_bytes(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    """Let `get_object` take MostBytes: the body of a larger object is handed on unread."""
    context["most_bytes"] = params.pop("MostBytes", None)


def _refuse_cut_answer(operation_model: Any, response_dict: dict[str, Any], **_: object) -> None:
    """Have botocore repeat a request whose answer is shorter than announced, or it would take half of it for all.

    A listing of nothing, say, where the connection broke off, or a missing object where the bucket is missing.
    """
    body, headers = response_dict["body"], response_dict["headers"]
    method, length = operation_model.http["method"], headers.get("Content-Length")
    if not isinstance(body, bytes) or method == "HEAD":
        return
    unframed = length is None and method == "GET" and not _is_chunked(headers)
    if unframed or (length is not None and len(body) != int(length)):
        response_dict["status_code"] = 503
        response_dict["body"] = f"<Error><Code>{DAMAGED}</Code><Message/></Error>".encode()


def _read_body(response: tuple[Any, dict[str, Any]] | None, request_dict: dict[str, Any], **_: object) -> None:
    """Read an object's body while botocore can still repeat the request; it would hand it on unread.

    What is read is complete: as long as announced, or framed in chunks, and matches the checksum if there is one.
    """
    if response is None or "Body" not in response[1]:
        return
    http, parsed = response
    length, most = parsed.get("ContentLength"), request_dict["context"].get("most_bytes")
    if length is not None and most is not None and length > most:
        return
    if length is None and not _is_chunked(http.headers):
        _reject(response, DAMAGED)  # nothing would tell its end from a break
        return
    try:
        parsed["Body"] = BytesIO(parsed["Body"].read())
    except (BotoCoreError, HTTPError, OSError):
        _reject(response, DAMAGED)


def _repeat_undecided(response: tuple[Any, dict[str, Any]] | None, **_: object) -> None:
    """Have botocore repeat a conditional PUT that S3 could not decide (409); its own rules leave it alone.

    S3 answers so while another request for the same key is under way, and asks for the upload to be repeated.
    """
    code = "" if response is None else response[1].get("Error", {}).get("Code", "")
    if response is not None and code in UNDECIDED:
        _reject(response, code)


def _reject(response: tuple[Any, dict[str, Any]], code: str) -> None:
    """Make an answer one that botocore's retries, whatever their mode, take for a failure of the server."""
    http, parsed = response
    http.status_code = parsed["ResponseMetadata"]["HTTPStatusCode"] = 503
    parsed["Error"] = {"Code": code, "Message": ""}


def _is_chunked(headers: Any) -> bool:
    return "chunked" in headers.get("Transfer-Encoding", "")
