"""Whole files put into a store, and the starts of what is there."""

from pathlib import Path

import pytest

from jobs.errors import NotFoundInStoreError, StorageError
from jobs.storage import Store, copy_from_file, read_start


def test_a_file_replaces_what_was_there(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "source"
    for data in (b"first", b"", bytes(range(256)) * 5000):
        source.write_bytes(data)
        copy_from_file(source, f"{store.uri}/some/file.bin")
        assert store.read("some/file.bin") == data
        assert list(store.list("")) == ["some/file.bin"]


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
