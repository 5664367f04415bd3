"""What a job may read when its user has said so."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.errors import StorageError
from jobs.storage import check_allowed, read_uri


def is_allowed(uri: str, *allowed: str) -> bool:
    try:
        check_allowed(uri, allowed)
    except StorageError as error:
        assert "outside of what the job may read" in str(error)
        return False
    return True


@pytest.mark.parametrize(
    ("uri", "fine"),
    [
        ("s3://b/data/x.png", True),
        ("S3://b/data/x.png", True),
        ("s3://b/data/deep/x.png", True),
        ("s3://b/data/a..b", True),
        ("s3://b/data/%2e%2e/x", True),  # a literal name
        ("s3://b/database/x.png", False),
        ("s3://b/dat", False),
        ("s3://b/data/../secret", False),
        ("s3://b/data/..", False),
        ("s3://b/./data/x", False),
        ("s3://b//data/x", False),
        ("s3://b", False),
        ("s3://b/", False),
        ("s3://B/data/x", False),
        ("s3://bb/data/x", False),
        ("s3://other/data/x.png", False),
        ("/b/data/x.png", False),
        ("b/data/x.png", False),
    ],
)
@pytest.mark.parametrize("prefix", ["s3://b/data", "s3://b/data/"])
def test_objects_below_a_prefix(uri: str, prefix: str, fine: bool):
    assert is_allowed(uri, prefix) is fine
    assert is_allowed(uri, "/elsewhere", "s3://elsewhere", prefix) is fine
    assert is_allowed(uri) is True


def test_one_object():
    assert is_allowed("s3://b/sets/m.csv", "s3://b/sets/m.csv")
    assert not is_allowed("s3://b/sets/m.csv.gz", "s3://b/sets/m.csv")
    assert not is_allowed("s3://b/data", "s3://b/data/")


def test_a_whole_bucket():
    for prefix in ("s3://b", "s3://b/"):
        assert is_allowed("s3://b/any/thing", prefix)
        assert not is_allowed("s3://b/", prefix)
        assert not is_allowed("s3://b/any/../thing", prefix)
        assert not is_allowed("s3://bb/any/thing", prefix)


@pytest.mark.parametrize(
    ("uri", "fine"),
    [
        ("/data/set/x.png", True),
        ("/data/set", True),
        ("/data/set/./a//x.png", True),
        ("/data/other/../set/x.png", True),
        ("file:///data/set/x.png", True),
        ("file://localhost/data/%73et/x.png", True),
        ("/data/settings", False),
        ("/data/set/../x", False),
        ("file:///data/set/%2e%2e/x", False),
        ("/data", False),
        ("/", False),
        ("set/x.png", False),
        ("s3://data/set/x.png", False),
        ("/data/set/a\0b", None),
    ],
)
@pytest.mark.parametrize("folder", ["/data/set", "/data/set/", "/data/x/../set", "file:///data/set"])
def test_files_below_a_folder(uri: str, folder: str, fine: bool | None):
    if fine is None:
        with pytest.raises(StorageError):
            check_allowed(uri, [folder])
    else:
        assert is_allowed(uri, folder) is fine
        assert is_allowed(uri, "s3://elsewhere", folder) is fine


def test_everything_below_the_top_folder():
    assert is_allowed("/etc/x", "/")


def test_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert is_allowed("set/x", "set")
    assert is_allowed("set/x", str(tmp_path))
    assert is_allowed(f"{tmp_path}/set/x", "set")
    assert not is_allowed("set/../x", "set")
    assert not is_allowed("../x", ".")


@pytest.fixture(scope="module")
def tree() -> Iterator[Path]:
    """An allowed folder, another one, and links from each into the other and around."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        for name in ("in/deep", "out/deep", "in-side"):
            (root / name).mkdir(parents=True)
            (root / name / "x").write_text(name)
        (root / "in" / "out").symlink_to("../out")
        (root / "in" / "up").symlink_to("..")
        (root / "in" / "there").symlink_to(root / "out" / "deep" / "x")
        (root / "in" / "deeper").symlink_to("deep")
        (root / "in" / "loop").symlink_to("loop")
        (root / "out" / "back").symlink_to("../in")
        yield root


STEPS = st.lists(
    st.sampled_from(["in", "out", "deep", "deeper", "in-side", "up", "back", "loop", "..", "."]), max_size=4
)


@settings(max_examples=500)
@given(STEPS, st.sampled_from(["x", "there"]))
def test_no_link_leads_out(tree: Path, steps: list[str], last: str):
    uri = "/".join([str(tree), "in", *steps, last])
    try:
        data = read_uri(uri, allowed=[f"{tree}/in"])
    except StorageError:
        return
    assert data == b"in/deep"  # the one file in there


def test_links_that_stay_inside_are_fine(tree: Path):
    assert read_uri(f"{tree}/in/deeper/x", allowed=[f"{tree}/in"]) == b"in/deep"
    assert read_uri(f"{tree}/out/deep/x", allowed=[f"{tree}/in", f"{tree}/out"]) == b"out/deep"
    assert read_uri(f"{tree}/in/there", allowed=[f"{tree}/in", f"{tree}/out"]) == b"out/deep"
    for uri in ("in/out/deep/x", "in/there", "in/up/out/deep/x", "out/back/deep/x"):
        with pytest.raises(StorageError, match="outside of what the job may read"):
            read_uri(f"{tree}/{uri}", allowed=[f"{tree}/in"])


def test_the_allowed_folder_may_be_a_link(tree: Path):
    assert read_uri(f"{tree}/out/back/deep/x", allowed=[f"{tree}/out/back"]) == b"in/deep"
