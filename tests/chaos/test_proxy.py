"""The proxy against a server that writes down what reached it."""

import hashlib
import http.client
import random
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, IncompleteReadError, ResponseStreamingError

from jobs.benchmark.seaweed import S3Server
from tests.chaos.proxy import KINDS, Fault, FaultyProxy


class Shelf(BaseHTTPRequestHandler):
    """Keeps what is PUT and gives it back."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        data = self.server.shelf.get(self.path)
        self.send_response(404 if data is None else 200)
        self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data or b"")

    def do_HEAD(self):
        self.do_GET()

    def do_PUT(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            data = b""
            while size := int(self.rfile.readline(), 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            if len(data) < int(self.headers["Content-Length"]):
                return
        self.server.shelf[self.path] = data
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Says nothing."""


class Shelves(ThreadingHTTPServer):
    request_queue_size = 64  # of five, the usual, some that connect at once are reset on a busy machine


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadingHTTPServer]:
    with Shelves(("127.0.0.1", 0), Shelf) as server:
        server.shelf = {}
        server.handle_error = lambda *_: None  # resets are what is tested
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(server: ThreadingHTTPServer) -> Iterator[FaultyProxy]:
    with FaultyProxy(server.server_port, seed=1) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: FaultyProxy) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)
    yield connection
    connection.close()


def ask(client, method, path, body=None, **options):
    client.request(method, path, body, **options)
    answer = client.getresponse()
    return answer.status, answer.read()


@pytest.mark.parametrize("size", [0, 1, 1000, 3_000_000])
def test_bodies_pass_unchanged_in_both_directions(client, size):
    data = random.Random(size).randbytes(size)
    for _ in range(3):  # on one connection
        assert ask(client, "PUT", "/a", data) == (200, b"")
        assert ask(client, "GET", "/a") == (200, data)
        assert ask(client, "HEAD", "/a") == (200, b"")
        assert ask(client, "GET", "/nothing") == (404, b"")


def test_chunked_uploads_pass(client):
    pieces = [bytes([n]) * n * 1000 for n in range(1, 90)]
    assert ask(client, "PUT", "/chunked", iter(pieces), encode_chunked=True)[0] == 200
    assert ask(client, "GET", "/chunked") == (200, b"".join(pieces))


def test_a_client_that_waits_for_leave_to_send_gets_it(proxy, server):
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as connection:
        connection.sendall(b"PUT /patient HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"12345")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    assert server.shelf["/patient"] == b"12345"


def test_errors_are_answered_in_the_stores_place(client, proxy, server):
    for kind, status, code in (("500", 500, b"InternalError"), ("503", 503, b"SlowDown")):
        proxy.inject(Fault(kind, count=1))
        answer = ask(client, "PUT", f"/{kind}", b"x" * 100_000)
        assert answer[0] == status and code in answer[1]
        assert f"/{kind}" not in server.shelf
        assert ask(client, "GET", "/nothing")[0] == 404  # on the same connection


def test_an_answer_is_reset_or_cut_off_in_the_middle(client, proxy):
    data = bytes(1_000_000)
    ask(client, "PUT", "/long", data)
    proxy.inject(Fault("reset", count=1))
    with pytest.raises(ConnectionResetError):
        ask(client, "GET", "/long")
    client.close()
    proxy.inject(Fault("truncate", count=1))
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(client, "GET", "/long")
    assert len(caught.value.partial) == 500_000
    client.close()
    assert ask(client, "GET", "/long") == (200, data)


def test_a_lost_answer_is_that_of_a_request_that_was_done(client, proxy, server):
    proxy.inject(Fault("lose", count=1, methods=("PUT",)))
    assert ask(client, "GET", "/nothing")[0] == 404
    with pytest.raises(ConnectionResetError):
        ask(client, "PUT", "/lost", b"done")
    assert server.shelf["/lost"] == b"done"
    assert [(hit.kind, hit.method, hit.path) for hit in proxy.hits] == [("lose", "PUT", "/lost")]


def test_a_request_that_is_cut_is_not_done(client, proxy, server):
    proxy.inject(Fault("cut", count=1))
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        ask(client, "PUT", "/cut", b"x" * 3_000_000)
    client.close()
    assert ask(client, "PUT", "/whole", b"x" * 3_000_000) == (200, b"")
    assert "/cut" not in server.shelf


def test_stalls_hold_the_answer_back(client, proxy):
    proxy.inject(Fault("stall", count=1, amount=0.5))
    started = time.monotonic()
    assert ask(client, "PUT", "/late", b"x")[0] == 200
    assert time.monotonic() - started >= 0.5


def test_slow_bytes_trickle_and_all_arrive(client, proxy):
    data = random.Random(0).randbytes(20_000)
    ask(client, "PUT", "/slow", data)
    proxy.inject(Fault("slow", count=1, amount=40_000))
    started = time.monotonic()
    assert ask(client, "GET", "/slow") == (200, data)
    assert time.monotonic() - started >= 0.4


def test_connections_are_refused_and_then_no_more(client, proxy):
    assert ask(client, "GET", "/nothing")[0] == 404
    proxy.inject(Fault("refuse", seconds=0.5))
    while not proxy.hits:
        time.sleep(0.01)
    time.sleep(0.1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port), timeout=20)
    while not proxy.quiet:
        time.sleep(0.01)
    client.close()
    assert ask(client, "GET", "/nothing")[0] == 404
    assert proxy.counts == {"refuse": 1}


def test_faults_hit_whom_they_are_meant_for_and_end(client, proxy):
    proxy.inject(Fault("500", count=2, methods=("GET",), path="records/"))
    statuses = [ask(client, method, path)[0] for path in ("/nothing", "/records/1") for method in ("HEAD", "GET") * 3]
    assert statuses == [404] * 6 + [404, 500, 404, 500, 404, 404]
    assert proxy.quiet
    proxy.inject(Fault("500", seconds=0.3))
    assert ask(client, "GET", "/nothing")[0] == 500
    time.sleep(0.3)
    assert ask(client, "GET", "/nothing")[0] == 404
    proxy.inject(Fault("500"))
    assert ask(client, "GET", "/nothing")[0] == 500 and not proxy.quiet
    proxy.clear()
    assert ask(client, "GET", "/nothing")[0] == 404


def test_a_steady_rate_of_errors_is_kept_and_counted(client, proxy):
    proxy.inject(Fault("503", probability=0.1))
    statuses = [ask(client, "GET", "/nothing")[0] for _ in range(1000)]
    assert 60 <= statuses.count(503) <= 140
    assert statuses.count(503) == proxy.counts["503"]
    assert proxy.requests == {"GET": 1000}


def test_many_clients_at_once(proxy):
    def work(n: int) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=60)
        data = random.Random(n).randbytes(50_000)
        ask(connection, "PUT", f"/many{n}", data)
        same = all(ask(connection, "GET", f"/many{n}") == (200, data) for _ in range(10))
        connection.close()
        return same

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(work, range(32)))


def test_a_server_that_is_gone_is_a_reset(proxy):
    with FaultyProxy(1) as nowhere, socket.create_connection(("127.0.0.1", nowhere.port), timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


@pytest.mark.parametrize("fault", [{"kind": "quake"}, {"kind": "stall"}, {"kind": "slow"}, {"kind": "refuse"}])
def test_faults_that_say_too_little_are_refused(fault):
    with pytest.raises(ValueError):
        Fault(**fault)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_an_s3_client_gets_over_every_fault(s3: S3Server, kind: str):
    bucket, data = s3.bucket(), random.Random(3).randbytes(300_000)
    with FaultyProxy(int(s3.endpoint_url.rpartition(":")[2])) as proxy:
        client = boto3.Session().client(
            "s3", endpoint_url=proxy.endpoint_url, aws_access_key_id=s3.access_key, region_name="us-east-1",
            aws_secret_access_key=s3.secret_key, config=Config(retries={"mode": "standard", "total_max_attempts": 8}),
        )  # fmt: skip
        client.put_object(Bucket=bucket, Key="before", Body=data)
        amount = {"stall": 0.2, "slow": 1e6}.get(kind, 0)
        proxy.inject(Fault(kind, count=2, seconds=0.5 if kind == "refuse" else None, amount=amount))
        client.put_object(Bucket=bucket, Key="a", Body=data)
        for _ in range(3):  # botocore does not read a body again, that is the caller's to do
            try:
                assert client.get_object(Bucket=bucket, Key="a")["Body"].read() == data
            except (IncompleteReadError, ResponseStreamingError):
                continue
            break
        assert client.get_object(Bucket=bucket, Key="a")["Body"].read() == data
        try:
            client.put_object(Bucket=bucket, Key="a", Body=b"", IfNoneMatch="*")
        except ClientError as error:
            assert error.response["Error"]["Code"] == "PreconditionFailed"
        assert proxy.counts[kind] == (1 if kind == "refuse" else 2)
    plain = s3.client()
    assert [entry["Key"] for entry in plain.list_objects_v2(Bucket=bucket)["Contents"]] == ["a", "before"]
    assert hashlib.sha256(plain.get_object(Bucket=bucket, Key="a")["Body"].read()).digest() == (
        hashlib.sha256(data).digest()
    )
