"""Keys, references and URIs, as text and as the system takes them."""

import os
import tempfile
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import NotFoundInStoreError, StorageError
from jobs.storage import check_allowed, check_key, open_store, read_uri, resolve_uri
from jobs.storage.uris import split_s3


def ascii_start(text: str) -> str:
    return ascii(text[:10])


PIECES = [
    "a", ".", "..", "", "/", "\\", "\n", "\0", "é", "e\u0301", ".partial", "~", " ", "\u2024", "\u2025", "\uff0f",
    "\u2215", "\u202e", "\u200d", "\ud800", "%2e%2e", "%2f", "\ufeff", "C:", "$HOME", "*",
]  # fmt: skip


ANY_KEY = st.lists(st.sampled_from(PIECES), max_size=6).map("".join) | st.text(st.characters(), max_size=40)


@given(ANY_KEY)
def test_no_key_leaves_the_root(key: str):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "in", "root")
        store = open_store(str(root))
        try:
            store.write(key, b"x")
        except StorageError:
            assert not root.exists()  # refused before anything happened
            return
        made = [path for path in Path(folder).rglob("*") if path.is_file()]
        assert len(made) == 1
        assert made[0].resolve().is_relative_to(root.resolve())
        assert list(store.list("")) == [key]
        assert store.read(key) == b"x"
        assert check_key(key) == key


@given(ANY_KEY, st.sampled_from(["NFC", "NFD"]))
def test_no_key_leaves_the_root_of_a_file_system_that_normalises(key: str, form: str):
    try:
        path = unicodedata.normalize(form, check_key(key))
    except StorageError:
        return
    assert os.path.realpath(f"/no/such/root/{path}") == f"/no/such/root/{path}"
    assert path.split("/")[0].casefold() != ".partial"


@pytest.mark.parametrize(
    ("reference", "base", "resolved"),
    [
        ("a.png", "s3://b/sets/m.parquet", "s3://b/sets/a.png"),
        ("x/a b#1.png", "s3://b/sets/m.parquet", "s3://b/sets/x/a b#1.png"),
        ("../a.png", "s3://b/sets/m.parquet", "s3://b/a.png"),
        ("./x/../a.png", "s3://b/m.parquet", "s3://b/a.png"),
        ("a.png", "s3://b/odd//m.csv", "s3://b/odd//a.png"),
        ("s3://c/a.png", "s3://b/m.parquet", "s3://c/a.png"),
        ("s3://c/a.png", "/data/m.parquet", "s3://c/a.png"),
        ("/data/a.png", "s3://b/m.parquet", "/data/a.png"),
        ("a.png", "/data/m.parquet", "/data/a.png"),
        ("a.png", "file:///my%20data/m.parquet", "/my data/a.png"),
        ("a.png", "m.parquet", "a.png"),
    ],
)
def test_references_are_relative_to_their_file(reference: str, base: str, resolved: str):
    assert resolve_uri(reference, base) == resolved


@given(st.lists(st.sampled_from(["..", ".", "a", "b"]), min_size=1, max_size=5).map("/".join))
def test_local_references_lead_where_the_system_says(reference: str):
    resolved = resolve_uri(reference, "/1/2/3/4/5/m.csv")
    assert os.path.normpath(resolved) == os.path.normpath(f"/1/2/3/4/5/{reference}")


@pytest.mark.parametrize(("reference", "problem"), [("../../a", "out of the bucket"), ("", "empty")])
def test_references_that_lead_nowhere(reference: str, problem: str):
    with pytest.raises(StorageError, match=problem):
        resolve_uri(reference, "s3://b/sets/m.parquet")


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("", "names no file"),
        ("gs://b/x", "gs:// is not supported"),
        ("https://host/x", "https:// is not supported"),
        ("file://elsewhere/x", "not on this machine"),
        ("file://x", "not on this machine"),
        ("s3://", "names no bucket"),
        ("s3:///x", "names no bucket"),
        ("s3://key:secret@bucket/x", "a user or a password in it; credentials belong into"),
        ("s3://key:sec/ret@bucket/x", "a user or a password in it; credentials belong into"),
        ("s3://b/" + "é" * 513, "longer than 1024 bytes"),
        ("s3://b/\ud800", "not valid Unicode"),
    ],
)
def test_unusable_uris(uri: str, problem: str):
    for use in (open_store, read_uri):
        with pytest.raises(StorageError, match=problem) as caught:
            use(uri)
        assert "sec" not in str(caught.value)


ENDLESS = "x" * 10_000_000


@pytest.mark.parametrize("odd", ["a\nb", "a\x1b[2Jb", "a\0b", "a\ud800b", "a\u202eb", ENDLESS], ids=ascii_start)
@pytest.mark.parametrize("start", ["s3://", "s3://b/", "gs://", "file://", "file:///", "/no/", ""])
def test_messages_stay_on_one_short_line(start: str, odd: str):
    calls: list[Callable[[], object]] = [
        lambda: split_s3(start + odd + "\n" * 2000) if start.startswith("s3") else read_uri(start + odd),
        lambda: resolve_uri("../../../" + odd, "s3://b/x"),
        lambda: resolve_uri("", start + odd),
        lambda: check_key("/" + odd),
        lambda: check_allowed(start + odd, ["/elsewhere"]),
    ]
    for call in calls:
        with pytest.raises(StorageError) as caught:
            call()
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 1000


def test_a_prefix_cannot_climb():
    with pytest.raises(StorageError, match="cannot be used"):
        open_store("s3://bucket/a/../b")


def test_local_files_by_every_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a b%.png").write_bytes(b"picture")
    monkeypatch.chdir(tmp_path)
    for uri in (
        "a b%.png",
        f"{tmp_path}/a b%.png",
        f"file://{tmp_path}/a%20b%25.png",
        f"FILE://localhost{tmp_path}/a b%25.png",
    ):
        assert read_uri(uri) == b"picture"


def test_local_things_that_are_no_files(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StorageError, match="pipe is not a regular file"):
        read_uri(str(tmp_path / "pipe"))
    with pytest.raises(NotFoundInStoreError, match="is a folder"):
        read_uri(str(tmp_path))
    with pytest.raises(NotFoundInStoreError, match="nothing does not exist"):
        read_uri(str(tmp_path / "nothing"))
