"""A proxy in front of a store that does to requests what networks and overloaded stores do."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, get_args

from jobs.benchmark.seaweed import free_ports

Kind = Literal["500", "503", "reset", "truncate", "stall", "slow", "cut", "lose", "refuse"]
"""What is done to a request.

`500`, `503` answer so at once, and the store never hears of it. `reset` and `truncate` let the store answer, and end
the connection in the middle of its answer, with an RST or politely. `stall` holds the answer back. `slow` lets both
bodies trickle. `cut` ends both connections in the middle of the request's body. `lose` lets the store do the request,
then resets the connection instead of answering. `refuse` refuses connections, and ends those that there are.
"""

KINDS: tuple[Kind, ...] = get_args(Kind)

_PIECE = 1 << 16
_ERRORS = {
    "500": ("500 Internal Server Error", "InternalError", "We encountered an internal error. Please try again."),
    "503": ("503 Slow Down", "SlowDown", "Please reduce your request rate."),
}
_RST_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with no time to linger


@dataclass(frozen=True)
class Fault:
    """What happens, and to which requests.

    Attributes:
        kind: see `Kind`.
        count: the fault is over after so many requests; no limit if None.
        seconds: the fault is over after this time; no limit if None. `refuse` needs one.
        probability: of each request that could be hit.
        methods: only requests with one of these methods; all if empty.
        path: a regular expression found in the paths of requests that can be hit.
        amount: seconds of a `stall`; bytes per second of `slow`.
    """

    kind: Kind
    count: int | None = None
    seconds: float | None = None
    probability: float = 1.0
    methods: tuple[str, ...] = ()
    path: str = ""
    amount: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault is named {self.kind!r}: choose one of {', '.join(KINDS)}")
        if self.kind in ("stall", "slow") and self.amount <= 0:
            raise ValueError(f"{self.kind} needs an amount")
        if self.kind == "refuse" and self.seconds is None:
            raise ValueError("refuse needs seconds")


@dataclass(frozen=True)
class Hit:
    """A request to which something was done; of `refuse`, the method is CONNECT and the path empty."""

    kind: Kind
    method: str
    path: str


@dataclass
class _Active:
    """A fault that is not over yet."""

    fault: Fault
    left: int | None
    until: float | None

    @property
    def over(self) -> bool:
        return self.left == 0 or (self.until is not None and time.monotonic() >= self.until)


@dataclass(frozen=True)
class _Head:
    """The head of a request or an answer, as it came and as far as it must be understood."""

    raw: bytes
    start: tuple[str, str, str]
    fields: dict[str, str]

    @classmethod
    def parse(cls, raw: bytes) -> _Head:
        first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
        a, b, c = [*first.split(" ", 2), "", ""][:3]
        fields = (line.partition(":") for line in lines)
        return cls(raw, (a, b, c), {name.strip().lower(): value.strip() for name, _, value in fields})

    @property
    def chunked(self) -> bool:
        return "chunked" in self.fields.get("transfer-encoding", "").lower()

    @property
    def length(self) -> int | None:
        return int(self.fields["content-length"]) if "content-length" in self.fields else None

    @property
    def middle(self) -> int:
        """A number of bytes after which the body has begun and is not yet whole."""
        return 1 if self.length is None else (self.length + 1) // 2

    @property
    def expects_continue(self) -> bool:
        return self.fields.get("expect", "").lower() == "100-continue"

    @property
    def closes(self) -> bool:
        return "close" in self.fields.get("connection", "").lower()


class FaultyProxy:
    """Passes HTTP on to a port of this machine, byte for byte, but for the faults that are injected.

    ```python
    with FaultyProxy(port) as proxy:
        proxy.inject(Fault("lose", count=1, methods=("PUT",)))
        ...  # use proxy.endpoint_url
        assert proxy.counts["lose"] == 1
    ```

    Its own thread does the work; every method may be called from any other.

    Attributes:
        hits: what was done, to whom, in order.
        requests: how many came, by method; those done something to are among them.
    """

    def __init__(self, target_port: int, seed: int = 0) -> None:
        self.hits: list[Hit] = []
        self.requests: Counter[str] = Counter()
        self.port = free_ports(1)[0]
        self._target = target_port
        self._random = random.Random(seed)
        self._active: list[_Active] = []
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()
        self._refusals = 0

    @property
    def endpoint_url(self) -> str:
        """Where clients connect to."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def counts(self) -> Counter[str]:
        """How often each kind of fault happened."""
        return Counter(hit.kind for hit in list(self.hits))

    def __enter__(self) -> FaultyProxy:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def inject(self, fault: Fault) -> None:
        """Lets a fault happen from now on. Of several that could hit a request, the earliest that does so is done."""
        if fault.kind == "refuse":
            assert fault.seconds is not None
            asyncio.run_coroutine_threadsafe(self._refuse(fault.seconds), self._loop)
            return
        until = None if fault.seconds is None else time.monotonic() + fault.seconds
        with self._lock:
            self._active.append(_Active(fault, fault.count, until))

    def clear(self) -> None:
        """Ends every fault, but for a refusal, which ends by itself."""
        with self._lock:
            self._active.clear()

    @property
    def quiet(self) -> bool:
        """Whether no fault is left that could hit a request."""
        with self._lock:
            self._active = [active for active in self._active if not active.over]
            listening = self._server is not None and self._server.is_serving()
            return not self._active and not self._refusals and listening

    def _call(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    # All below runs in the proxy's thread.

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=256)

    async def _shut(self) -> None:
        assert self._server is not None
        self._server.close()
        clients = list(self._clients)
        for client in clients:
            _reset(client)
        while self._clients:
            await asyncio.sleep(0.01)

    async def _refuse(self, seconds: float) -> None:
        self._refusals += 1
        if self._refusals == 1:
            self.hits.append(Hit("refuse", "CONNECT", ""))
            await self._shut()
        await asyncio.sleep(seconds)
        self._refusals -= 1
        if not self._refusals:
            await self._listen()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client's connection, and the one to the store that belongs to it."""
        self._clients.add(writer)
        store: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        try:
            while True:
                request = _Head.parse(await reader.readuntil(b"\r\n\r\n"))
                self.requests[request.start[0]] += 1
                fault = self._draw(request)
                if fault is not None and fault.kind in _ERRORS:
                    await self._answer(fault.kind, request, reader, writer)
                else:
                    if store is None or store[0].at_eof():
                        store = await asyncio.open_connection("127.0.0.1", self._target)
                    await self._pass_on(request, fault, (reader, writer), store)
        except (asyncio.IncompleteReadError, _DoneError):
            pass  # the client left, or all that can be said on this connection is said
        except OSError:
            _reset(writer)  # the store cannot be reached, or either side has reset the connection
        finally:
            for end in (writer, *(store or ())[1:]):
                end.close()
            self._clients.discard(writer)

    def _draw(self, request: _Head) -> Fault | None:
        """The fault for a request, if any."""
        method, path, _ = request.start
        with self._lock:
            self._active = [active for active in self._active if not active.over]
            for active in self._active:
                fault = active.fault
                if fault.methods and method not in fault.methods:
                    continue
                if re.search(fault.path, path) and self._random.random() < fault.probability:
                    if active.left is not None:
                        active.left -= 1
                    self.hits.append(Hit(fault.kind, method, path))
                    return fault
        return None

    async def _answer(
        self, kind: Kind, request: _Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """An error, in the store's place."""
        if not request.expects_continue:
            async for _ in _body(request, reader):
                pass
        status, code, message = _ERRORS[kind]
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
        fields = f"Content-Type: application/xml\r\nContent-Length: {len(body)}\r\n"
        if request.expects_continue:  # whether the body will come is not known
            fields += "Connection: close\r\n"
        writer.write(f"HTTP/1.1 {status}\r\n{fields}\r\n".encode() + (b"" if request.start[0] == "HEAD" else body))
        await writer.drain()
        if request.expects_continue or request.closes:
            raise _DoneError

    async def _pass_on(
        self,
        request: _Head,
        fault: Fault | None,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        store: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        """A request to the store, and its answer back."""
        kind = None if fault is None else fault.kind
        rate = fault.amount if fault is not None and kind == "slow" else None
        store[1].write(request.raw)
        if kind == "cut":
            await self._cut(request, client, store)
        sending = asyncio.ensure_future(_send(_body(request, client[0]), store[1], rate))
        try:
            answer = await _answer_head(store[0], client[1])
            body = _body(answer, store[0], request.start[0])
            if fault is not None and kind == "stall":
                await asyncio.sleep(fault.amount)
            if kind == "lose":
                async for _ in body:
                    pass
                _reset(client[1])
                raise _DoneError
            if kind in ("reset", "truncate"):
                await self._break_off(kind, answer, body, client[1])
            client[1].write(answer.raw)
            await _copy(body, client[1], rate)
            # An answer that came before the end of the request's body: what follows it is no request.
            if not sending.done() or request.closes or answer.closes:
                raise _DoneError
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError, OSError, asyncio.IncompleteReadError):
                await sending

    async def _cut(
        self,
        request: _Head,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        store: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        """Sends half of the request's body, then resets both connections."""
        if request.expects_continue:
            client[1].write(await store[0].readuntil(b"\r\n\r\n"))
        await _copy(_up_to(_body(request, client[0]), request.middle), store[1])
        _reset(client[1])
        _reset(store[1])
        raise _DoneError

    async def _break_off(
        self, kind: Kind, answer: _Head, body: AsyncIterator[bytes], client: asyncio.StreamWriter
    ) -> None:
        """Ends the client's connection in the middle of the body, or of the head of an answer without one."""
        pieces = [piece async for piece in _up_to(body, answer.middle)]
        client.write(answer.raw if pieces else answer.raw[: len(answer.raw) // 2])
        await _copy(_each(pieces), client)
        if kind == "reset":
            await asyncio.sleep(0.01)  # what was written is to arrive before the reset, which would discard it
            _reset(client)
        raise _DoneError


class _DoneError(Exception):
    """A connection is to be closed."""


async def _answer_head(store: asyncio.StreamReader, client: asyncio.StreamWriter) -> _Head:
    """The head of the answer proper; `100 Continue` and the like are passed on."""
    while True:
        answer = _Head.parse(await store.readuntil(b"\r\n\r\n"))
        if not answer.start[1].startswith("1"):
            return answer
        client.write(answer.raw)
        await client.drain()


async def _body(head: _Head, reader: asyncio.StreamReader, method: str | None = None) -> AsyncIterator[bytes]:
    """The body that follows a head, as it is on the wire, in pieces.

    Args:
        head: of a request or an answer.
        reader: the connection, just behind the head.
        method: of the request, if the head is an answer's.
    """
    if method == "HEAD" or head.start[1] in ("204", "304"):
        return
    if head.chunked:
        while True:
            line = await reader.readuntil(b"\r\n")
            yield line
            size = int(line.split(b";")[0], 16)
            if not size:
                break
            async for piece in _exactly(reader, size + 2):
                yield piece
        while line != b"\r\n":  # trailers
            line = await reader.readuntil(b"\r\n")
            yield line
    elif head.length is not None:
        async for piece in _exactly(reader, head.length):
            yield piece
    elif method is not None:
        while piece := await reader.read(_PIECE):
            yield piece
        raise _DoneError


async def _exactly(reader: asyncio.StreamReader, size: int) -> AsyncIterator[bytes]:
    while size:
        piece = await reader.read(min(size, _PIECE))
        if not piece:
            raise asyncio.IncompleteReadError(b"", size)
        size -= len(piece)
        yield piece


async def _up_to(pieces: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes]:
    """The first bytes, `most` of them."""
    async for piece in pieces:
        yield piece[:most]
        most -= len(piece)
        if most <= 0:
            return


async def _each(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def _copy(pieces: AsyncIterator[bytes], writer: asyncio.StreamWriter, rate: float | None = None) -> None:
    """Writes pieces as they come, at no more than `rate` bytes a second."""
    async for piece in pieces:
        step = len(piece) if rate is None else max(1, int(rate / 10))
        for at in range(0, len(piece), step):
            part = piece[at : at + step]
            writer.write(part)
            await writer.drain()
            if rate is not None:
                await asyncio.sleep(len(part) / rate)


async def _send(body: AsyncIterator[bytes], store: asyncio.StreamWriter, rate: float | None) -> None:
    """Sends a request's body; if the client breaks off, so that the store would wait for the rest, so does this."""
    try:
        await _copy(body, store, rate)
    except (OSError, asyncio.IncompleteReadError):
        _reset(store)
        raise


def _reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection with an RST."""
    connection: socket.socket | None = writer.get_extra_info("socket")
    if connection is not None and not writer.transport.is_closing():
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
        writer.transport.abort()
