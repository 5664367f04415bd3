"""A relay in front of the S3 server that lets a test change what is answered; faults of the network are the proxy's."""

import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class Exchange:
    """One request, and the answer once it has been forwarded."""

    def __init__(self, upstream: str, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        self.upstream, self.method, self.path, self.headers, self.body = upstream, method, path, headers, body
        self.status, self.answer_headers, self.answer = 0, dict[str, str](), b""

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

    def refuse(self, status: int, code: str) -> None:
        """Answer with an error in the store's place."""
        self.status, self.answer_headers = status, {}
        self.answer = f"<Error><Code>{code}</Code><Message>as the test wants it</Message></Error>".encode()


class Relay(ThreadingHTTPServer):
    """Calls `change` with every exchange before it is forwarded; `change` may forward it, and alter the answer."""

    def __init__(self, endpoint_url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(endpoint_url).netloc
        self.change: Callable[[Exchange], None] = lambda exchange: None
        self.seen: list[Exchange] = []
        self._thread = threading.Thread(target=self.serve_forever, args=[0.01])  # seconds until it notices the end

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> "Relay":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Relay

    def _relay(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        exchange = Exchange(self.server.upstream, self.command, self.path, dict(self.headers.items()), body)
        self.server.seen.append(exchange)
        self.server.change(exchange)
        if not exchange.status:
            exchange.forward()
        self.send_response_only(exchange.status)
        for name, value in exchange.answer_headers.items():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", exchange.answer_headers.get("Content-Length", str(len(exchange.answer))))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(exchange.answer)
        self.close_connection = True

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _relay  # noqa: N815 (names that the base class looks for)

    def log_message(self, *_: object) -> None:
        pass
