"""Rows of satellite messages and of the devices they come from, as frozen structs."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from server.checkin.rules import Place
from server.checkin.satellite.intake import Event
from server.db import Database, named_sql
from server.satellites import Kind

SQL = named_sql(__file__)


class Message(msgspec.Struct, frozen=True):
    """A message on record that is still to be understood."""

    message_id: UUID
    route: str
    kind: Kind
    imei: str
    code: int | None
    body: str
    at: datetime | None
    received_at: datetime
    lat: float | None
    lon: float | None
    accuracy_m: float | None

    @property
    def event_at(self) -> datetime:
        """When it was written: by its device's clock, which satellites set; never in the future."""
        return self.received_at if self.at is None else min(self.at, self.received_at)

    @property
    def place(self) -> Place | None:
        """Where its device was."""
        if self.lat is None or self.lon is None:
            return None
        return Place(self.lat, self.lon, self.accuracy_m)

    @property
    def sender(self) -> str:
        """How desks are told whose it is, where nobody is known."""
        return f"IMEI {self.imei}"

    @property
    def actor(self) -> str:
        """How records name it."""
        return f"satellite:{self.message_id}"


class Holder(msgspec.Struct, frozen=True):
    """Whose device it is. `hers`: it was so when the message was written. `head_id`: the sponsor
    of her household, or herself."""

    person_id: int
    ref: str
    language: str | None
    head_id: int
    hers: bool


class Later(msgspec.Struct, frozen=True):
    """What a device said after its SOS and was understood before it."""

    message_id: UUID
    at: datetime
    cancel: bool
    lat: float | None
    lon: float | None
    accuracy_m: float | None


async def holder(con: Any, message: Message) -> Holder | None:
    """Whose device a message is of; None for a device that nobody has."""
    row = await con.fetchrow(SQL.holder, message.imei, message.event_at)
    return None if row is None else Holder(*row)


async def waiting(db: Database, operation_id: int, lane: int, but: list[UUID]) -> list[Message]:
    """Up to 100 messages of a lane that are still to be understood, some left out."""
    return [Message(*r) for r in await db.fetch(operation_id, SQL.waiting, lane, but)]


async def insert(con: Any, route: str, kind: Kind, rows: list[tuple[Event, int]]) -> None:
    """Puts messages on record, each with its lane."""
    columns: list[list[Any]] = [[] for _ in range(10)]
    for event, lane in rows:
        at = event.place
        where = (None, None, None) if at is None else (at.lat, at.lon, at.accuracy_m)
        ignored = msgspec.json.encode(event.ignored).decode()
        row = (event.imei, event.key, event.code, event.body, event.at, *where, ignored, lane)
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    await con.execute(SQL.insert_messages, route, kind, *columns)


async def known(con: Any, events: list[Event]) -> set[str]:
    """The keys of those that came before."""
    keys: list[str] = [e.key for e in events]
    once_in: list[timedelta] = [e.once_in for e in events]
    return {r["key"] for r in await con.fetch(SQL.known_keys, keys, once_in)}
