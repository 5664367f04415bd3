"""One contract for local folders and a real S3 server."""

import itertools
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobs.errors import NotFoundInStoreError, StorageError
from jobs.storage import Store, copy_to_file, open_store, read_uri

BAD_KEYS = [
    "", "/", "/etc/passwd", "..", "../x", "a/../b", "a/..", ".", "a/./b", "a//b", "a/", "a\\b", "a\nb", "a\0b",
    "a\x7fb", "a\u2028b", "a\ud800b", "é" * 451, ".partial", ".partial/x", ".PARTIAL/x",
]  # fmt: skip
ODD_KEYS = ["a b", "a%20b", "a+b", "é/日本.png", "a#?&=b", "~", "...", ".hidden/x", "a:b*<>|\"'", "x.partial/.partial"]


@pytest.mark.parametrize("data", [b"", b"\x00\xff" * 7, bytes(20_000_000)], ids=len)
def test_what_is_written_is_read(store: Store, data: bytes):
    store.write("images/a.png", data)
    assert store.read("images/a.png") == data
    assert store.exists("images/a.png")


def test_odd_names_are_kept_apart(store: Store):
    for key in ODD_KEYS:
        store.write(key, key.encode())
    assert {key: store.read(key) for key in ODD_KEYS} == {key: key.encode() for key in ODD_KEYS}
    assert sorted(store.list("")) == sorted(ODD_KEYS)


def test_write_overwrites(store: Store):
    store.write("a", b"a long first version")
    store.write("a", b"new")
    assert store.read("a") == b"new"


def test_absent_objects(store: Store):
    store.write("folder/a", b"")
    for key in ("b", "folder", "folder/b", "folder/a/b"):
        assert not store.exists(key)
        with pytest.raises(NotFoundInStoreError, match=f"{key} "):
            store.read(key)


def test_list_takes_prefixes_of_names(store: Store):
    keys = {"a", "records/1", "records/10", "records/2", "records-old/1", "z/y/x"}
    for key in keys:
        store.write(key, b"")
    for prefix in ("", "a", "records", "records/", "records/1", "rec", "z/", "z/y/x", "z/y/x/", "nothing", "nothing/"):
        assert sorted(store.list(prefix)) == sorted(key for key in keys if key.startswith(prefix))


def test_an_empty_store_has_no_keys(store: Store):
    assert list(store.list("")) == []


def test_delete(store: Store):
    store.write("folder/a", b"")
    store.write("folder/b", b"")
    for key in ("folder/a", "folder/a", "never", "folder", "folder/b/c"):
        store.delete(key)
    assert list(store.list("")) == ["folder/b"]


def test_create_keeps_what_is_there(store: Store):
    assert store.create("records/1", b"mine")
    assert not store.create("records/1", b"yours")
    assert store.read("records/1") == b"mine"


def test_create_accepts_what_it_already_made(store: Store):
    assert store.create("a", b"mine")
    assert store.create("a", b"mine")


def test_create_is_refused_by_what_was_written(store: Store):
    store.write("a", b"written")
    assert not store.create("a", b"created")


def test_of_many_creators_one_wins(store: Store):
    with ThreadPoolExecutor(16) as pool:
        for shard in range(2):
            key, start = f"records/{shard}", threading.Barrier(16)

            def create(racer: int, key: str = key, start: threading.Barrier = start) -> bool:
                start.wait()
                return store.create(key, b"racer %d" % racer)

            won = list(pool.map(create, range(16)))
            assert won.count(True) == 1
            assert store.read(key) == b"racer %d" % won.index(True)


def test_replace_takes_what_is_expected(store: Store):
    store.create("records/1", b"old")
    assert store.replace("records/1", b"new, and longer", b"old")
    assert store.read("records/1") == b"new, and longer"
    assert store.replace("records/1", b"", b"new, and longer")
    assert store.replace("records/1", b"again", b"")
    assert store.read("records/1") == b"again"
    assert list(store.list("")) == ["records/1"]


def test_a_stale_replace_is_refused(store: Store):
    store.create("a", b"theirs")
    for expected in (b"old", b"", b"their", b"theirs too"):
        assert not store.replace("a", b"mine", expected)
    assert store.read("a") == b"theirs"


def test_replace_accepts_what_it_already_made(store: Store):
    store.create("a", b"old")
    assert store.replace("a", b"new", b"old")
    assert store.replace("a", b"new", b"old")


def test_replace_makes_nothing(store: Store):
    store.write("folder/b", b"")
    for key in ("a", "folder", "folder/b/c", "folder/c"):
        assert not store.replace(key, b"new", b"")
        assert not store.replace(key, b"new", b"old")
    assert list(store.list("")) == ["folder/b"]


def test_of_many_replacers_one_wins(store: Store):
    store.create("a", b"old")
    start = threading.Barrier(16)

    def replace(racer: int) -> bool:
        start.wait()
        return store.replace("a", b"racer %d" % racer, b"old")

    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(replace, range(16)))
    assert won.count(True) == 1
    assert store.read("a") == b"racer %d" % won.index(True)


def test_no_replace_is_lost(store: Store):
    store.create("a", b"")

    def append(racer: int) -> int:
        done = 0
        while done < 5:
            held = store.read("a")
            done += store.replace("a", held + b"%d" % racer, held)
        return done

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(append, range(8))) == 40
    assert sorted(store.read("a")) == sorted(b"01234567" * 5)


def test_readers_never_see_a_mixture(store: Store):
    versions = [bytes([v]) * 300_000 for v in range(4)]
    store.write("a", versions[0])
    done = threading.Event()

    def read() -> set[bytes]:
        seen = set()
        while not done.is_set():
            seen.add(store.read("a"))
        return seen

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        try:
            for version in versions * 5:
                store.write("a", version)
        finally:
            done.set()
        assert set.union(*(reader.result() for reader in readers)) <= set(versions)


def test_check_passes_and_leaves_nothing(store: Store):
    store.check()
    store.check()
    assert list(store.list("")) == []
    assert store.sweep() == 0


def test_a_store_travels(store: Store):
    store.write("a", b"here")
    for copy in (pickle.loads(pickle.dumps(store)), open_store(store.uri)):
        assert copy.uri == store.uri
        assert copy.read("a") == b"here"


@pytest.mark.parametrize("key", BAD_KEYS)
def test_every_method_refuses_bad_keys(store: Store, key: str):
    calls: list[Callable[[], object]] = [
        lambda: store.read(key), lambda: store.write(key, b""), lambda: store.create(key, b""),
        lambda: store.exists(key), lambda: store.delete(key), lambda: store.replace(key, b"", b""),
        lambda: store.write_file(key, Path(__file__)),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(StorageError, match="cannot be used"):
            call()


@pytest.mark.parametrize("prefix", ["/", "..", "../", "a/../", "a//", "/etc", ".partial/"])
def test_list_refuses_prefixes_that_no_key_has(store: Store, prefix: str):
    with pytest.raises(StorageError, match="cannot be used"):
        list(store.list(prefix))


def test_what_is_too_large_is_refused(store: Store):
    store.write("a", bytes(5000))
    uri = f"{store.uri}/a"
    assert read_uri(uri, most_bytes=5000) == bytes(5000)
    for most in (4999, 0):
        with pytest.raises(StorageError, match=f"/a has 5,000 bytes, more than the {most:,} that are allowed"):
            read_uri(uri, most_bytes=most)
    store.write("empty", b"")
    assert read_uri(f"{store.uri}/empty", most_bytes=0) == b""
    with pytest.raises(NotFoundInStoreError, match="/b does not exist"):
        read_uri(f"{store.uri}/b", most_bytes=5000)


@pytest.mark.parametrize("size", [0, 1, 30_000_000])
def test_copies_are_whole(store: Store, tmp_path: Path, size: int):
    data = bytes(itertools.islice(itertools.cycle(range(251)), size))
    store.write("sets/m.csv", data)
    copy = copy_to_file(f"{store.uri}/sets/m.csv", tmp_path)
    assert copy.read_bytes() == data
    assert copy.suffix == ".csv"
    assert copy.is_relative_to(tmp_path)


def test_copies_of_nothing(store: Store, tmp_path: Path):
    with pytest.raises(NotFoundInStoreError, match="/a does not exist"):
        copy_to_file(f"{store.uri}/a", tmp_path)
    assert list(tmp_path.rglob("*a")) == []
