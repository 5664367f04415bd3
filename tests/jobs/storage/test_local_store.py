"""A store in a local folder, with processes killed and file systems that fail."""

import errno
import fcntl
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobs.errors import StorageError, StorageUnavailableError
from jobs.storage import open_store

REPOSITORY = Path(__file__).parents[3]

RACER = """
import sys
from jobs.storage import open_store
root, racer = sys.argv[1:]
store = open_store(root)
print("ready", flush=True)
sys.stdin.readline()
print(*(k for k in range(50) if store.create(f"records/{k}", f"racer {racer}".encode())))
"""

WRITER = """
import sys
from jobs.storage import open_store
store = open_store(sys.argv[1])
turn = 0
while True:
    turn += 1
    data = bytes([turn % 256]) * 1_000_000
    store.write("images/a", data)
    store.create(f"records/{turn % 3}", data)
    store.delete(f"records/{(turn + 1) % 3}")
"""


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments], cwd=REPOSITORY, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip


def test_of_many_processes_one_wins(tmp_path: Path):
    racers = [start(RACER, str(tmp_path), str(n)) for n in range(8)]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    winners: dict[int, list[int]] = {k: [] for k in range(50)}
    for n, racer in enumerate(racers):
        for k in racer.communicate()[0].split():
            winners[int(k)].append(n)
        assert racer.returncode == 0
    store = open_store(str(tmp_path))
    for k, won in winners.items():
        assert len(won) == 1
        assert store.read(f"records/{k}") == b"racer %d" % won[0]
    assert store.sweep() == 0


def test_killed_writers_leave_nothing_visible(tmp_path: Path):
    store, partial = open_store(str(tmp_path)), tmp_path / ".partial"
    for _ in range(5):
        writer = start(WRITER, str(tmp_path))
        for attempt in itertools.count():  # until it is stopped in the middle of a write
            time.sleep(0.001 * (1 + attempt % 7))  # stopped at once again, it would never get on
            os.kill(writer.pid, signal.SIGSTOP)
            os.waitid(os.P_PID, writer.pid, os.WSTOPPED)
            if partial.exists() and list(partial.iterdir()):
                break
            os.kill(writer.pid, signal.SIGCONT)
        assert store.sweep() == 0  # it is alive
        writer.kill()
        writer.communicate()
        for key in store.list(""):
            data = store.read(key)
            assert len(data) == 1_000_000
            assert len(set(data)) == 1
        assert store.sweep() == 1
        assert list(partial.iterdir()) == []


APPENDER = """
import sys
from jobs.storage import open_store
store = open_store(sys.argv[1])
while True:
    held = store.read("a")
    if store.replace("a", held + sys.argv[2].encode(), held):
        print(end="x", flush=True)
"""


def test_killed_replacers_lose_nothing_and_block_nobody(tmp_path: Path):
    store = open_store(str(tmp_path))
    store.create("a", b"")
    confirmed = 0
    for _ in range(4):
        appenders = [start(APPENDER, str(tmp_path), str(n)) for n in range(3)]
        for appender in appenders:
            confirmed += len(appender.stdout.read(5))  # all of them get on
        for appender in appenders:
            appender.kill()
            confirmed += len(appender.stdout.read())
            appender.communicate()
        assert store.replace("a", store.read("a"), store.read("a"))
    # Whoever was killed may have replaced without having said so.
    assert confirmed <= len(store.read("a")) <= confirmed + 12
    store.sweep()
    assert list((tmp_path / ".partial").iterdir()) == []
    assert list(store.list("")) == ["a"]


def test_a_replacer_waits_for_the_other_and_then_sees_what_it_did(tmp_path: Path):
    store, path = open_store(str(tmp_path)), tmp_path / "a"
    store.create("a", b"old")
    with path.open("r+b") as theirs, ThreadPoolExecutor(1) as pool:
        fcntl.flock(theirs, fcntl.LOCK_EX)
        mine = pool.submit(store.replace, "a", b"mine", b"old")
        while not list((tmp_path / ".partial").iterdir()):  # it has begun
            time.sleep(0.001)
        assert not mine.done()
        (tmp_path / "b").write_bytes(b"theirs")
        (tmp_path / "b").replace(path)
        fcntl.flock(theirs, fcntl.LOCK_UN)
        assert mine.result() is False
    assert store.read("a") == b"theirs"


def test_sweep_spares_the_recent_files_of_other_hosts(tmp_path: Path):
    partial = tmp_path / ".partial"
    partial.mkdir()
    for name in ("old", "new"):
        (partial / f"{name}~1~elsewhere~4026531836").touch()
    os.utime(partial / "old~1~elsewhere~4026531836", (0, 0))
    assert open_store(str(tmp_path)).sweep() == 1
    assert [path.name for path in partial.iterdir()] == ["new~1~elsewhere~4026531836"]


def test_opening_and_reading_make_no_folder(tmp_path: Path):
    store = open_store(str(tmp_path / "root"))
    assert not store.exists("a")
    assert list(store.list("")) == []
    assert store.sweep() == 0
    store.delete("a")
    assert list(tmp_path.iterdir()) == []


def test_a_root_may_be_a_link(tmp_path: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    store = open_store(str(tmp_path / "link"))
    store.check()
    assert store.create("a/b", b"x")
    assert list(store.list("")) == ["a/b"]
    assert (tmp_path / "real" / "a" / "b").read_bytes() == b"x"


def test_a_root_that_is_a_file(tmp_path: Path):
    (tmp_path / "root").touch()
    with pytest.raises(StorageError, match=f"{tmp_path}/root: Not a directory"):
        open_store(str(tmp_path / "root")).check()


@pytest.fixture
def unprivileged() -> Iterator[None]:
    """Give up root's right to write anywhere."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


@pytest.mark.usefixtures("unprivileged")
def test_a_folder_without_permission():
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder)
        store.write("a", b"")
        for path in (folder, f"{folder}/.partial"):
            Path(path).chmod(0o500)
        try:
            with pytest.raises(StorageError, match=f"write to {folder}: permission denied"):
                store.check()
            with pytest.raises(StorageError, match=f"write {folder}/b/c: permission denied"):
                store.write("b/c", b"")
            Path(folder, "a").chmod(0)
            with pytest.raises(StorageError, match=f"read {folder}/a: permission denied"):
                store.read("a")
            Path(folder).chmod(0)
            with pytest.raises(StorageError, match=f"list {folder}: permission denied"):
                list(store.list(""))
        finally:
            for path in (folder, f"{folder}/.partial"):
                Path(path).chmod(0o700)


def failing(code: int) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = open_store(str(tmp_path))
    store.write("a", b"old")
    monkeypatch.setattr(os, "fsync", failing(errno.ENOSPC))
    with pytest.raises(StorageError, match=f"write {tmp_path}/a: the disk is full"):
        store.write("a", b"new")
    assert store.read("a") == b"old"
    assert list((tmp_path / ".partial").iterdir()) == []


@pytest.mark.parametrize("code", [errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.EMFILE])
def test_what_may_pass_is_told_from_what_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int):
    store = open_store(str(tmp_path))
    monkeypatch.setattr(os, "fsync", failing(code))
    with pytest.raises(StorageUnavailableError, match=os.strerror(code)):
        store.write("a", b"new")
    monkeypatch.setattr(os, "fsync", failing(errno.ENOSPC))
    with pytest.raises(StorageError) as caught:
        store.write("a", b"new")
    assert not isinstance(caught.value, StorageUnavailableError)


@pytest.mark.parametrize(
    ("module", "name", "code", "feature"),
    [(os, "link", errno.EPERM, "hard links"), (fcntl, "flock", errno.ENOSYS, "locks")],
)
def test_a_file_system_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: object, name: str, code: int, feature: str
):
    monkeypatch.setattr(module, name, failing(code))
    with pytest.raises(StorageError, match=f"{tmp_path}: .* no {feature}, .* use another folder or S3"):
        open_store(str(tmp_path)).check()
    assert list(open_store(str(tmp_path)).list("")) == []
