"""Whole files put into a store, and the starts of what is there."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jobs.errors import NotFoundInStoreError, StorageError
from jobs.storage import Store, copy_from_file, open_store, read_start


def test_a_file_replaces_what_was_there(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "source"
    for data in (b"first", b"", bytes(range(256)) * 5000):
        source.write_bytes(data)
        copy_from_file(source, f"{store.uri}/some/file.bin")
        store.write_file("other/file.bin", source)
        assert store.read("some/file.bin") == store.read("other/file.bin") == data
        assert sorted(store.list("")) == ["other/file.bin", "some/file.bin"]


def test_who_is_killed_while_writing_leaves_nothing_that_is_not_swept(tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "pipe")
    line = "import sys; from pathlib import Path; from jobs.storage import open_store; "
    line += "open_store(sys.argv[1]).write_file('images/a.png', Path(sys.argv[2]))"
    process = subprocess.Popen([sys.executable, "-c", line, str(tmp_path / "out"), str(pipe)])
    store = open_store(str(tmp_path / "out"))
    with pipe.open("wb") as sent:  # which is still open when the process dies: it never comes to the end
        sent.write(bytes(3 << 20))
        while not list((tmp_path / "out").rglob("*~*")):
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
        process.wait()
    assert list(store.list("")) == []
    assert store.sweep() == 1
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_a_start_is_no_longer_than_what_is_there(store: Store) -> None:
    store.write("a", b"0123456789")
    store.write("empty", b"")
    assert read_start(f"{store.uri}/a", 3) == b"012"
    assert read_start(f"{store.uri}/a", 99) == b"0123456789"
    assert read_start(f"{store.uri}/empty", 5) == b""
    with pytest.raises(NotFoundInStoreError):
        read_start(f"{store.uri}/none", 5)
    with pytest.raises(StorageError, match="outside of what the job may read"):
        read_start(f"{store.uri}/a", 5, allowed=("/elsewhere",))


def test_what_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"old")
    with pytest.raises(StorageError, match="cannot write"):
        copy_from_file(tmp_path / "none", str(tmp_path / "old"))
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_bytes() == b"old"
