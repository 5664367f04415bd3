"""All that a job needs, on this machine and breakable: a store behind a faulty proxy, and a Ray cluster."""

from __future__ import annotations

import io
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.benchmark.seaweed import Seaweed
from tests.chaos import scratch
from tests.chaos.checks import S3Objects
from tests.chaos.cluster import TinyCluster
from tests.chaos.pictures import STYLES, Behaviour, Row, content_png, style_png
from tests.chaos.proxy import FaultyProxy
from tests.chaos.scratch import Scratch

REPOSITORY = Path(__file__).parents[2]
BUCKET = "chaos"


class World:
    """To be used as a context manager; changes the environment of this process for good.

    Attributes:
        store: can be killed and started again.
        proxy: through which the job sees the store.
        cluster: on which the job runs.
        client: straight to the store.
    """

    store: Seaweed
    proxy: FaultyProxy
    cluster: TinyCluster
    client: Any

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._stack = ExitStack()
        self._uploaded: set[Row] = set()

    def __enter__(self) -> World:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
            (folder / "store").mkdir()
            self.store = Seaweed(folder / "store")
            stack.callback(self.store.kill)
            self.store.start()
            self.client = self.store.server.client()
            self.client.create_bucket(Bucket=BUCKET)
            self.proxy = stack.enter_context(
                FaultyProxy(int(self.store.server.endpoint_url.rpartition(":")[2]), self._seed)
            )
            _set_environment(self, folder / "scratch")
            self.cluster = stack.enter_context(TinyCluster())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def put_pictures(self, rows: Iterable[Row]) -> None:
        """Uploads the contents of rows that have none yet, and the styles."""
        missing = {row for row in rows if row.behaviour is not Behaviour.MISSING} - self._uploaded
        objects = {f"contents/{row.pair_id}.png": content_png(row) for row in missing}
        if not self._uploaded:
            objects |= {f"styles/{style}.png": style_png(style) for style in range(STYLES)}
        with ThreadPoolExecutor(8) as pool:
            list(
                pool.map(lambda item: self.client.put_object(Bucket=BUCKET, Key=item[0], Body=item[1]), objects.items())
            )
        self._uploaded |= missing

    def put_manifest(self, name: str, rows: Sequence[Row]) -> str:
        """Uploads a manifest and what it names; returns its URI."""
        self.put_pictures(rows)
        self.client.put_object(Bucket=BUCKET, Key=f"{name}.parquet", Body=manifest(rows))
        return f"s3://{BUCKET}/{name}.parquet"

    def output(self, name: str) -> str:
        """The URI of a run's output."""
        return f"s3://{BUCKET}/runs/{name}"

    def objects(self, name: str) -> S3Objects:
        """What is below it."""
        return S3Objects(self.client, BUCKET, f"runs/{name}/")

    def leftover_actors(self) -> list[psutil.Process]:
        """Stand-in actors that still live, those of killed nodes too."""
        return [process for process in psutil.process_iter() if _is_our_actor(process)]


def manifest(rows: Sequence[Row], base: str = "") -> bytes:
    """A Parquet file of pairs, with pictures below `base`."""
    table = pa.table({
        "pair_id": [row.pair_id for row in rows],
        "content": [f"{base}contents/{row.pair_id}.png" for row in rows],
        "style": [f"{base}styles/{row.style}.png" for row in rows],
    })  # fmt: skip
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def driver_command(*arguments: object, within: Sequence[str] = ()) -> list[str]:
    """The job's command line around the stand-in, possibly as arguments of another program."""
    return [*within, sys.executable, "-m", "tests.chaos.driver", *map(str, arguments)]


def start_driver(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Starts the job; what it says goes to the end of a file."""
    with log.open("ab") as output:
        return subprocess.Popen(command, cwd=REPOSITORY, stdout=output, stderr=output, start_new_session=True)


def _set_environment(world: World, folder: Path) -> None:
    """Ray's nodes, and so actors, inherit it, and drivers too."""
    folder.mkdir()
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "RAY_ADDRESS"):
        os.environ.pop(name, None)
    os.environ.update(world.store.server.environment)
    os.environ.update({
        "AWS_ENDPOINT_URL_S3": world.proxy.endpoint_url,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONFAULTHANDLER": "1",
        "OMP_NUM_THREADS": "1",
        scratch.VARIABLE: str(folder),
    })  # fmt: skip


def _is_our_actor(process: psutil.Process) -> bool:
    try:
        return (
            "ray::ChaosActor" in " ".join(process.cmdline())
            and process.environ().get(scratch.VARIABLE) == os.environ[scratch.VARIABLE]
            and process.status() != psutil.STATUS_ZOMBIE
        )
    except psutil.Error:
        return False


def prepare_scratch(output: str, pace: float, met: Iterable[Row] = ()) -> Scratch:
    """The files of a run to come; rows that misbehave once will not do so if they were met."""
    made = Scratch.of(output)
    made.set_pace(pace)
    for row in met:
        made.first(row.content)
    return made
