"""One contract for local folders and a real S3 server, then what can go wrong on each."""

import errno
import http.client
import itertools
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import NotFoundInStoreError, StorageError
from jobs.storage import Store, check_key, open_store, read_uri, resolve_uri
from tests.seaweed import S3Server

REPOSITORY = Path(__file__).parents[2]
BOTH_STORES = ["local", pytest.param("s3", marks=pytest.mark.slow)]
BAD_KEYS = [
    "", "/", "/etc/passwd", "..", "../x", "a/../b", "a/..", ".", "a/./b", "a//b", "a/", "a\\b", "a\nb", "a\0b",
    "a\x7fb", "a\u2028b", "a\ud800b", "é" * 451, ".partial", ".partial/x", ".PARTIAL/x",
]  # fmt: skip
ODD_KEYS = ["a b", "a%20b", "a+b", "é/日本.png", "a#?&=b", "~", "...", ".hidden/x", "a:b*<>|\"'", "x.partial/.partial"]


@pytest.fixture(scope="module")
def bucket(s3: S3Server) -> str:
    return s3.bucket()


@pytest.fixture(params=BOTH_STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store of each kind."""
    if request.param == "local":
        return open_store(str(tmp_path / "root"))
    return open_store(f"s3://{request.getfixturevalue('bucket')}/some/{uuid4().hex}/")


# --- the contract ---


@pytest.mark.parametrize("data", [b"", b"\x00\xff" * 7, bytes(5_000_000)], ids=len)
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
        lambda: store.exists(key), lambda: store.delete(key),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(StorageError, match="cannot be used"):
            call()


@pytest.mark.parametrize("prefix", ["/", "..", "../", "a/../", "a//", "/etc", ".partial/"])
def test_list_refuses_prefixes_that_no_key_has(store: Store, prefix: str):
    with pytest.raises(StorageError, match="cannot be used"):
        list(store.list(prefix))


# --- names ---


PIECES = ["a", ".", "..", "", "/", "\\", "\n", "é", ".partial", "~", " "]


@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join) | st.text(max_size=40))
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
    ],
)
def test_unusable_uris(uri: str, problem: str):
    for use in (open_store, read_uri):
        with pytest.raises(StorageError, match=problem):
            use(uri)


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


# --- local folders ---

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


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "link", failing(errno.EPERM))
    with pytest.raises(StorageError, match=f"{tmp_path}: .* no hard links, .* use another folder or S3"):
        open_store(str(tmp_path)).check()


# --- S3 ---


class Relay(ThreadingHTTPServer):
    """Stands between a client and the S3 server, and breaks what `fault` says; requests are signed for it."""

    def __init__(self, endpoint_url: str) -> None:
        super().__init__(("127.0.0.1", 0), _RelayHandler)
        self.upstream = urlsplit(endpoint_url).netloc
        self.fault: Callable[[Exchange], None] = lambda exchange: None

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Exchange:
    """One request, and the answer once it has been forwarded."""

    def __init__(self, upstream: str, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        self.upstream, self.method, self.path, self.headers, self.body = upstream, method, path, headers, body
        self.status, self.answer_headers, self.answer = 0, dict[str, str](), b""
        self.lost = False

    def forward(self) -> None:
        connection = http.client.HTTPConnection(self.upstream)
        connection.putrequest(self.method, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() != "expect":
                connection.putheader(name, value)
        connection.endheaders(self.body)
        response = connection.getresponse()
        self.status, self.answer = response.status, response.read()
        self.answer_headers = dict(response.getheaders())
        connection.close()


class _RelayHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Relay

    def _relay(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        exchange = Exchange(self.server.upstream, self.command, self.path, dict(self.headers.items()), body)
        self.server.fault(exchange)
        if exchange.lost:
            self.close_connection = True
            return
        if not exchange.status:
            exchange.forward()
        self.send_response_only(exchange.status)
        for name, value in exchange.answer_headers.items():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", exchange.answer_headers.get("Content-Length", str(len(exchange.answer))))
        self.end_headers()
        self.wfile.write(exchange.answer)
        self.close_connection = True

    do_GET = do_PUT = do_DELETE = _relay  # noqa: N815 (names that the base class looks for)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def relay(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    with Relay(s3.endpoint_url) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.endpoint_url)
        yield server
        server.shutdown()
        thread.join()


def once(fault: Callable[[Exchange], None]) -> tuple[Callable[[Exchange], None], list[Exchange]]:
    """Apply `fault` to the first PUT; also return all PUTs seen, the repeated ones too."""
    puts: list[Exchange] = []

    def first_only(exchange: Exchange) -> None:
        if exchange.method == "PUT":
            puts.append(exchange)
            if len(puts) == 1:
                fault(exchange)

    return first_only, puts


def lose_answer(exchange: Exchange) -> None:
    exchange.forward()
    exchange.lost = True


def answer_undecided(exchange: Exchange) -> None:
    exchange.status = 409
    exchange.answer = b"<Error><Code>ConditionalRequestConflict</Code><Message>in progress</Message></Error>"


def ignore_conditions(exchange: Exchange) -> None:
    exchange.forward()
    if exchange.status == 412:
        exchange.status, exchange.answer, exchange.answer_headers = 200, b"", {}


def cut_short(exchange: Exchange) -> None:
    exchange.forward()
    exchange.answer = exchange.answer[:-1]


def spoil(exchange: Exchange) -> None:
    exchange.forward()
    exchange.answer = exchange.answer.replace(b"whole", b"hole!")


@pytest.mark.slow
def test_a_create_whose_answer_is_lost_has_won(s3: S3Server, relay: Relay):
    store = open_store(f"s3://{s3.bucket()}")
    relay.fault, puts = once(lose_answer)
    assert store.create("a", b"mine")
    assert len(puts) == 2  # botocore sent it again and was refused


@pytest.mark.slow
def test_an_undecided_create_is_repeated(s3: S3Server, relay: Relay):
    store = open_store(f"s3://{s3.bucket()}")
    relay.fault, puts = once(answer_undecided)
    assert store.create("a", b"mine")
    assert len(puts) == 2
    assert store.read("a") == b"mine"
    assert not store.create("a", b"yours")


@pytest.mark.slow
def test_a_store_that_ignores_conditions_fails_the_check(s3: S3Server, relay: Relay):
    bucket = s3.bucket()
    relay.fault = ignore_conditions
    with pytest.raises(StorageError, match=r"ignores conditional writes .* use a store that enforces them"):
        open_store(f"s3://{bucket}/out").check()
    assert "Contents" not in s3.client().list_objects_v2(Bucket=bucket)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [cut_short, spoil])
def test_damaged_answers_are_noticed(s3: S3Server, relay: Relay, fault: Callable[[Exchange], None]):
    store = open_store(f"s3://{s3.bucket()}")
    store.write("a", b"the whole picture")
    relay.fault = fault
    with pytest.raises(StorageError, match="/a arrived incomplete or damaged"):
        store.read("a")


@pytest.mark.slow
def test_s3_objects_lie_below_the_prefix(s3: S3Server):
    bucket = s3.bucket()
    client = s3.client()
    for name in ("elsewhere", "out/b", "out-of-it/c", "out/folder/", "out/.partial/probe-1"):
        client.put_object(Bucket=bucket, Key=name, Body=b"")
    store = open_store(f"s3://{bucket}/out")
    store.write("a", b"mine")
    assert client.get_object(Bucket=bucket, Key="out/a")["Body"].read() == b"mine"
    assert sorted(store.list("")) == ["a", "b"]
    assert store.uri == f"s3://{bucket}/out"
    assert read_uri(f"s3://{bucket}/out/a") == b"mine"
    assert sorted(open_store(f"s3://{bucket}").list("out/")) == ["out/.partial/probe-1", "out/a", "out/b"]


@pytest.mark.slow
def test_lists_longer_than_a_page(s3: S3Server):
    store = open_store(f"s3://{s3.bucket()}/out")
    keys = [f"{n:04}" for n in range(1005)]  # S3 gives 1000 names a page
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda key: store.write(key, b""), keys))
    assert sorted(store.list("")) == keys


def everything(store: Store) -> list[Callable[[], object]]:
    return [
        lambda: store.read("a"), lambda: store.write("a", b""), lambda: store.create("a", b""),
        lambda: store.exists("a"), lambda: list(store.list("")), lambda: store.delete("a"), store.check,
        lambda: read_uri(f"{store.uri}/a"),
    ]  # fmt: skip


def refusal(call: Callable[[], object]) -> str:
    """The message of the error, once it is certain that no part of its traceback shows a secret."""
    with pytest.raises(StorageError) as caught:
        call()
    assert not isinstance(caught.value, NotFoundInStoreError)
    shown = "".join(traceback.format_exception(caught.value))
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID"):
        assert os.environ.get(name, "no such variable").strip() not in shown
    return str(caught.value)


@pytest.mark.slow
def test_a_missing_bucket(s3: S3Server):
    for call in everything(open_store("s3://no-such-bucket/out")):
        message = refusal(call)
        assert f"'no-such-bucket' does not exist at {s3.endpoint_url}; create it" in message


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("AWS_SECRET_ACCESS_KEY", "wrong-secret-0123456789", "SignatureDoesNotMatch"),
        ("AWS_ACCESS_KEY_ID", "wrong-key-0123456789", "InvalidAccessKeyId"),
    ],
)
def test_wrong_credentials(s3: S3Server, monkeypatch: pytest.MonkeyPatch, name: str, value: str, code: str):
    store = open_store(f"s3://{s3.bucket()}")
    monkeypatch.setenv(name, value)
    for call in everything(store):
        assert f"does not accept the credentials ({code}); set AWS_PROFILE" in refusal(call)


@pytest.mark.slow
def test_credentials_that_no_header_can_hold(s3: S3Server, monkeypatch: pytest.MonkeyPatch):
    store = open_store(f"s3://{s3.bucket()}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key-with\nnewline")
    assert "look for line ends in the AWS credentials" in refusal(lambda: store.read("a"))


@pytest.mark.slow
def test_no_credentials(s3: S3Server, monkeypatch: pytest.MonkeyPatch):
    store = open_store(f"s3://{s3.bucket()}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for call in everything(store):
        assert "no usable AWS credentials" in refusal(call)


@pytest.mark.slow
def test_a_profile_that_does_not_exist(s3: S3Server, monkeypatch: pytest.MonkeyPatch):
    store = open_store(f"s3://{s3.bucket()}")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "nobody" in refusal(lambda: store.read("a"))


@pytest.mark.slow
def test_access_denied_names_what_is_missing(s3: S3Server, monkeypatch: pytest.MonkeyPatch):
    bucket = s3.bucket()
    store = open_store(f"s3://{bucket}/out")
    store.write("a", b"mine")
    for name, value in zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), s3.read_only, strict=True):
        monkeypatch.setenv(name, value)
    assert store.read("a") == b"mine"
    assert f"access denied: s3:PutObject on s3://{bucket}/out/b" in refusal(lambda: store.write("b", b""))
    assert f"access denied: s3:PutObject on s3://{bucket}/out/b" in refusal(lambda: store.create("b", b""))
    assert f"access denied: s3:DeleteObject on s3://{bucket}/out/a" in refusal(lambda: store.delete("a"))
    assert f"access denied: s3:PutObject on s3://{bucket}/out/" in refusal(store.check)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        ("http://user:hidden-password@127.0.0.1:9", "cannot reach http://127.0.0.1:9 "),
        ("127.0.0.1:9", "endpoint is not a URL"),
    ],
)
def test_endpoints_without_a_store(s3: S3Server, monkeypatch: pytest.MonkeyPatch, endpoint: str, message: str):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    shown = refusal(lambda: open_store("s3://bucket").read("a"))
    assert message in shown
    assert "hidden" not in shown


@pytest.mark.slow
def test_s3_uris_that_are_no_objects(s3: S3Server):
    with pytest.raises(StorageError, match="names a bucket, not an object"):
        read_uri("s3://bucket")
    with pytest.raises(StorageError, match="not a valid S3 URI"):
        read_uri("s3://a bucket/a")
    with pytest.raises(NotFoundInStoreError, match="nothing does not exist"):
        read_uri(f"s3://{s3.bucket()}/nothing")
