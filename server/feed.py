"""An operation's newest events as this process knows them, and what each scope is told of them.

A `Tail` follows one operation. A `Feed` turns what it holds into messages for one scope, once
for all who watch with that scope.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, field
from itertools import accumulate, islice, takewhile
from typing import Any

import msgspec
from prometheus_client import Counter, Histogram

from server import log, sse, stream
from server.auth import Scope
from server.db import Database
from server.errors import Unavailable
from server.stream import Event

LOGGER = log.get("feed")
FLUSH_S = 0.25  # between flushes of a feed: at most 4 a second
URGENT_S = 0.05  # between flushes that an urgent event asks for
READ_S = 0.02  # between reads of one operation's events
FLUSH_MOST = 1000  # events a flush
READ_MOST = 200  # events a read: a check-in event holds up to 500 people
RING_EVENTS = 4096
RING_BYTES = 8 << 20
CHUNK_BYTES = 1 << 20  # of events' data that is rendered at once, as JSON text
REPLAYS = 64  # kept for viewers who come back from the same place
PATIENCE_S = 5.0
TRIES = 3

Render = Callable[[int, Scope, list[Event]], Awaitable[Mapping[str, Any] | None]]
FLUSH = Histogram("muster_stream_flush_seconds", "From taking events to handing out messages")
RESYNCS = Counter("muster_stream_resyncs_total", "Viewers told to refetch", ["reason"])


@dataclass(frozen=True)
class Kind:
    """A kind of event, as a domain hands it in.

    `key` says which events of this kind may be merged with each other (None: never). `urgent`
    events are sent at once. `render` gives a message's data, or None where the scope sees
    nothing of it; it gets the events of one key in order and adds no `from`.
    """

    name: str
    key: Callable[[Event], Hashable] | None
    urgent: bool
    render: Render


@dataclass(frozen=True)
class Group:
    """Events that become one message, which stands for the numbers `first` to `last`."""

    first: int
    last: int
    kind: str
    events: list[Event] = field(repr=False)


class Message(msgspec.Struct, frozen=True):
    """A rendered message; `from` is added where it is known: it is the previous id + 1."""

    last: int
    kind: str
    body: bytes


# Messages, and the number of the last event they stand for.
Rendered = tuple[list[Message], int]


class Gap(Exception):
    """Events that were asked for are no longer kept."""


def plan(
    events: Sequence[Event], keys: Mapping[str, Callable[[Event], Hashable] | None]
) -> list[Group]:
    """Groups consecutive events into messages whose ranges follow each other without a gap.

    Groups stand in the order of their first events, and each stands for the numbers up to the
    next one's first. So when a message with id n was sent, everything up to n was.
    """
    groups: dict[Hashable, list[Event]] = {}
    for event in events:
        key = keys.get(event.kind)
        name = (event.seq,) if key is None else (event.kind, key(event))
        groups.setdefault(name, []).append(event)
    firsts = [group[0].seq for group in groups.values()]
    lasts = [first - 1 for first in firsts[1:]] + [e.seq for e in events[-1:]]
    return [
        Group(first, last, group[0].kind, group)
        for first, last, group in zip(firsts, lasts, groups.values(), strict=True)
    ]


def _clip(events: list[Event]) -> list[Event]:
    """As many of the first events as make CHUNK_BYTES, but at least one."""
    sizes = accumulate(e.size for e in events)
    fitting = sum(1 for size in takewhile(lambda size: size <= CHUNK_BYTES, sizes))
    return events[: max(1, fitting)]


def join(messages: Sequence[Message], previous: int) -> bytes:
    """Messages as bytes for a viewer whose last message had the id `previous`."""
    frames = []
    for message in messages:
        frames.append(sse.frame(message.last, message.kind, previous + 1, message.body))
        previous = message.last
    return b"".join(frames)


class Tail:
    """One operation's events as far as this process has read them, the newest kept in memory."""

    def __init__(
        self,
        database: Database,
        operation_id: int,
        kinds: Mapping[str, Kind],
        turns: "Turns",
        head: int,
    ) -> None:
        self.operation_id = operation_id
        self.seq = head
        self.as_of = time.monotonic()  # everything committed before this has been read
        self.era = 0
        self.feeds: dict[Scope, Feed] = {}
        self.task: asyncio.Task[None] | None = None
        self._db = database
        self._turns = turns
        self._urgent = {k.name for k in kinds.values() if k.urgent}
        self._ring: deque[Event] = deque()
        self._bytes = 0
        self._signal = asyncio.Event()

    def wake(self) -> None:
        """Says that there may be something to read."""
        self._signal.set()

    async def run(self) -> None:
        """Reads what is new, whenever woken. A failed read is repeated at the next wake."""
        while True:
            await self._signal.wait()
            self._signal.clear()
            try:
                await self._read()
            except Exception as error:
                LOGGER.warning("stream_read_failed", kind=type(error).__name__)
            await asyncio.sleep(READ_S)

    def polled(self, head: int, before: int, began: float) -> None:
        """Takes note of the head as of `began`, when this tail had read up to `before`."""
        if head < before:
            self._restart(head, "restored")
        if head > self.seq:
            self.wake()
        else:
            self.as_of = max(self.as_of, began)

    def is_fresh(self, within_s: float) -> bool:
        """Whether the record was read to its end within the last `within_s` seconds."""
        return time.monotonic() - self.as_of <= within_s

    def holds(self, seq: int) -> bool:
        """Whether everything after `seq` is in memory."""
        return seq == self.seq or bool(self._ring and self._ring[0].seq - 1 <= seq <= self.seq)

    async def between(self, after: int, upto: int) -> list[Event]:
        """The events after `after` up to `upto`. Raises Gap if they are no longer kept."""
        if after >= upto:
            return []
        if self.holds(after):
            start = after + 1 - self._ring[0].seq
            return list(islice(self._ring, start, start + upto - after))
        async with self._db.transaction(self.operation_id) as con:
            events = await stream.read_after(con, after, upto - after)
        if [e.seq for e in events] != list(range(after + 1, upto + 1)):
            raise Gap
        return events

    async def _read(self) -> None:
        async with self._turns.of("read"):
            after, era, began = self.seq, self.era, time.monotonic()
            async with self._db.transaction(self.operation_id, lane="stream") as con:
                events = await stream.read_after(con, after, READ_MOST)
        if self.era != era:
            return
        if events and events[0].seq != after + 1:
            LOGGER.error("stream_gap", operation=self.operation_id, after=after)
            self._restart(events[0].seq - 1, "gap")
        self._take(events)
        if len(events) == READ_MOST:
            self.wake()
        else:
            self.as_of = max(self.as_of, began)

    def _take(self, events: Sequence[Event]) -> None:
        if not events:
            return
        self._ring.extend(events)
        self._bytes += sum(e.size for e in events)
        while self._ring and (len(self._ring) > RING_EVENTS or self._bytes > RING_BYTES):
            self._bytes -= self._ring.popleft().size
        self.seq = events[-1].seq
        urgent = any(e.kind in self._urgent for e in events)
        for feed in self.feeds.values():
            feed.news(urgent)

    def _restart(self, head: int, reason: str) -> None:
        """The record jumped: a database was restored, or events are missing. All must refetch."""
        self.seq, self.era = head, self.era + 1
        self._ring.clear()
        self._bytes = 0
        for feed in self.feeds.values():
            feed.restart(reason)


class Feed:
    """The messages of one scope. Position `at`: everything up to there was handed out."""

    def __init__(self, tail: Tail, scope: Scope, kinds: Mapping[str, Kind], turns: "Turns") -> None:
        self.scope = scope
        self.at = tail.seq
        self.watchers: set[sse.Watcher] = set()
        self.task: asyncio.Task[None] | None = None
        self._tail = tail
        self._kinds = kinds
        self._keys = {name: kind.key for name, kind in kinds.items()}
        self._turns = turns
        self._as_of = tail.as_of
        self._flushed = 0.0
        self._beaten = 0.0
        self._failures = 0
        self._behind = False
        self._news = asyncio.Event()
        self._urgent = asyncio.Event()
        self._replays: dict[tuple[int, int], asyncio.Task[Rendered]] = {}

    @property
    def as_of(self) -> float:
        """The moment, by time.monotonic, up to which this feed's viewers know everything."""
        return self._tail.as_of if self.at == self._tail.seq else self._as_of

    def news(self, urgent: bool) -> None:
        """Says that the tail has moved."""
        self._news.set()
        if urgent:
            self._urgent.set()

    def beat(self, now: float, every_s: float, fresh_s: float) -> None:
        """Sends the sign of life if it is due and what the viewers know is fresh."""
        age = now - self.as_of
        if now - self._beaten < every_s or age > fresh_s:
            return
        self._beaten = now
        line = sse.comment(f"head {self.at} age {max(age, 0.0):.3f}")
        for watcher in self.watchers:
            watcher.beat(line)

    async def run(self) -> None:
        """Flushes whenever there is news, at most 4 times a second, at once if urgent."""
        while True:
            await self._due()
            try:
                await self._flush()
                self._failures = 0
            except Exception as error:
                self._failed(error)
                await asyncio.sleep(FLUSH_S)

    async def render(self, after: int, upto: int, turn: str = "catch-up") -> Rendered:
        """The messages of this scope for the events after `after` up to `upto`, oldest first.

        What the scope does not see is left out, and covered by the next message's `from`.
        Many large events are not taken at once: the second value is how far this went.
        Raises Gap, Unavailable, and whatever a domain's render raises.
        """
        async with asyncio.timeout(PATIENCE_S):
            async with self._turns.of(turn):
                events = _clip(await self._tail.between(after, upto))
            # Side by side, as turns allow: a panic must not wait for what goes before it.
            work = [self._render(g, turn) for g in plan(events, self._keys)]
            messages = await asyncio.gather(*work, return_exceptions=True)
        for message in messages:
            if isinstance(message, BaseException):
                raise message
        return [m for m in messages if isinstance(m, Message)], events[-1].seq

    async def replay(self, after: int, upto: int) -> Rendered:
        """As `render`, once for all who come back from the same place before the feed moves on.

        A server's restart cuts all consoles at the same number.
        """
        task = self._replays.get((after, upto))
        if task is None:
            if len(self._replays) >= REPLAYS:
                self._replays.clear()
            work = self.render(after, upto)
            task = asyncio.create_task(work, name="replay", context=Context())
            task.add_done_callback(_hear)
            self._replays[after, upto] = task
        try:
            return await asyncio.shield(task)
        except Exception:
            self._replays.pop((after, upto), None)
            raise

    def restart(self, reason: str) -> None:
        """Every viewer must refetch; the feed goes on from where the tail is now."""
        self.at = self._tail.seq
        self._replays.clear()
        for watcher in self.watchers:
            watcher.taken = min(watcher.taken, self.at)
            watcher.lose(reason)

    async def _render(self, group: Group, turn: str) -> Message | None:
        kind = self._kinds.get(group.kind)
        if kind is None:
            return None
        async with self._turns.of(turn):
            data = await kind.render(self._tail.operation_id, self.scope, group.events)
        if data is None:
            return None
        return Message(group.last, group.kind, msgspec.json.encode(data))

    async def _due(self) -> None:
        while self.at >= self._tail.seq:
            self._news.clear()
            await self._news.wait()
        await asyncio.sleep(self._flushed + URGENT_S - time.monotonic())
        pause = self._flushed + FLUSH_S - time.monotonic()
        if pause > 0 and not self._behind and not self._urgent.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._urgent.wait(), pause)

    async def _flush(self) -> None:
        self._flushed = began = time.monotonic()
        era, turn = self._tail.era, "urgent" if self._urgent.is_set() else "flush"
        self._urgent.clear()
        newest, as_of = self._tail.seq, self._tail.as_of
        messages, upto = await self.render(self.at, min(newest, self.at + FLUSH_MOST), turn)
        if self._tail.era != era:
            return
        self.at, self._behind = upto, upto < newest
        if not self._behind:
            self._as_of = as_of
        self._hand_out(messages)
        FLUSH.observe(time.monotonic() - began)

    def _hand_out(self, messages: Sequence[Message]) -> None:
        self._replays.clear()
        joined: dict[int, bytes] = {}
        for watcher in self.watchers:
            if not watcher.live:
                watcher.nudge()
                continue
            watcher.seen = self.at
            if not messages:
                continue
            if watcher.last not in joined:
                joined[watcher.last] = join(messages, watcher.last)
            watcher.put(joined[watcher.last], messages[-1].last)

    def _failed(self, error: Exception) -> None:
        """Keeps trying while the database is away; a defect costs a refetch, not the feed."""
        if isinstance(error, Unavailable | TimeoutError):
            return  # the beats stop, so the boards turn stale
        LOGGER.warning("flush_failed", exc_info=error)
        self._failures += 1
        if isinstance(error, Gap) or self._failures >= TRIES:
            self._failures = 0
            self.restart("error")


def _hear(task: asyncio.Task[Any]) -> None:
    """Takes note of a failure that nobody waits for any more."""
    if not task.cancelled():
        task.exception()


class Turns:
    """How much may use the database at once, so that no sort of work starves another."""

    def __init__(self) -> None:
        most = {"read": 1, "urgent": 4, "flush": 3, "catch-up": 3}
        self._by_sort = {sort: asyncio.Semaphore(n) for sort, n in most.items()}

    def of(self, sort: str) -> asyncio.Semaphore:
        """The turnstile of a sort of work: read, urgent, flush or catch-up."""
        return self._by_sort[sort]
