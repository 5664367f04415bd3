"""A local output whose disk fills up in mid-run, is freed, and then holds all."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.checks import FolderObjects, problems_of
from tests.chaos.drill import FINE, WORKERS, Moment, Result
from tests.chaos.pictures import STYLES, Row, content_png, style_png
from tests.chaos.schedule import DISK_FULL, Scale
from tests.chaos.world import driver_command, manifest, prepare_scratch, start_driver

_USAGE_ERROR = 2
_DISK_BYTES = 8 << 20
_PATIENCE_S = 120.0


@dataclass(frozen=True)
class SmallDisk:
    """A file system of a few MB in memory, which only processes started `within` its namespace see as `folder`.

    Attributes:
        within: the beginning of a command line that runs what follows with the disk mounted.
        folder: where it is for such a process.
        seen: where it is for this process.
    """

    within: tuple[str, ...]
    folder: Path
    seen: Path

    def fill(self) -> None:
        """Takes all the room that is left."""
        with (self.seen / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
            while True:
                ballast.write(bytes(4096))

    def free(self) -> None:
        """Gives the room back."""
        (self.seen / "ballast").unlink()


@contextmanager
def small_disk() -> Iterator[SmallDisk | None]:
    """A disk until the context ends; None where this user may not mount one."""
    if not (shutil.which("unshare") and shutil.which("nsenter")):  # they are of Linux
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="disk-") as folder:
        mount = f"mount -t tmpfs -o size={_DISK_BYTES} tmpfs {folder} && echo ready && exec sleep infinity"
        holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            assert holder.stdout is not None
            if holder.stdout.readline() == b"ready\n":
                within = ("nsenter", f"--mount=/proc/{holder.pid}/ns/mnt", f"--wd={Path.cwd()}", "--")
                yield SmallDisk(within, Path(folder), Path(f"/proc/{holder.pid}/root{folder}"))
            else:
                yield None
        finally:
            holder.kill()
            holder.wait()


def disk_full_run(scale: Scale, clean: Mapping[str, str | None], name: str, log: Path) -> Result | None:
    """Fills the disk when a quarter of the shards is committed; None where no disk can be mounted."""
    with small_disk() as disk:
        return None if disk is None else _run(disk, scale, clean, name, log)


def _run(disk: SmallDisk, scale: Scale, clean: Mapping[str, str | None], name: str, log: Path) -> Result:
    started, result = time.time(), Result(name)
    rows = [Row(number) for number in range(scale.rows)]
    _put_pictures(disk.seen, rows)
    output = disk.folder / "out"
    prepare_scratch(str(output), scale.pace)
    command = driver_command(
        "run", "--manifest", disk.folder / "manifest.parquet", "--output", output, "--address", "local",
        "--workers", WORKERS, "--shard-size", scale.shard_size, "--row-timeout", 60, "--max-failed", 0,
        "--resolution", 0, "--image-format", "png", within=disk.within,
    )  # fmt: skip
    records = disk.seen / "out/records"
    driver = start_driver(command, log)
    while driver.poll() is None and len(list(records.glob("*"))) * scale.shard_size < scale.rows / 4:
        time.sleep(0.02)
    disk.fill()
    result.moments.append(Moment(DISK_FULL, time.time()))
    _expect(driver, _USAGE_ERROR, result)
    if "disk is full" not in log.read_text(errors="replace"):
        result.problems.append("nobody said that the disk is full")
    disk.free()
    _expect(start_driver(command, log), FINE, result)
    result.problems += problems_of(FolderObjects(disk.seen / "out"), rows, clean)
    verify = start_driver(driver_command("verify", "--output", output, within=disk.within), log)
    _expect(verify, FINE, result)
    result.seconds = time.time() - started
    return result


def _put_pictures(folder: Path, rows: list[Row]) -> None:
    for below in ("contents", "styles"):
        (folder / below).mkdir()
    for row in rows:
        (folder / f"contents/{row.pair_id}.png").write_bytes(content_png(row))
    for style in range(STYLES):
        (folder / f"styles/{style}.png").write_bytes(style_png(style))
    (folder / "manifest.parquet").write_bytes(manifest(rows))


def _expect(driver: subprocess.Popen[bytes], code: int, result: Result) -> None:
    try:
        driver.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        os.killpg(driver.pid, 9)
        driver.wait()
    result.exits.append((time.time(), driver.returncode))
    if driver.returncode != code:
        result.problems.append(f"a driver ended with {driver.returncode}, not {code}")
