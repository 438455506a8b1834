"""Rows of texts that came in, as frozen structs."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from server.db import Database, named_sql

SQL = named_sql(__file__)


class Inbound(msgspec.Struct, frozen=True):
    """A text on record that is still to be understood."""

    inbound_id: UUID
    route: str
    sender: str
    recipient: str | None
    body: str
    received_at: datetime
    shared: bool
    replies: bool
    lane: int


class Holder(msgspec.Struct, frozen=True):
    """One whose number it is. `head_id`: the sponsor of her household, or herself."""

    person_id: int
    ref: str
    language: str | None
    rank: int
    head_id: int


class Match(msgspec.Struct, frozen=True):
    """Whose code it is, in which alert or movement, or of which watch."""

    alert_id: UUID | None
    person_id: int
    locked: bool
    ref: str
    language: str | None
    head_id: int
    state: str
    exercise: bool
    watch_id: UUID | None = None
    movement_id: UUID | None = None

    @property
    def live(self) -> bool:
        """Whether its alert, watch or movement is still going."""
        return self.state in ("preparing", "pending_release", "open")


class Asked(msgspec.Struct, frozen=True):
    """An open alert that holds a person."""

    alert_id: UUID
    exercise: bool
    person_id: int
    kind: str
    counts_from: datetime


class Device(msgspec.Struct, frozen=True):
    """The device a signed text names, with its sealed key."""

    device_id: UUID
    person_id: int
    sms_key: bytes
    revoked: bool
    ref: str
    language: str | None
    head_id: int


async def holders(con: Any, number: str) -> list[Holder]:
    """Whose number it is, sponsors first."""
    return [Holder(*r) for r in await con.fetch(SQL.people_of_number, number)]


async def matches(con: Any, code: str) -> list[Match]:
    """Whose code it is: of what is still going first, then the newest."""
    return [Match(*r) for r in await con.fetch(SQL.codes, code)]


async def asked_of(con: Any, people: list[int]) -> list[Asked]:
    """The open alerts that hold some people, those that are no exercise first."""
    return [Asked(*r) for r in await con.fetch(SQL.asked_of, people)]


async def device(con: Any, id5: str) -> Device | None:
    """The device with this id."""
    row = await con.fetchrow(SQL.device, id5)
    return None if row is None else Device(*row)


async def drop_old_codes(db: Database) -> None:
    """Housekeeping: forgets the codes of alerts, watches and movements that ended a month ago."""
    for operation_id in await db.operations():
        await db.fetch(operation_id, SQL.drop_old_codes)
        await db.fetch(operation_id, SQL.drop_old_watch_codes)
        await db.fetch(operation_id, SQL.drop_old_movement_codes)


async def code_for(con: Any, alert_id: UUID, person_id: int) -> tuple[str, bool] | None:
    """A person's code in an alert and whether it is locked; made if she has none yet."""
    await con.execute(SQL.give_code, alert_id, person_id)
    row = await con.fetchrow(SQL.code_of, alert_id, person_id)
    return None if row is None else (row["code"], row["locked"])


async def code_of_watch(con: Any, watch_id: UUID) -> tuple[str, bool] | None:
    """The code of a watch's person and whether it is locked; made if she has none yet."""
    await con.execute(SQL.give_watch_code, watch_id)
    row = await con.fetchrow(SQL.watch_code, watch_id)
    return None if row is None else (row["code"], row["locked"])


async def code_in_movement(con: Any, movement_id: UUID, person_id: int) -> tuple[str, bool] | None:
    """A person's code in a movement and whether it is locked; made if she has none yet."""
    await con.execute(SQL.give_movement_code, movement_id, person_id)
    row = await con.fetchrow(SQL.movement_code, movement_id, person_id)
    return None if row is None else (row["code"], row["locked"])
