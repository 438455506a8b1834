"""A small HTTP/1.1 server that can also misbehave: hang, or break off mid-answer.

Parsed by httptools without a framework between: the stand-in must outrun the senders
it measures, and no framework lets a handler break its connection.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import httptools

from .answers import Answer

HOST = "127.0.0.1"
_NO_LINGER = struct.pack("ii", 1, 0)


class Request(NamedTuple):
    """One request: method, target (path and query), Authorization header, body."""

    method: str
    target: str
    authorization: str
    body: bytes


class Connection(asyncio.Protocol):
    """A keep-alive connection: requests are answered in order, one at a time.

    The handler ends each request by exactly one of `reply`, `hang`, `cut`, `abort`, or
    by taking the transport over (`take`).
    """

    def __init__(self, server: "HttpServer") -> None:
        self.busy = False
        self.transport: asyncio.Transport
        self._server = server
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._keep = True
        self._url = b""
        self._authorization = b""
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio calls this once."""
        # uvloop's transport only resembles asyncio's, so this is not an isinstance.
        self.transport = transport  # type: ignore[assignment]
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio calls this once; the peer is gone."""
        self._server.connections.discard(self)
        self._server.lost(self)

    def data_received(self, data: bytes) -> None:
        """Feeds the parser; a peer that does not speak HTTP is cut off."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.close()

    def on_message_begin(self) -> None:
        """A new request starts."""
        self._url, self._authorization, self._body = b"", b"", []

    def on_url(self, url: bytes) -> None:
        """Called once or more often with pieces of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Only the credentials matter."""
        if name.lower() == b"authorization":
            self._authorization = value

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """The request is whole: handle it, or queue it behind the present one."""
        request = Request(
            self._parser.get_method().decode(),
            self._url.decode("latin-1"),
            self._authorization.decode("latin-1"),
            b"".join(self._body),
        )
        keep = self._parser.should_keep_alive()
        if self.busy:
            self._waiting.append((request, keep))
        else:
            self._begin(request, keep)

    def _begin(self, request: Request, keep: bool) -> None:
        self.busy, self._keep = True, keep
        self._server.handle(request, self)

    def reply(self, answer: Answer, delay_s: float = 0.0) -> None:
        """Answers, now or after `delay_s`."""
        if delay_s > 0:
            asyncio.get_running_loop().call_later(delay_s, self.reply, answer)
            return
        if self.transport.is_closing():
            return
        self.transport.write(answer.wire(keep=self._keep))
        self.busy = False
        if not self._keep:
            self.transport.close()
        elif self._waiting:
            self._begin(*self._waiting.popleft())

    def hang(self) -> None:
        """Never answers; the connection stays open until the peer gives up."""

    def cut(self, answer: Answer, delay_s: float = 0.0) -> None:
        """Writes half of the answer, then resets the connection."""
        wire = answer.wire()
        half = wire[: len(wire) // 2]
        asyncio.get_running_loop().call_later(delay_s, self._cut, half)

    def _cut(self, wire: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(wire)
            self.abort()

    def abort(self) -> None:
        """Resets the connection."""
        # Without lingering the kernel sends RST and not FIN: a broken network.
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.transport.abort()

    def take(self) -> asyncio.Transport:
        """Gives the transport away for a stream; no further request is read."""
        self._waiting.clear()
        return self.transport


class HttpServer:
    """Listens on 127.0.0.1 and hands each request to `handle`.

    `lost` hears of every connection that ended.
    """

    def __init__(
        self,
        handle: Callable[[Request, Connection], None],
        lost: Callable[[Connection], None],
    ) -> None:
        self.handle = handle
        self.lost = lost
        self.connections: set[Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> None:
        """Serves on `port`; 0 takes any free one."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), HOST, port)

    async def stop(self) -> None:
        """Stops listening and drops every connection, hung ones too."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self.connections):
            connection.transport.abort()
        await self._server.wait_closed()
        self._server = None

    @property
    def port(self) -> int:
        """The port; raises RuntimeError before `start`."""
        if self._server is None:
            raise RuntimeError("the server is not running")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def busy(self) -> int:
        """Connections with an unanswered request."""
        return sum(connection.busy for connection in self.connections)
