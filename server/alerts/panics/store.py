"""Rows of panics, as frozen structs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from server.alerts.panics.rules import Kind
from server.auth import Scope
from server.db import named_sql
from server.people import store as people
from server.stream import Draft

SQL = named_sql(__file__)
Sight = tuple[list[int] | None, list[int] | None, bool]  # areas, people, and whether silent ones


class Live(msgspec.Struct, frozen=True):
    """The panic of a person that is live, read under its row's lock."""

    panic_id: UUID
    state: str
    covert: bool
    duress: bool
    verified: bool
    told_at: datetime

    @property
    def kind(self) -> Kind:
        """What decides who may know of it."""
        return Kind(self.covert, self.duress, self.verified)


class Known(msgspec.Struct, frozen=True):
    """A press on record, with what it was answered."""

    press_id: UUID
    panic_id: UUID
    person_id: int
    merged: bool
    state: str
    ignored: list[str]


class Begun(msgspec.Struct, frozen=True):
    """What new presses of a person find, held until the commit: whose they are by now, presses that
    came before, and her live panic, if one is new."""

    person_id: int
    moment: datetime
    known: dict[UUID, Known]
    live: Live | None


class Locked(msgspec.Struct, frozen=True):
    """What a change of a panic must know, read under its row's lock."""

    panic_id: UUID
    person_id: int
    state: str
    covert: bool
    duress: bool
    verified: bool
    counts: bool
    owner_id: int | None
    event_at: datetime
    round: int
    outcome: str | None
    note: str | None
    received_at: datetime
    presses: int
    due: bool | None
    raised_by: str

    @property
    def kind(self) -> Kind:
        """What decides who may know of it."""
        return Kind(self.covert, self.duress, self.verified)


class Stamp(msgspec.Struct, frozen=True):
    """The three times of a fact: as told, corrected, received."""

    at: datetime
    event_at: datetime
    received_at: datetime


def now(moment: datetime) -> Stamp:
    """The times of what happens here and now, by the database's clock."""
    return Stamp(moment, moment, moment)


def sight_of(scope: Scope) -> Sight:
    """What a scope sees of panics, as query arguments."""
    areas = scope.area_list()
    return areas, scope.people_list(), scope.silent


async def begin(con: Any, person_id: int, ids: Sequence[UUID], duress: bool) -> Begun:
    """Begins the presses of one person, each id once."""
    row = await con.fetchrow(SQL.begin_presses, person_id, ids, duress)
    known = msgspec.json.decode(row["known"], type=list[Known])
    found = row["live"] and msgspec.json.decode(row["live"], type=Live)
    return Begun(row["person_id"], row["moment"], {k.press_id: k for k in known}, found)


async def live(con: Any, person_id: int, duress: bool) -> Live | None:
    """A person's live panic, held until the commit."""
    row = await con.fetchrow(SQL.live_panic, person_id, duress)
    return None if row is None else Live(**row)


async def lock(con: Any, panic_id: UUID) -> Locked | None:
    """One panic, held until the commit, or None."""
    row = await con.fetchrow(SQL.lock_panic, panic_id)
    return None if row is None else Locked(**row)


async def clock(con: Any) -> datetime:
    """The database's time."""
    moment: datetime = await con.fetchval(SQL.clock)
    return moment


async def fact(
    con: Any, panic_id: UUID, kind: str, times: Stamp, actor: str, **detail: Any
) -> None:
    """Writes a fact of the timeline; `detail` holds no coordinates."""
    text = msgspec.json.encode(detail).decode()
    stamps = (times.at, times.event_at, times.received_at)
    await con.execute(SQL.insert_fact, panic_id, kind, *stamps, actor, text)


async def audit(con: Any, actor: str, action: str, panic_id: UUID, **detail: Any) -> None:
    """Writes the audit row of an act."""
    await people.audit(con, actor, action, f"panic:{panic_id}", **detail)


def draft(panic_id: UUID, what: str) -> Draft:
    """The event of a panic; viewers get it as it is when told. `what` happened, as in its facts."""
    return Draft("panic", {"panic_id": str(panic_id), "what": what})


def columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    """Rows as query arguments, one list a column."""
    return [list(column) for column in zip(*rows, strict=True)]
