"""Watches as they are shown: in lists, in detail, and live."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from server.auth import Scope
from server.checkin.watches.dark.store import SQL as DARK
from server.checkin.watches.messages import (
    CurfewOut,
    DarkPerson,
    FactOut,
    HandOverOut,
    LastHeard,
    RollName,
    WatchOut,
)
from server.checkin.watches.store import SQL
from server.db import Database
from server.hub import Kind
from server.people.messages import PersonName
from server.stream import Event

Sight = tuple[list[int] | None, list[int] | None, str]  # areas, people, and who made it herself
ALL_OF_THEM = (None, None, None, None, None)  # no filter, from the first on
_SAME = (
    "kind",
    "callsign",
    "area",
    "state",
    "due_at",
    "grace_s",
    "interval_s",
    "round",
    "step",
    "late",
    "reminded_at",
    "overdue_at",
    "ended_at",
    "note",
    "route",
    "vehicle",
    "contacts",
    "companions",
    "curfew_id",
    "roll_id",
    "created_at",
    "room",
)
_TOLD = ("hand_over_id", "to_area", "contact", "note", "reason")


def shown(row: Any, *, last: bool) -> WatchOut:
    """A row of watches. `last`: with what is last known of its person."""
    known = LastHeard(row["heard_s"], row["position_s"], row["battery"]) if last else None
    same = {name: row[name] for name in _SAME}
    face = row["hand_over"]
    return WatchOut(
        id=row["watch_id"],
        person=_person(row),
        created_by=row["maker"],
        hand_over=None if face is None else msgspec.json.decode(face, type=HandOverOut),
        last=known,
        **same,
    )


def shown_fact(row: Any) -> FactOut:
    """A row of facts."""
    return FactOut(
        id=row["fact_id"],
        what=row["what"],
        at=row["at"],
        event_at=row["event_at"],
        due_at=row["due_at"],
        late=row["late"],
        round=row["round"],
        by=row["who"],
        **{name: row[name] for name in _TOLD},
    )


def shown_curfew(row: Any) -> CurfewOut:
    """A row of curfews."""
    return CurfewOut(
        id=row["curfew_id"],
        area=row["area"],
        at=row["wall"].strftime("%H:%M"),
        weekdays=row["weekdays"],
        window_s=row["window_s"],
        grace_s=row["grace_s"],
        note=row["note"],
        dark_after_h=row["dark_after_h"],
        created_at=row["created_at"],
        created_by=row["maker"],
        ended_at=row["ended_at"],
    )


def shown_name(row: Any) -> RollName:
    """A row of names_on_roll."""
    return RollName(
        watch_id=row["watch_id"],
        person=_person(row),
        callsign=row["callsign"],
        state=row["state"],
        heard_at=row["ended_at"] if row["state"] == "done" else None,
        late=row["late"],
    )


def shown_dark(row: Any) -> DarkPerson:
    """A row of dark."""
    return DarkPerson(
        person=PersonName(row["ref"], row["name"]),
        area=row["area"],
        dark_after_h=row["hours"],
        heard_at=row["heard_at"],
        age_s=row["heard_s"],
        battery=row["battery"],
        raised_at=row["raised_at"],
        ended_at=row["ended_at"],
        heard=row["heard"],
    )


def _person(row: Any) -> PersonName | None:
    return None if row["ref"] is None else PersonName(row["ref"], row["name"])


async def some(
    database: Database, operation_id: int, sight: Sight, ids: Sequence[UUID]
) -> list[Any]:
    """Rows of these watches, as far as they are in sight."""
    args = (*sight, *ALL_OF_THEM, len(ids), list(ids))
    return await database.fetch(operation_id, SQL.watches, *args)


class Faces:
    """Renders watches for viewers of the stream."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def kinds(self) -> list[Kind]:
        """The hub's kinds of this room: told at once, the newest word on each."""
        return [Kind("watch", lambda e: "all", True, self._watches)]

    async def _watches(
        self, operation_id: int, scope: Scope, events: list[Event]
    ) -> dict[str, Any] | None:
        """{watches: [WATCH..], gone?: [ID..], dark?: [DARK..]} as they stand, of what this scope
        sees. `gone`: what was offered to its rooms and is theirs to see no more."""
        ids = sorted({UUID(w) for e in events for w in e.data.get("watches", ())})
        areas, people = scope.area_list(), scope.people_list()
        rows = await some(self._db, operation_id, (areas, people, ""), ids) if ids else []
        left = sorted(set(ids) - {r["watch_id"] for r in rows})
        alarms = sorted({UUID(a) for e in events for a in e.data.get("dark", ())})
        args = (DARK.alarms, alarms, areas, people)
        found = {
            "gone": await self._gone(operation_id, left, areas),
            "dark": [shown_dark(r) for r in await self._db.fetch(operation_id, *args)]
            if alarms
            else [],
        }
        more = {name: msgspec.to_builtins(value) for name, value in found.items() if value}
        if not rows and not more:
            return None
        return {"watches": [msgspec.to_builtins(shown(r, last=True)) for r in rows], **more}

    async def _gone(
        self, operation_id: int, ids: Sequence[UUID], areas: list[int] | None
    ) -> list[str]:
        if not ids or areas is None:
            return []
        rows = await self._db.fetch(operation_id, SQL.gone, ids, areas)
        return [str(r["watch_id"]) for r in rows]
