"""Stores to test, and what stands between them and their clients."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from jobs.benchmark.seaweed import S3Server
from jobs.storage import Store, open_store
from jobs.storage.s3 import S3Store
from tests.chaos.proxy import FaultyProxy
from tests.jobs.storage.relay import Relay


@pytest.fixture(scope="module")
def bucket(s3: S3Server) -> str:
    return s3.bucket()


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store of each kind."""
    if request.param == "local":
        return open_store(str(tmp_path / "root"))
    return open_store(f"s3://{request.getfixturevalue('bucket')}/some/{uuid4().hex}/")


@pytest.fixture
def s3_store(bucket: str) -> S3Store:
    """An empty store on S3."""
    return S3Store(bucket, f"some/{uuid4().hex}/")


@pytest.fixture
def proxy(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    """On the way to the S3 server."""
    port = urlsplit(s3.endpoint_url).port
    assert port is not None
    with FaultyProxy(port) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.endpoint_url)
        yield proxy


@pytest.fixture
def relay(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    """On the way to the S3 server."""
    with Relay(s3.endpoint_url) as relay:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", relay.endpoint_url)
        yield relay
