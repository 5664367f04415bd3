"""A store on a real S3 server, behind a network that fails: what is done is done once, and what is read is whole."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from boto3.s3.transfer import TransferConfig

from jobs.errors import StorageError, StorageUnavailableError
from jobs.storage import copy_to_file, read_uri, s3, s3_client
from jobs.storage.s3 import S3Store
from tests.chaos.proxy import KINDS, Fault, FaultyProxy, Kind

pytestmark = pytest.mark.slow

SMALL_PARTS = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20, max_concurrency=4)
AMOUNTS = {"stall": 1.5, "slow": 200_000.0}  # seconds; bytes a second


@pytest.fixture(autouse=True)
def small_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorter timeouts than stalls, for the clients that the tests will have, and less in a part."""
    monkeypatch.setattr(s3_client, "_READ_SECONDS", 0.5)
    monkeypatch.setattr(s3, "_LARGE", 5 << 20)
    monkeypatch.setattr(s3, "_IN_PARTS", SMALL_PARTS)


def fault(kind: Kind, count: int | None = 1, methods: tuple[str, ...] = (), path: str = "") -> Fault:
    return Fault(kind, count, methods=methods, path=path, amount=AMOUNTS.get(kind, 0.0))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "refuse"])
def test_nothing_is_noticed_of_a_fault(s3_store: S3Store, proxy: FaultyProxy, kind: Kind, tmp_path: Path):
    data = os.urandom(300_000)
    uri = f"{s3_store.uri}/a"
    steps: list[tuple[Callable[[], object], object]] = [
        (lambda: s3_store.write("a", data), None),
        (lambda: s3_store.read("a"), data),
        (lambda: s3_store.create("records/1", data), True),
        (lambda: s3_store.create("records/1", b"other"), False),
        (lambda: s3_store.replace("records/1", b"new", data), True),
        (lambda: s3_store.replace("records/1", b"newer", data), False),
        (lambda: s3_store.read("records/1"), b"new"),
        (lambda: s3_store.exists("a"), True),
        (lambda: s3_store.exists("b"), False),
        (lambda: sorted(s3_store.list("")), ["a", "records/1"]),
        (lambda: copy_to_file(uri, tmp_path).read_bytes(), data),
        (lambda: read_uri(uri, most_bytes=300_000), data),
        (lambda: s3_store.delete("a"), None),
        (lambda: s3_store.exists("a"), False),
        (s3_store.check, None),
        (s3_store.sweep, 0),
    ]
    for step, result in steps:
        proxy.inject(fault(kind))
        if kind == "reset" and result is False:
            with suppress(
                StorageUnavailableError
            ):  # a break in the answer 'not found' is one that botocore lets through
                assert step() is False
        else:
            assert step() == result
        proxy.clear()
    assert list(s3_store.list("")) == ["records/1"]
    assert proxy.counts[kind] >= len(steps) - 2  # some have no body that could be cut


def test_nothing_is_noticed_of_a_short_outage(s3_store: S3Store, proxy: FaultyProxy):
    s3_store.write("a", b"mine")
    proxy.inject(Fault("refuse", seconds=0.5))
    assert s3_store.read("a") == b"mine"
    proxy.inject(Fault("refuse", seconds=0.5))
    assert s3_store.replace("a", b"new", b"mine")


@pytest.mark.parametrize("kind", ["lose", "reset"])
def test_a_write_whose_answers_are_lost_counts_once(s3_store: S3Store, proxy: FaultyProxy, kind: Kind):
    proxy.inject(fault(kind, count=3, methods=("PUT",)))
    assert s3_store.create("a", b"mine")
    assert proxy.requests["PUT"] == 4  # botocore sent it again, and was refused
    assert not s3_store.create("a", b"yours")
    proxy.inject(fault(kind, count=3, methods=("PUT",)))
    assert s3_store.replace("a", b"new", b"mine")
    assert not s3_store.replace("a", b"newer", b"mine")
    assert s3_store.read("a") == b"new"


def test_a_write_whose_outcome_stays_unknown_may_be_repeated(
    s3_store: S3Store, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "3")
    for write in (lambda: s3_store.create("a", b"old"), lambda: s3_store.replace("a", b"new", b"old")):
        proxy.inject(fault("lose", count=None, methods=("PUT",)))
        with pytest.raises(StorageUnavailableError, match=f"cannot reach {proxy.endpoint_url}"):
            write()
        proxy.clear()
        assert write()  # it had been done, and is not done twice
    assert s3_store.read("a") == b"new"


@pytest.mark.parametrize("kind", ["reset", "truncate", "stall", "500", "503"])
def test_large_objects_pass_through_many_faults(
    s3_store: S3Store, proxy: FaultyProxy, kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(s3_client, "_READ_SECONDS", 1.2)
    data = os.urandom(20_000_000)
    proxy.inject(fault(kind, count=2))
    s3_store.write("large", data)
    proxy.inject(fault(kind, count=2))
    assert copy_to_file(f"{s3_store.uri}/large", tmp_path).read_bytes() == data
    assert s3_store.read("large") == data
    assert s3_store.sweep() == 0
    assert proxy.counts[kind] == 4


def test_an_outage_leaves_no_half_of_a_copy(
    s3_store: S3Store, proxy: FaultyProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "3")
    s3_store.write("large", bytes(20_000_000))
    proxy.inject(fault("truncate", count=None, path="large", methods=("GET",)))
    with pytest.raises(StorageUnavailableError, match="large arrived incomplete or damaged"):
        copy_to_file(f"{s3_store.uri}/large", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_read_of_what_is_too_large(s3_store: S3Store, proxy: FaultyProxy):
    s3_store.write("large", bytes(5_000_000))
    proxy.inject(fault("truncate", count=None, methods=("GET",)))
    with pytest.raises(StorageError, match="has 5,000,000 bytes, more than the 1,000 that are allowed") as caught:
        read_uri(f"{s3_store.uri}/large", most_bytes=1000)
    assert not isinstance(caught.value, StorageUnavailableError)
    assert proxy.requests["GET"] == 1


def test_a_store_that_is_away_is_unavailable(s3_store: S3Store, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    calls: list[Callable[[], object]] = [
        lambda: s3_store.read("a"), lambda: s3_store.write("a", b""), lambda: s3_store.write("a", bytes(6 << 20)),
        lambda: s3_store.create("a", b""), lambda: s3_store.replace("a", b"", b""), lambda: s3_store.exists("a"),
        lambda: list(s3_store.list("")), lambda: s3_store.delete("a"), s3_store.check, s3_store.sweep,
        lambda: copy_to_file(f"{s3_store.uri}/a", Path("/nowhere")),
    ]  # fmt: skip
    kinds: list[Kind] = ["500", "503", "lose"]
    for kind in kinds:
        proxy.inject(fault(kind, count=None))
        for call in calls:
            with pytest.raises(StorageUnavailableError):
                call()
        proxy.clear()
    assert not s3_store.exists("b")
