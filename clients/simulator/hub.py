"""From the stand-in to the phones: who holds which token, and how pushes reach them."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

_HEARTBEAT_S = 10.0
# Lines of one write to a stream; more would starve the answers to senders.
_BATCH = 500


class Push(msgspec.Struct, frozen=True):
    """A message as the phone's operating system hands it to the app."""

    token: str
    message_id: str
    data: dict[str, str]
    notification: dict[str, str]
    high_priority: bool
    sent_at: float


class Sink(Protocol):
    """Anything that takes pushes; `pending` are those it could not pass on yet."""

    def push(self, push: Push) -> None:
        """Takes one push; must not block."""

    @property
    def pending(self) -> int:
        """How many wait."""


class Callback:
    """Phones of this process: calls a function for each push, on the event loop."""

    pending = 0

    def __init__(self, function: Callable[[Push], None]) -> None:
        self._function = function

    def push(self, push: Push) -> None:
        """Calls the function; it must not block."""
        self._function(push)


class Group:
    """Phones of another process: pushes as JSON lines over one chunked answer.

    While nobody listens they wait, as with FCM while a phone is off; `limit` bounds
    the memory and drops the oldest. What was written to a connection that then broke
    is lost: FCM promises no more.
    """

    def __init__(self, limit: int = 200_000) -> None:
        self._waiting: deque[bytes] = deque(maxlen=limit)
        self._transport: asyncio.Transport | None = None
        self._flushing = False
        self._beat: asyncio.TimerHandle | None = None

    @property
    def pending(self) -> int:
        """Pushes not yet written to a listener."""
        return len(self._waiting)

    def push(self, push: Push) -> None:
        """Queues the push and writes it with its neighbours in the next loop turn."""
        self._waiting.append(msgspec.json.encode(push) + b"\n")
        self._wake()

    def attach(self, transport: asyncio.Transport) -> None:
        """Streams to this connection from now on; a former listener is let go."""
        self.close()
        transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        self._transport = transport
        self._heartbeat()
        self._wake()

    def detach(self, transport: asyncio.Transport | None) -> None:
        """Stops streaming to `transport` if it is the present listener."""
        if transport is None or transport is not self._transport:
            return
        self._transport = None
        if self._beat is not None:
            self._beat.cancel()
        transport.close()

    def close(self) -> None:
        """Ends the stream; what waits stays."""
        self.detach(self._transport)

    def _wake(self) -> None:
        if not self._flushing and self._transport is not None:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._transport is None or not self._waiting:
            return
        count = min(_BATCH, len(self._waiting))
        self._write(b"".join(self._waiting.popleft() for _ in range(count)))
        if self._waiting:
            self._wake()

    def _write(self, lines: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"%x\r\n%b\r\n" % (len(lines), lines))

    def _heartbeat(self) -> None:
        # An empty line, so that a listener notices a dead connection.
        self._write(b"\n")
        loop = asyncio.get_running_loop()
        self._beat = loop.call_later(_HEARTBEAT_S, self._heartbeat)


class Device(msgspec.Struct):
    """A registration token: its project, where its pushes go, and whether it lives."""

    project: str
    sink: Sink | None = None
    alive: bool = True


class Hub:
    """All registration tokens."""

    def __init__(self) -> None:
        self.pushed = 0
        self._devices: dict[str, Device] = {}
        self._groups: dict[str, Group] = {}

    def __len__(self) -> int:
        return len(self._devices)

    def device(self, token: str) -> Device | None:
        """The device of a token, also one that has been unregistered."""
        return self._devices.get(token)

    def register(self, project: str, tokens: Iterable[str], sink: Sink | None = None) -> int:
        """Makes tokens valid for `project`; their pushes go to `sink`. Repeatable."""
        count = 0
        for token in tokens:
            self._devices[token] = Device(project, sink)
            count += 1
        return count

    def unregister(self, tokens: Iterable[str]) -> int:
        """The apps were removed: from now on 404 UNREGISTERED."""
        known = [self._devices[token] for token in tokens if token in self._devices]
        for device in known:
            device.alive = False
        return len(known)

    def group(self, name: str) -> Group:
        """The group of phones with this name, made at first mention."""
        return self._groups.setdefault(name, Group())

    def leave(self, transport: asyncio.Transport) -> None:
        """A connection is gone; it may have been a group's listener."""
        for group in self._groups.values():
            group.detach(transport)

    @property
    def pending(self) -> int:
        """Pushes that wait for a listener."""
        return sum(group.pending for group in self._groups.values())

    def deliver(self, push: Push, delay_s: float = 0.0) -> None:
        """Hands the push to its phone, at once or after `delay_s`."""
        if delay_s > 0:
            asyncio.get_running_loop().call_later(delay_s, self.deliver, push)
            return
        device = self._devices.get(push.token)
        if device is not None and device.alive and device.sink is not None:
            self.pushed += 1
            device.sink.push(push)

    def close(self) -> None:
        """Ends all streams."""
        for group in self._groups.values():
            group.close()
