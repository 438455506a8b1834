"""Server-sent events on the wire: their bytes, one viewer's bounded queue, the ASGI response.

sse-starlette is not used for the response: it replaces uvicorn's signal handler when imported,
keeps four tasks a stream and a poller of its own for the shutdown, while our end is an ordered
list; and its ping could not be withheld when the data behind the stream has grown old.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.types import Receive, Scope, Send

from server.web import SECURITY_HEADERS

QUEUE_ITEMS = 256
QUEUE_BYTES = 1 << 20
PIECE_BYTES = 1 << 16
HEADERS: list[tuple[bytes, bytes]] = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    *SECURITY_HEADERS,
]


def frame(last: int, kind: str, first: int, body: bytes) -> bytes:
    """One message: `body` is an encoded JSON object, which gets `from` as its first member."""
    rest = b"}" if body == b"{}" else b"," + body[1:]
    return b'id: %d\nevent: %s\ndata: {"from":%d%s\n\n' % (last, kind.encode(), first, rest)


def comment(text: str) -> bytes:
    """A line that shows life and is no message."""
    return f": {text}\n\n".encode()


def position(seq: int) -> bytes:
    """Sets the viewer's Last-Event-ID without a message (WHATWG: empty data is not dispatched)."""
    return b"id: %d\n\n" % seq


def retry_hint() -> bytes:
    """When to come back, spread over 1 to 5 s: five hundred consoles must not knock at once."""
    return b"retry: %d\n\n" % random.randint(1000, 5000)


class Watcher:
    """What one viewer is still to be sent. Never more than QUEUE_BYTES wait, save one item.

    While `live`, its feed puts messages here. Otherwise it is catching up from `seen`, and if
    `lost` names a reason it must first be told to refetch.
    """

    def __init__(self, seen: int) -> None:
        self.seen = seen  # everything up to here was sent, or hidden, or is in the queue
        self.last = seen  # the id of the newest message sent or in the queue
        self.taken = seen  # the id of the newest message handed to the connection
        self.live = False
        self.ended = False
        self.lost: str | None = None
        self.busy_since: float | None = None
        self.task: asyncio.Task[Any] | None = None
        self._queue: deque[tuple[bytes, int]] = deque()
        self._size = 0
        self._ready = asyncio.Event()

    def put(self, data: bytes, last: int) -> bool:
        """Queues messages ending with id `last`. False: it is full, so the viewer is `lost`."""
        full = len(self._queue) >= QUEUE_ITEMS or self._size + len(data) > QUEUE_BYTES
        if self._queue and full:
            self.lose("slow")
            return False
        self._queue.append((data, last))
        self._size += len(data)
        self.last = last
        self._ready.set()
        return True

    def beat(self, data: bytes) -> None:
        """Queues a sign of life, unless messages are waiting, which are one themselves."""
        if self.live and not self._queue:
            self.put(data, self.last)

    def lose(self, reason: str) -> None:
        """Drops what waits; the viewer will be told to refetch."""
        self.live, self.lost = False, reason
        self._queue.clear()
        self._size = 0
        self._ready.set()

    def end(self) -> None:
        """Lets the stream run out."""
        self.ended = True
        self._ready.set()

    def nudge(self) -> None:
        """Wakes a viewer that waits for its feed to move."""
        self._ready.set()

    async def nudged(self) -> None:
        """Waits for anything to happen."""
        await self._ready.wait()
        self._ready.clear()

    def take(self) -> bytes:
        """The next piece of what waits, about PIECE_BYTES long; empty if nothing does."""
        pieces: list[bytes] = []
        size = 0
        while self._queue and size < PIECE_BYTES:
            data, self.taken = self._queue.popleft()
            pieces.append(data)
            size += len(data)
        self._size -= size
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class EventStream:
    """The ASGI response of one stream: `pieces` yields its bytes until it is to end."""

    def __init__(self, watcher: Watcher, pieces: Callable[[], AsyncIterator[bytes]]) -> None:
        self._watcher = watcher
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends until the viewer leaves or the watcher ends."""
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        gone = asyncio.create_task(_until_gone(receive), name="stream viewer")
        gone.add_done_callback(lambda _: self._watcher.end())
        try:
            await self._send_all(send)
        except asyncio.CancelledError:
            if not self._watcher.ended:
                raise
            asyncio.current_task().uncancel()  # type: ignore[union-attr]
        finally:
            gone.cancel()

    async def _send_all(self, send: Send) -> None:
        async for piece in self._pieces():
            self._watcher.busy_since = time.monotonic()
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            self._watcher.busy_since = None
        await send({"type": "http.response.body", "body": b""})


async def headers_only(scope: Scope, receive: Receive, send: Send) -> None:
    """The answer to HEAD: a stream would never end it."""
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b""})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
