"""A plain HTTP/1.1 load generator: fixed connections, prepared requests, one in flight each.

It reads just enough of an answer to know its status and its end, so that on two cores the
server is what is measured. Everything stays on loopback and ends by itself. With a `Pace` requests
go out when they are due, whatever became of those before, as long as a connection is free.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

END = b"\r\n\r\n"
LENGTH = b"content-length: "


@dataclass
class Tally:
    """What came back: answers by status, seconds each took, seconds in all."""

    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def good(self) -> int:
        """Answers of 200 to 299."""
        return sum(n for status, n in self.statuses.items() if 200 <= status < 300)

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return self.good / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        """The latency in seconds below which `share` of the answers came."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Pace:
    """When requests are due, at so many a second. What is late by LATE_S is left out."""

    LATE_S = 0.5

    def __init__(self, rate: float) -> None:
        self._step = 1 / rate
        self._due = time.perf_counter()

    def wait(self) -> float:
        """Seconds until the next request is due; 0 or less if it is."""
        now = time.perf_counter()
        due = max(self._due, now - self.LATE_S)
        self._due = due + self._step
        return due - now


class _Line(asyncio.Protocol):
    """One connection: sends, waits for the whole answer, sends the next."""

    def __init__(
        self,
        make: Callable[[], bytes | None],
        tally: Tally,
        done: asyncio.Event,
        pace: Pace | None,
    ) -> None:
        self._make = make
        self._pace = pace
        self._tally = tally
        self._done = done
        self._buffer = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        head_end = self._buffer.find(END)
        if head_end < 0:
            return
        at = self._buffer.find(LENGTH)
        if at < 0:
            at = self._buffer.lower().find(LENGTH)
        length = int(self._buffer[at + len(LENGTH) : self._buffer.index(b"\r\n", at)])
        if len(self._buffer) < head_end + len(END) + length:
            return
        self._tally.statuses[int(self._buffer[9:12])] += 1
        self._tally.latencies.append(time.perf_counter() - self._sent_at)
        self._buffer = b""
        self._next()

    def connection_lost(self, _: Exception | None) -> None:
        self._done.set()

    def _next(self) -> None:
        wait = self._pace.wait() if self._pace else 0.0
        if wait > 0:
            asyncio.get_running_loop().call_later(wait, self._send)
        else:
            self._send()

    def _send(self) -> None:
        assert self._transport is not None
        request = self._make()
        if request is None:
            self._transport.close()
            self._done.set()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)


def post(path: str, token: str, body: bytes, *, host: str = "bench") -> bytes:
    """A ready request."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def blast(
    port: int,
    make: Callable[[], bytes | None],
    *,
    connections: int,
    seconds: float,
    pace: Pace | None = None,
) -> Tally:
    """Sends what `make` gives until it gives None or the time is up."""
    tally = Tally()
    end = time.perf_counter() + seconds

    def bounded() -> bytes | None:
        return make() if time.perf_counter() < end else None

    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    ends = [asyncio.Event() for _ in range(connections)]
    for event in ends:
        await loop.create_connection(
            lambda event=event: _Line(bounded, tally, event, pace), "127.0.0.1", port
        )
    await asyncio.wait_for(asyncio.gather(*(e.wait() for e in ends)), seconds + 30)
    tally.seconds = time.perf_counter() - started
    return tally
