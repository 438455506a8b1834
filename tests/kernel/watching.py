"""A toy domain on the real stream, its viewers, and the check that makes them bite.

The toy counts: writers move `toy` rows and append absolute counts in the same transaction.
A viewer takes a snapshot, applies messages and must end with what a refetch says.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import msgspec

from server import stream
from server.auth import Scope
from server.db import Database
from server.hub import Hub, Kind
from server.stream import Draft, Event

_TOY = """
    CREATE TABLE toy (operation_id int NOT NULL, area int NOT NULL, n bigint NOT NULL DEFAULT 0,
                      PRIMARY KEY (operation_id, area));
    CALL guard_table('toy');
"""
_ADD = "UPDATE toy SET n = n + $2 WHERE area = ANY ($1) RETURNING area, n"
_LOCK = "SELECT FROM toy WHERE area = ANY ($1) ORDER BY area FOR UPDATE"
WHOLE = Scope()


@dataclass
class Toy:
    """One operation with counters, its database and the writes that were made."""

    database: Database
    operation_id: int

    async def count(self, areas: Sequence[int], *, hold: float = 0, fail: bool = False) -> int:
        """Adds one to the counters of some areas in one transaction; it may abort instead."""
        async with self.database.transaction(self.operation_id) as con:
            await con.execute(_LOCK, areas)
            rows = await con.fetch(_ADD, areas, 1)
            await asyncio.sleep(hold)
            cells = [[r["area"], r["n"]] for r in rows]
            seq = await stream.append(con, [Draft("count", {"cells": cells})])
            await asyncio.sleep(hold / 4)
            if fail:
                raise Abort
        return seq

    async def say(self, kind: str, *areas: int, **more: Any) -> int:
        """Appends one event of a kind for each area, in one transaction."""
        async with self.database.transaction(self.operation_id) as con:
            return await stream.append(con, [Draft(kind, {"area": a, **more}) for a in areas])

    async def snapshot(self, scope: Scope = WHOLE) -> tuple[int, dict[int, int]]:
        """The head and the counters a scope sees, at one instant."""
        async with self.database.transaction(self.operation_id, snapshot=True) as con:
            seq = await stream.head(con)
            rows = await con.fetch("SELECT area, n FROM toy")
        return seq, {r["area"]: r["n"] for r in rows if _sees(scope, r["area"])}


class Abort(Exception):
    """A transaction that a test gives up."""


async def make_toy(database: Database, areas: int = 8, code: str = "TOY") -> Toy:
    """A fresh operation with `areas` counters at 0."""
    con = await asyncpg.connect(database.dsn)
    try:
        if not await con.fetchval("SELECT to_regclass('toy')"):
            await con.execute(_TOY)
        operation_id = await con.fetchval("SELECT add_operation($1, $1, 'UTC', 'KE')", code)
    finally:
        await con.close()
    async with database.transaction(operation_id) as con:
        await con.execute(
            "INSERT INTO toy SELECT current_operation(), generate_series(0, $1::int - 1)", areas
        )
    return Toy(database, operation_id)


def _sees(scope: Scope, area: int) -> bool:
    return scope.areas is None or area in scope.areas


async def _render_count(_: int, scope: Scope, events: list[Event]) -> dict[str, Any] | None:
    cells = {area: n for e in events for area, n in e.data["cells"] if _sees(scope, area)}
    return {"cells": sorted(cells.items())} if cells else None


async def _render_note(_: int, scope: Scope, events: list[Event]) -> dict[str, Any] | None:
    (event,) = events
    return {"seq": event.seq, **event.data} if _sees(scope, event.data["area"]) else None


async def _render_broken(_: int, __: Scope, ___: list[Event]) -> dict[str, Any] | None:
    raise ZeroDivisionError


KINDS = [
    Kind("count", lambda _: "all", False, _render_count),
    Kind("note", None, False, _render_note),
    Kind("panic", None, True, _render_note),
    Kind("broken", None, False, _render_broken),
]


@asynccontextmanager
async def running(hub: Hub) -> AsyncIterator[Hub]:
    """The hub at work, closed and ended afterwards."""
    task = asyncio.create_task(hub.run())
    await asyncio.sleep(0)
    try:
        yield hub
        assert not task.done(), "the hub's task must outlive everything"
    finally:
        await hub.close()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@dataclass
class Message:
    """One message as it came over the wire."""

    id: int
    kind: str
    data: dict[str, Any]


@dataclass
class Parser:
    """Server-sent events from bytes in any pieces: messages, comments, the last retry hint."""

    comments: list[str] = field(default_factory=list)
    retry: int | None = None
    silent_id: int | None = None
    _rest: bytes = b""

    def push(self, data: bytes) -> list[Message]:
        """The messages that this piece completes."""
        *blocks, self._rest = (self._rest + data).split(b"\n\n")
        return [m for m in map(self._block, blocks) if m is not None]

    def _block(self, block: bytes) -> Message | None:
        fields: dict[str, str] = {}
        for line in block.decode().split("\n"):
            name, _, value = line.partition(": ")
            if line.startswith(": "):
                self.comments.append(line[2:])
            elif name == "retry":
                self.retry = int(value)
            else:
                fields[name] = value
        if "data" not in fields:
            self.silent_id = int(fields.get("id", self.silent_id or 0))
            return None
        return Message(int(fields["id"]), fields["event"], msgspec.json.decode(fields["data"]))


class Viewer:
    """What a console does: applies messages in order and holds each to `from == last + 1`."""

    def __init__(self, toy: Toy, scope: Scope = WHOLE) -> None:
        self.toy = toy
        self.scope = scope
        self.last = -1
        self.board: dict[int, int] = {}
        self.messages: list[Message] = []
        self.parser = Parser()
        self.resyncs: list[str] = []
        self.live = False

    async def fetch(self) -> None:
        """Takes a snapshot to begin from."""
        self.last, self.board = await self.toy.snapshot(self.scope)

    def push(self, data: bytes) -> None:
        """Takes bytes as they come."""
        for message in self.parser.push(data):
            self.take(message)

    def take(self, message: Message) -> None:
        """Applies one message. A number missing or given twice is an error at once."""
        if message.kind == "resync":
            self.resyncs.append(message.data["reason"])
        else:
            expected = message.data["from"], self.last + 1
            assert expected[0] == expected[1], f"{message} does not follow {self.last}"
            assert message.id >= message.data["from"]
        self.last = message.id
        self.messages.append(message)
        if message.kind == "count":
            assert all(_sees(self.scope, area) for area, _ in message.data["cells"])
            self.board.update((area, n) for area, n in message.data["cells"])

    def kinds(self) -> list[str]:
        """The kinds of the messages so far."""
        return [m.kind for m in self.messages]

    async def until(self, seq: int, within: float = 60.0) -> None:
        """Waits for a message that stands for `seq`."""
        await eventually(lambda: self.last >= seq, within)


async def eventually(true: Callable[[], bool], within: float = 60.0) -> None:
    """Waits until something is so. Raises TimeoutError."""
    async with asyncio.timeout(within):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def watch(
    hub: Hub, viewer: Viewer, after: int | None, *, reading: asyncio.Event | None = None
) -> None:
    """Follows a hub's stream, below HTTP. While `reading` is unset, nothing more is taken."""

    async def check() -> Scope:
        return viewer.scope

    async with hub.seat(viewer.toy.operation_id, viewer.scope, after, check) as seat:
        viewer.last = seat.watcher.last if after is None else after
        async for piece in hub.pieces(seat):
            viewer.push(piece)
            viewer.live = seat.watcher.live
            if reading is not None and seat.watcher.live:
                await reading.wait()


@asynccontextmanager
async def watching(
    hub: Hub, viewer: Viewer, after: int | None = None, *, reading: asyncio.Event | None = None
) -> AsyncIterator[Viewer]:
    """A viewer that follows a hub's stream in a task of its own."""
    task = asyncio.create_task(watch(hub, viewer, after, reading=reading))
    await asyncio.sleep(0.1)
    try:
        yield viewer
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def some(areas: int, most: int = 3) -> list[int]:
    """A few areas at random, in lock order."""
    return sorted(random.sample(range(areas), random.randint(1, most)))


async def write_at_random(toy: Toy, areas: int, hub: Hub | None, times: int) -> list[int]:
    """A writer with random holds and aborts. Returns the numbers that it committed."""
    committed = []
    for _ in range(times):
        hold = random.choice([0, 0, 0.002, 0.01])
        try:
            committed.append(await toy.count(some(areas), hold=hold, fail=random.random() < 0.2))
        except Abort:
            continue
        if hub is not None and random.random() < 0.5:
            hub.wake(toy.operation_id)
    return committed
