"""The live stream of an operation to any number of viewers (GET /v1/stream).

Writers append to the record (`stream.append`) and may wake the hub of their own process; the
hub of every process polls the heads, so each sees each event within POLL_S. Messages are
numbered without a gap: see `feed.plan`. No domain is known here: domains hand in their kinds.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import msgspec
from prometheus_client import Gauge

from server import errors, log, sse, web
from server.auth import Authenticator, Scope
from server.batch import Batcher
from server.db import PATIENCE, Database
from server.feed import READ_MOST, RESYNCS, Feed, Gap, Kind, Tail, Turns, join
from server.sse import EventStream, Watcher
from server.stream import trim_events

__all__ = ["Hub", "Kind", "endpoints", "trim_events"]

LOGGER = log.get("hub")
POLL_S = 0.1
BEAT_S = 5.0
FRESH_S = 2.0  # a beat is withheld when what viewers know is older: then their boards turn stale
CHECK_S = 30.0  # between looks at whether a viewer may still see what it sees
STUCK_S = 30.0  # a connection that takes nothing for this long is cut
CLOSE_S = 0.7

_BOUNDS = "SELECT (SELECT seq FROM stream_head) AS head, (SELECT min(seq) FROM event) AS oldest"
WATCHERS = Gauge("muster_stream_watchers", "Open streams of this process")
AGE = Gauge("muster_stream_age_seconds", "Age of the oldest news any viewer here is shown")

Check = Callable[[], Awaitable[Scope]]


@dataclass(eq=False)
class Seat:
    """One viewer's place: which feed it follows, and when its rights are looked at next."""

    watcher: Watcher
    tail: Tail
    feed: Feed
    check: Check
    check_at: float


class Hub:
    """All streams of one process. `run` is its supervised task, `close` its ordered end."""

    def __init__(self, database: Database, kinds: Iterable[Kind]) -> None:
        self._db = database
        self._kinds = {kind.name: kind for kind in kinds}
        self._tails: dict[int, Tail] = {}
        self._seats: set[Seat] = set()
        self._turns = Turns()
        # Five hundred consoles that come back at once must not take five hundred connections.
        self._bounds: Batcher[int, tuple[int, int]] = Batcher(
            self._read_bounds, name="stream bounds", patience=PATIENCE
        )
        self._group: asyncio.TaskGroup | None = None
        self._closed = False

    async def run(self) -> None:
        """Follows the record until cancelled. Ends with an error only through a defect."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                group.create_task(self._poll_forever(), name="stream poller")
                group.create_task(self._check_forever(), name="stream checks")
        finally:
            self._group = None
            self._end_all()

    def wake(self, operation_id: int) -> None:
        """Says that a transaction of this operation has committed events. Costs next to nothing."""
        tail = self._tails.get(operation_id)
        if tail is not None:
            tail.wake()

    async def close(self) -> None:
        """Ends every stream, within about a second, with a hint when to come back."""
        self._closed = True
        self._end_all()
        tasks = [seat.watcher.task for seat in self._seats if seat.watcher.task]
        if tasks:
            _, stuck = await asyncio.wait(tasks, timeout=CLOSE_S)
            for task in stuck:
                task.cancel()

    @asynccontextmanager
    async def seat(
        self, operation_id: int, scope: Scope, after: int | None, check: Check
    ) -> AsyncIterator[Seat]:
        """A viewer's place, beginning after event `after`, or now if None.

        `check` gives the scope as it is now, or raises Problem when the viewer may no longer
        watch. Raises Unavailable while the database is away or the process is ending.
        """
        if self._closed or self._group is None:
            raise errors.Unavailable("This server is starting or stopping. Come back.")
        seat = await self._sit_down(operation_id, scope, after, check)
        seat.watcher.task = asyncio.current_task()
        WATCHERS.inc()
        try:
            yield seat
        finally:
            WATCHERS.dec()
            self._seats.discard(seat)
            self._leave(seat)

    async def pieces(self, seat: Seat) -> AsyncIterator[bytes]:
        """The bytes of one stream, until its watcher ends."""
        watcher = seat.watcher
        yield sse.retry_hint() + sse.comment(f"head {seat.feed.at}") + sse.position(watcher.last)
        while not watcher.ended:
            piece = watcher.take() if watcher.live else await self._advance(seat)
            if piece:
                yield piece
            elif watcher.live:
                await watcher.nudged()
        yield sse.retry_hint()

    async def _sit_down(
        self, operation_id: int, scope: Scope, after: int | None, check: Check
    ) -> Seat:
        tail = self._tails.get(operation_id)
        if tail and tail.is_fresh(FRESH_S) and after is not None and tail.holds(after):
            return self._take_seat(tail, scope, after, check)
        head, oldest = await self._bounds.submit(operation_id)
        begin = head if after is None else min(after, head)
        tail = self._tails.get(operation_id) or self._follow(operation_id, head)
        tail.wake()
        seat = self._take_seat(tail, scope, begin, check)
        if after is not None and after > head:
            seat.watcher.lose("ahead")
        elif begin + 1 < oldest:
            seat.watcher.lose("old")
        return seat

    def _take_seat(self, tail: Tail, scope: Scope, after: int, check: Check) -> Seat:
        check_at = time.monotonic() + CHECK_S * random.uniform(0.5, 1)
        seat = Seat(Watcher(after), tail, self._feed(tail, scope), check, check_at)
        seat.feed.watchers.add(seat.watcher)
        self._seats.add(seat)
        return seat

    async def _read_bounds(self, operations: Sequence[int]) -> Sequence[tuple[int, int]]:
        """Of each operation the newest event's number, and the oldest kept one's."""
        bounds: dict[int, tuple[int, int]] = {}
        for operation_id in set(operations):
            async with self._db.transaction(operation_id) as con:
                row = await con.fetchrow(_BOUNDS)
            oldest = row["head"] + 1 if row["oldest"] is None else row["oldest"]
            bounds[operation_id] = row["head"], oldest
        return [bounds[operation_id] for operation_id in operations]

    def _follow(self, operation_id: int, head: int) -> Tail:
        tail = Tail(self._db, operation_id, self._kinds, self._turns, head)
        tail.task = self._start(tail.run(), f"tail of operation {operation_id}")
        self._tails[operation_id] = tail
        return tail

    def _feed(self, tail: Tail, scope: Scope) -> Feed:
        feed = tail.feeds.get(scope)
        if feed is None:
            feed = Feed(tail, scope, self._kinds, self._turns)
            feed.task = self._start(feed.run(), f"feed of operation {tail.operation_id}")
            tail.feeds[scope] = feed
        return feed

    def _start(self, work: Any, name: str) -> asyncio.Task[None]:
        """Starts a task of `run`'s group, free of the log fields of the request at hand."""
        try:
            assert self._group is not None  # noqa: S101 - `seat` has looked
            return self._group.create_task(work, name=name, context=Context())
        except (RuntimeError, AssertionError):  # `run` has ended since
            work.close()
            raise errors.Unavailable("This server is stopping. Come back.") from None

    def _leave(self, seat: Seat) -> None:
        """Takes the viewer out of its feed; what nobody watches any more is not followed."""
        seat.feed.watchers.discard(seat.watcher)
        if seat.feed.watchers:
            return
        _stop(seat.feed.task)
        if seat.tail.feeds.get(seat.feed.scope) is seat.feed:
            del seat.tail.feeds[seat.feed.scope]
        if not seat.tail.feeds and self._tails.get(seat.tail.operation_id) is seat.tail:
            _stop(seat.tail.task)
            del self._tails[seat.tail.operation_id]

    async def _advance(self, seat: Seat) -> bytes:
        """One step of a viewer that does not follow its feed yet; it does once it is level."""
        watcher, feed = seat.watcher, seat.feed
        level = watcher.seen if watcher.lost is None else watcher.taken
        if level > feed.at:
            await watcher.nudged()
            return b""
        if watcher.lost is not None:
            return _resync(watcher, feed.at)
        if level == feed.at:
            watcher.live = True
            return b""
        return await self._catch_up(watcher, feed)

    async def _catch_up(self, watcher: Watcher, feed: Feed) -> bytes:
        upto = min(feed.at, watcher.seen + READ_MOST)
        try:
            messages, upto = await feed.replay(watcher.seen, upto)
        except Gap:
            watcher.lose("old")
            return b""
        except (errors.Unavailable, TimeoutError):
            await asyncio.sleep(0.25)
            return b""
        except Exception:
            LOGGER.exception("catch_up_failed")
            watcher.lose("error")
            return b""
        if watcher.lost is not None:
            return b""
        data = join(messages, watcher.last)
        watcher.seen = upto
        if messages:
            watcher.last = watcher.taken = messages[-1].last
        return data or sse.comment(f"at {upto}")

    async def _poll_forever(self) -> None:
        failing = False
        while True:
            try:
                await self._poll()
                failing = False
            except Exception as error:
                if not failing:
                    LOGGER.warning("stream_poll_failing", kind=type(error).__name__)
                failing = True
            self._beat()
            await asyncio.sleep(POLL_S)

    async def _poll(self) -> None:
        before = {tail: tail.seq for tail in self._tails.values()}
        if not before:
            return
        began = time.monotonic()
        async with asyncio.timeout(FRESH_S), self._db.connection("stream") as con:
            heads = dict(await con.fetch("SELECT operation_id, seq FROM stream_heads()"))
        for tail, seq in before.items():
            if tail.operation_id in heads:
                tail.polled(heads[tail.operation_id], seq, began)

    def _beat(self) -> None:
        now = time.monotonic()
        feeds = list(self._feeds())
        AGE.set(max((now - feed.as_of for feed in feeds), default=0.0))
        for feed in feeds:
            feed.beat(now, BEAT_S, FRESH_S)

    def _feeds(self) -> Iterator[Feed]:
        for tail in self._tails.values():
            yield from tail.feeds.values()

    async def _check_forever(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            now = time.monotonic()
            for seat in self._seats:
                busy = seat.watcher.busy_since
                if busy is not None and now - busy > STUCK_S:
                    _cut(seat.watcher)
            due = [seat for seat in self._seats if seat.check_at <= now]
            await asyncio.gather(*(self._check(seat) for seat in due))

    async def _check(self, seat: Seat) -> None:
        seat.check_at = time.monotonic() + CHECK_S
        try:
            scope = await seat.check()
        except errors.Unavailable:
            return  # without a database there are no beats either, so the board is stale
        except errors.Problem:
            seat.watcher.end()
            return
        if scope != seat.feed.scope and seat in self._seats:
            self._move(seat, scope)

    def _move(self, seat: Seat, scope: Scope) -> None:
        old = Seat(seat.watcher, seat.tail, seat.feed, seat.check, 0)
        seat.feed = self._feed(seat.tail, scope)
        seat.feed.watchers.add(seat.watcher)
        self._leave(old)
        seat.watcher.lose("scope")

    def _end_all(self) -> None:
        for seat in self._seats:
            seat.watcher.end()


def _resync(watcher: Watcher, at: int) -> bytes:
    reason, first = str(watcher.lost), min(watcher.taken + 1, at)
    RESYNCS.labels(reason).inc()
    watcher.lost, watcher.live = None, True
    watcher.seen = watcher.last = watcher.taken = at
    body = msgspec.json.encode({"reason": reason})
    return sse.frame(at, "resync", first, body)


def _cut(watcher: Watcher) -> None:
    watcher.end()
    if watcher.task is not None:
        watcher.task.cancel()


def _stop(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()


class StreamQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`after`: the number of the last event the caller already knows."""

    after: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None


def endpoints(hub: Hub, auth: Authenticator) -> list[web.Endpoint]:
    """The one call of the stream."""

    async def watch(call: web.Call) -> web.Reply:
        after = _position(call)
        who = call.me
        scope = await auth.scope(who)
        check = partial(_look_again, auth, str(call.token))

        async def app(asgi: Any, receive: Any, send: Any) -> None:
            if asgi["method"] == "HEAD":
                await sse.headers_only(asgi, receive, send)
                return
            async with hub.seat(who.operation_id, scope, after, check) as seat:
                await EventStream(seat.watcher, partial(hub.pieces, seat))(asgi, receive, send)

        return web.Reply(200, app=app)

    return [
        web.Endpoint(
            "GET",
            "/v1/stream",
            watch,
            "Live events, server-sent",
            "stream.read",
            {200: "text/event-stream"},
            query=StreamQuery,
            media="text/event-stream",
        )
    ]


async def _look_again(auth: Authenticator, token: str) -> Scope:
    """The scope of a token as it is now. Raises Problem if it may no longer watch."""
    who = await auth.principal(token)
    await auth.authorize(who, "stream.read")
    return await auth.scope(who)


def _position(call: web.Call) -> int | None:
    """Where to begin. Last-Event-ID wins over ?after=, which a reconnecting browser repeats."""
    given = call.headers.get(b"last-event-id", b"").strip()
    if not given:
        after: int | None = call.query.after
        return after
    if not given.isdigit() or len(given) > 18:
        raise errors.refuse_field("Last-Event-ID", "Give the id of the last message you have.")
    return int(given)
