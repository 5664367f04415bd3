"""A store on a real S3 server: what is there, what is refused, and in which words."""

import logging
import os
import pickle
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

import jobs.errors
from jobs.benchmark.seaweed import S3Server
from jobs.errors import CredentialsError, JobError, NotFoundInStoreError, StorageError, StorageUnavailableError
from jobs.storage import Store, copy_to_file, open_store, read_uri, s3_client
from jobs.storage import s3 as s3_module
from jobs.storage.s3 import S3Store
from tests.jobs.storage.relay import Exchange, Relay

pytestmark = pytest.mark.slow


def test_s3_objects_lie_below_the_prefix(s3: S3Server):
    bucket = s3.bucket()
    client = s3.client()
    for name in ("elsewhere", "out/b", "out-of-it/c", "out/folder/", "out/.partial/probe-1"):
        client.put_object(Bucket=bucket, Key=name, Body=b"")
    store = open_store(f"s3://{bucket}/out")
    store.write("a", b"mine")
    assert client.get_object(Bucket=bucket, Key="out/a")["Body"].read() == b"mine"
    assert sorted(store.list("")) == ["a", "b"]
    assert store.uri == f"s3://{bucket}/out"
    assert read_uri(f"s3://{bucket}/out/a") == b"mine"
    assert sorted(open_store(f"s3://{bucket}").list("out/")) == ["out/.partial/probe-1", "out/a", "out/b"]


def test_lists_longer_than_a_page(s3_store: S3Store):
    keys = [f"{n:04}" for n in range(1005)]  # S3 gives 1000 names a page
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda key: s3_store.write(key, b""), keys))
    assert sorted(s3_store.list("")) == keys


def test_large_objects_go_in_parts(s3: S3Server, s3_store: S3Store, tmp_path: Path):
    data = os.urandom(70_000_000)
    s3_store.write("large", data)
    found = s3.client().get_object(Bucket=s3_store.bucket, Key=f"{s3_store.prefix}large")
    assert found["ETag"].strip('"').endswith("-5")
    assert found["Body"].read() == data
    assert s3_store.read("large") == data
    # What was uploaded in parts can be replaced, too, and a large object on a condition.
    assert s3_store.replace("large", data[1:], data)
    assert s3_store.create("other", data)
    assert not s3_store.create("other", data[1:])
    assert s3_store.read("large") == data[1:]
    assert copy_to_file(f"{s3_store.uri}/other", tmp_path).read_bytes() == data


def test_sweep_removes_the_probes_of_dead_processes_only(s3: S3Server, monkeypatch: pytest.MonkeyPatch):
    store = S3Store(s3.bucket(), "run/")
    store.write("images/a.png", b"picture")
    s3.client().put_object(Bucket=store.bucket, Key="run/.partial/probe-1", Body=b"first")
    assert store.sweep() == 0  # it may be in use
    monkeypatch.setattr(s3_module, "_PROBED", timedelta(0))
    assert store.sweep() == 1
    left = s3.client().list_objects_v2(Bucket=store.bucket)["Contents"]
    assert [entry["Key"] for entry in left] == ["run/images/a.png"]


def test_sweep_aborts_abandoned_uploads(s3: S3Server, monkeypatch: pytest.MonkeyPatch):
    bucket, client = s3.bucket(), s3.client()
    for name in ("out/images/a.png", "out/images/b.png", "out-of-it/c", "elsewhere"):
        upload = client.create_multipart_upload(Bucket=bucket, Key=name)["UploadId"]
        client.upload_part(Bucket=bucket, Key=name, UploadId=upload, PartNumber=1, Body=b"x")

    def uploads() -> set[str]:
        return {upload["Key"] for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", ())}

    store = open_store(f"s3://{bucket}/out")
    before = uploads()
    assert store.sweep() == 0  # none is a day old
    assert uploads() == before
    monkeypatch.setattr(s3_module, "_ABANDONED", timedelta(0))
    assert store.sweep() == 2
    assert uploads() == {"out-of-it/c", "elsewhere"}
    assert store.sweep() == 0


@pytest.mark.parametrize(
    ("status", "code"), [(501, "NotImplemented"), (405, "MethodNotAllowed"), (403, "AccessDenied")]
)
def test_sweep_where_uploads_cannot_be_listed(s3_store: S3Store, relay: Relay, status: int, code: str):
    def refuse(exchange: Exchange) -> None:
        if "uploads" in exchange.path:
            exchange.refuse(status, code)
        else:
            exchange.forward()

    relay.change = refuse
    assert s3_store.sweep() == 0


def everything(store: Store) -> list[Callable[[], object]]:
    return [
        lambda: store.read("a"), lambda: store.write("a", b""), lambda: store.create("a", b""),
        lambda: store.replace("a", b"", b""), lambda: store.exists("a"), lambda: list(store.list("")),
        lambda: store.delete("a"), store.check, store.sweep, lambda: store.write("a", bytes(65 << 20)),
        lambda: read_uri(f"{store.uri}/a"), lambda: copy_to_file(f"{store.uri}/a", Path("/nowhere")),
    ]  # fmt: skip


def refusal(call: Callable[[], object], kind: type[StorageError] = StorageError) -> str:
    """The message of the error of exactly this kind, once it is certain that no part of it shows a secret."""
    with pytest.raises(StorageError) as caught:
        call()
    error = caught.value
    assert type(error) is kind
    shown = "".join(traceback.format_exception(error)).encode() + pickle.dumps(error)
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID"):
        assert os.environ.get(name, "no such variable").strip().encode() not in shown
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert str(copy) == str(error)
    return str(error)


def test_every_error_travels():
    kinds = [kind for kind in vars(jobs.errors).values() if isinstance(kind, type) and issubclass(kind, JobError)]
    assert len(kinds) >= 7
    for kind in kinds:
        copy = pickle.loads(pickle.dumps(kind("what is wrong, and the way out")))
        assert type(copy) is kind
        assert str(copy) == "what is wrong, and the way out"


def test_a_missing_bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch):
    for call in everything(open_store("s3://no-such-bucket/out")):
        message = refusal(call)
        assert f"'no-such-bucket' does not exist at {s3.endpoint_url}; create it" in message


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("AWS_SECRET_ACCESS_KEY", "wrong-secret-0123456789", "SignatureDoesNotMatch"),
        ("AWS_ACCESS_KEY_ID", "wrong-key-0123456789", "InvalidAccessKeyId"),
    ],
)
def test_wrong_credentials(s3_store: S3Store, monkeypatch: pytest.MonkeyPatch, name: str, value: str, code: str):
    monkeypatch.setenv(name, value)
    for call in everything(s3_store):
        assert f"does not accept the credentials ({code}); set AWS_PROFILE" in refusal(call, CredentialsError)


def test_credentials_that_no_header_can_hold(s3_store: S3Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key-with\nnewline")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    for call in everything(s3_store):
        assert "look for line ends in the AWS credentials" in refusal(call, CredentialsError)


def test_no_credentials(s3_store: S3Store, monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for call in everything(s3_store):
        assert "no usable AWS credentials" in refusal(call, CredentialsError)


def test_half_of_the_credentials(s3_store: S3Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    for call in everything(s3_store):
        assert "no usable AWS credentials" in refusal(call, CredentialsError)


def test_a_profile_that_does_not_exist(s3_store: S3Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    for call in everything(s3_store):
        assert "nobody" in refusal(call, CredentialsError)


def test_a_role_that_cannot_be_had(s3_store: S3Store, relay: Relay, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    config = tmp_path / "config"
    config.write_text(
        "[profile job]\nrole_arn = arn:aws:iam::123456789012:role/job\nsource_profile = base\n"
        "[profile base]\naws_access_key_id = base\naws_secret_access_key = secret-0123456789\n"
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "job")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", relay.endpoint_url)

    def deny(exchange: Exchange) -> None:
        exchange.refuse(403, "AccessDenied")
        exchange.answer = b"<ErrorResponse>" + exchange.answer + b"</ErrorResponse>"  # as this service has it

    relay.change = deny
    assert "AssumeRole failed: AccessDenied" in refusal(lambda: s3_store.read("a"), CredentialsError)


def test_access_denied_names_what_is_missing(s3: S3Server, monkeypatch: pytest.MonkeyPatch):
    bucket = s3.bucket()
    store = open_store(f"s3://{bucket}/out")
    store.write("a", b"mine")
    for name, value in zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), s3.read_only, strict=True):
        monkeypatch.setenv(name, value)
    assert store.read("a") == b"mine"
    assert f"access denied: s3:PutObject on s3://{bucket}/out/b" in refusal(lambda: store.write("b", b""))
    assert f"access denied: s3:PutObject on s3://{bucket}/out/b" in refusal(lambda: store.create("b", b""))
    assert f"access denied: s3:PutObject on s3://{bucket}/out/a" in refusal(lambda: store.replace("a", b"", b"mine"))
    assert f"access denied: s3:DeleteObject on s3://{bucket}/out/a" in refusal(lambda: store.delete("a"))
    assert f"access denied: s3:PutObject on s3://{bucket}/out/" in refusal(store.check)


def test_anonymous_access(s3: S3Server, relay: Relay, monkeypatch: pytest.MonkeyPatch):
    store = S3Store(s3.bucket(), "")
    store.write("a", b"public")
    assert "Authorization" in relay.seen[-1].headers
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for value in ("1", "YES", "true"):
        monkeypatch.setenv("AWS_NO_SIGN_REQUEST", value)
        assert "access denied" in refusal(lambda: store.read("a"))
        assert "Authorization" not in relay.seen[-1].headers
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "no")
    refusal(lambda: store.read("a"), CredentialsError)


@pytest.mark.parametrize(
    ("name", "value", "kind", "message"),
    [
        (
            "AWS_ENDPOINT_URL_S3", "http://user:hidden-password@127.0.0.1:9", StorageUnavailableError,
            "cannot reach http://127.0.0.1:9 ",
        ),
        ("AWS_ENDPOINT_URL_S3", "127.0.0.1:9", CredentialsError, "the endpoint must be a URL"),
        ("AWS_MAX_ATTEMPTS", "many", CredentialsError, "AWS_MAX_ATTEMPTS, if set, a whole number"),
        ("AWS_RETRY_MODE", "eager", CredentialsError, "InvalidRetryModeError"),
    ],
)  # fmt: skip
def test_unusable_settings(
    s3_store: S3Store, monkeypatch: pytest.MonkeyPatch, name: str, value: str, kind: type[StorageError], message: str
):
    monkeypatch.setenv(name, value)
    shown = refusal(lambda: s3_store.read("a"), kind)
    assert message in shown
    assert "hidden" not in shown


def test_retries_are_what_the_environment_says(s3: S3Server, monkeypatch: pytest.MonkeyPatch):
    assert s3_client.client().meta.config.retries == {"mode": "standard", "total_max_attempts": 8}
    monkeypatch.setenv("AWS_RETRY_MODE", "adaptive")
    assert s3_client.client().meta.config.retries == {"mode": "adaptive", "total_max_attempts": 8}
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "3")
    assert s3_client.client().meta.config.retries == {"mode": "adaptive", "total_max_attempts": 3}


def test_our_logs_show_no_secret(s3_store: S3Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch):
    caplog.set_level(logging.DEBUG, logger="jobs")
    caplog.handler.addFilter(lambda record: record.name.split(".")[0] == "jobs")
    logging.getLogger("jobs").debug("here")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "temporary-0123456789")
    for call in everything(s3_store):
        refusal(call, CredentialsError)
    assert "here" in caplog.text
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID"):
        assert os.environ[name] not in caplog.text + repr(s3_store) + repr(vars(s3_store))
        assert os.environ[name].encode() not in pickle.dumps(s3_store)


def test_s3_uris_that_are_no_objects(s3: S3Server):
    with pytest.raises(StorageError, match="names a bucket, not an object"):
        read_uri("s3://bucket")
    with pytest.raises(StorageError, match="not a valid S3 URI"):
        read_uri("s3://a bucket/a")
    with pytest.raises(NotFoundInStoreError, match="nothing does not exist"):
        read_uri(f"s3://{s3.bucket()}/nothing")


# --- what a store may answer ---


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (500, "InternalError", StorageUnavailableError),
        (502, "BadGateway", StorageUnavailableError),
        (503, "ServiceUnavailable", StorageUnavailableError),
        (503, "SlowDown", StorageUnavailableError),
        (504, "GatewayTimeout", StorageUnavailableError),
        (429, "TooManyRequests", StorageUnavailableError),
        (400, "RequestTimeout", StorageUnavailableError),
        (400, "BadDigest", StorageUnavailableError),
        (400, "IncompleteBody", StorageUnavailableError),
        (403, "RequestTimeTooSkewed", StorageUnavailableError),
        (409, "ConditionalRequestConflict", StorageUnavailableError),
        (409, "OperationAborted", StorageUnavailableError),
        (403, "InvalidAccessKeyId", CredentialsError),
        (403, "SignatureDoesNotMatch", CredentialsError),
        (400, "ExpiredToken", CredentialsError),
        (400, "InvalidToken", CredentialsError),
        (403, "AccessDenied", StorageError),
        (404, "NoSuchBucket", StorageError),
        (404, "NoSuchKey", NotFoundInStoreError),
        (405, "MethodNotAllowed", StorageError),
        (400, "EntityTooLarge", StorageError),
        (501, "NotImplemented", StorageError),
        (507, "InsufficientCapacity", StorageUnavailableError),
    ],
)
def test_what_may_pass_is_told_from_what_does_not(
    s3_store: S3Store, relay: Relay, monkeypatch: pytest.MonkeyPatch, status: int, code: str, kind: type[StorageError]
):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    relay.change = lambda exchange: exchange.refuse(status, code)
    refusal(lambda: s3_store.write("a", b""), kind)
    refusal(lambda: s3_store.delete("a"), kind)
    refusal(lambda: s3_store.read("a"), kind)
    refusal(lambda: list(s3_store.list("")), kind)
    if kind is not NotFoundInStoreError:  # which is an answer here
        refusal(lambda: s3_store.create("a", b""), kind)
        refusal(lambda: s3_store.replace("a", b"", b""), kind)
        refusal(lambda: s3_store.exists("a"), kind)


def test_an_undecided_write_is_repeated(s3_store: S3Store, relay: Relay):
    def undecided_at_first(exchange: Exchange) -> None:
        if exchange.method == "PUT" and len(relay.seen) <= 3:
            exchange.refuse(409, "ConditionalRequestConflict")

    relay.change = undecided_at_first
    assert s3_store.create("a", b"mine")
    assert [exchange.method for exchange in relay.seen] == ["PUT"] * 4
    assert not s3_store.create("a", b"yours")
    relay.seen.clear()
    assert s3_store.replace("a", b"new", b"mine")
    assert [exchange.method for exchange in relay.seen] == ["GET"] + ["PUT"] * 3
    assert s3_store.read("a") == b"new"


@pytest.mark.parametrize("condition", ["If-None-Match", "If-Match"])
def test_a_store_that_ignores_conditions_fails_the_check(s3: S3Server, relay: Relay, condition: str):
    def ignore(exchange: Exchange) -> None:
        exchange.forward()
        if exchange.status == 412 and condition in exchange.headers:
            exchange.status, exchange.answer, exchange.answer_headers = 200, b"", {}

    bucket = s3.bucket()
    relay.change = ignore
    with pytest.raises(StorageError, match=r"ignores conditional writes .* use a store that enforces them"):
        open_store(f"s3://{bucket}/out").check()
    assert "Contents" not in s3.client().list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("meanwhile", [None, b"theirs", b"mine"])
def test_what_happens_between_the_comparison_and_the_swap(
    s3: S3Server, s3_store: S3Store, relay: Relay, meanwhile: bytes | None
):
    s3_store.write("a", b"old")
    name = {"Bucket": s3_store.bucket, "Key": f"{s3_store.prefix}a"}

    def interfere(exchange: Exchange) -> None:
        if exchange.method == "PUT" and meanwhile is None:
            s3.client().delete_object(**name)
        elif exchange.method == "PUT":
            s3.client().put_object(**name, Body=meanwhile)

    relay.change = interfere
    assert s3_store.replace("a", b"mine", b"old") is (meanwhile == b"mine")
    relay.change = lambda exchange: None
    assert s3_store.exists("a") is (meanwhile is not None)
    assert meanwhile is None or s3_store.read("a") == meanwhile


def spoil(exchange: Exchange) -> None:
    exchange.forward()
    exchange.answer = exchange.answer.replace(b"whole", b"hole!")


def cut_short(exchange: Exchange) -> None:
    exchange.forward()
    exchange.answer_headers["Content-Length"] = str(len(exchange.answer))
    exchange.answer = exchange.answer[:-1]


def cut_all(exchange: Exchange) -> None:
    exchange.forward()
    exchange.answer_headers["Content-Length"] = str(len(exchange.answer))
    exchange.answer = b""


@pytest.mark.parametrize("change", [cut_short, cut_all, spoil])
def test_a_damaged_object_is_never_taken_for_one(
    s3_store: S3Store,
    relay: Relay,
    change: Callable[[Exchange], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "4")
    s3_store.write("a", b"the whole picture")
    uri = f"{s3_store.uri}/a"
    calls: list[Callable[[], object]] = [
        lambda: read_uri(uri),
        lambda: s3_store.replace("a", b"", b"the whole picture"),
    ]
    if change is not spoil:
        calls += [lambda: list(s3_store.list(""))]
    for call in calls:
        relay.change = change
        assert "incomplete or damaged" in refusal(call, StorageUnavailableError)
    relay.change = lambda exchange: change(exchange) if len(relay.seen) % 4 else None
    relay.seen.clear()
    assert s3_store.read("a") == b"the whole picture"
    assert len(relay.seen) == 4  # botocore asked until it was whole
    assert copy_to_file(uri, tmp_path).read_bytes() == b"the whole picture"
    assert list(s3_store.list("")) == ["a"]
