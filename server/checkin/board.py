"""The headcount board: the snapshot of an alert, and its events as each viewer may see them."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from server.auth import Scope
from server.checkin.messages import Headcount
from server.checkin.store import SQL
from server.db import Database
from server.errors import NotFound
from server.hub import Kind
from server.people import headcount as headcounts
from server.people.headcount import Counts, Parity, Row
from server.people.labels import Names, load_names, tallies
from server.stream import Event


async def headcount(
    database: Database, operation_id: int, alert_id: UUID, scope: Scope
) -> Headcount:
    """The board as of one instant. Raises NotFound outside the scope or the operation."""
    async with database.transaction(operation_id, snapshot=True) as con:
        head = await con.fetchrow(SQL.alert_head, alert_id)
        cells = await cell_rows(con, alert_id, scope) if head else []
        if head is None or (not cells and not scope.whole):
            raise NotFound("There is no such alert.")
        names = await load_names(con)
        parity = await _parity(con, alert_id, scope, head["counts_from"])
        elsewhere = await _elsewhere(con, alert_id, scope)
    rows = tallies(cells, names)
    counts = headcounts.count(rows)
    at_close = head["at_close"] if scope.whole else None
    return Headcount(
        alert_id=alert_id,
        seq=head["seq"],
        as_of=head["as_of"],
        state=head["state"],
        exercise=head["exercise"],
        population=headcounts.population(rows),
        counts=counts,
        late=head["late"],
        by=headcounts.grouped(rows),
        cells=[headcounts.cell(r) for r in rows],
        parity=parity,
        expected=headcounts.by_expectation(counts, elsewhere),
        at_close=headcounts.counts_of(msgspec.json.decode(at_close)) if at_close else None,
    )


async def cell_rows(con: Any, alert_id: UUID, scope: Scope) -> list[Row]:
    """The cells of an alert that a scope sees."""
    if scope.people is not None:
        rows = await con.fetch(SQL.cells_by_people, alert_id, scope.people_list())
    else:
        areas = scope.area_list()
        rows = await con.fetch(SQL.cells_by_area, alert_id, areas)
    return [tuple(r) for r in rows]


async def _parity(con: Any, alert_id: UUID, scope: Scope, since: datetime | None) -> Parity:
    areas = scope.area_list()
    sides = await con.fetch(SQL.parity, alert_id, areas, scope.people_list(), since)
    return headcounts.parity(sides)


async def _elsewhere(con: Any, alert_id: UUID, scope: Scope) -> Counts:
    """Those expected elsewhere: few, found by an index of their own."""
    areas = scope.area_list()
    rows = await con.fetch(SQL.elsewhere, alert_id, areas, scope.people_list())
    return headcounts.counts_of({r["status"]: r["count"] for r in rows})


class Faces:
    """Renders the room's events for viewers. One instance a process."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def kinds(self) -> list[Kind]:
        """The hub's kinds of this room: headcounts merged an alert, check-ins all together."""
        return [
            Kind("headcount", lambda e: e.data["alert_id"], False, self._headcount),
            Kind("checkin", lambda e: "all", False, self._checkins),
        ]

    async def _headcount(
        self, operation_id: int, scope: Scope, events: list[Event]
    ) -> dict[str, Any] | None:
        """Absolute counts of the cells that changed, of all, and of those expected elsewhere."""
        alert_id = UUID(events[0].data["alert_id"])
        changed = {tuple(c[:4]) for e in events for c in e.data["cells"]}
        async with self._db.transaction(operation_id, snapshot=True) as con:
            rows = await cell_rows(con, alert_id, scope)
            names = await load_names(con)
            elsewhere = await _elsewhere(con, alert_id, scope)
        if not rows:
            return None
        branch = scope.people is not None
        moved = tallies(headcounts.changed(rows, changed, branch), names)
        if not moved:
            return None
        counts = headcounts.count(tallies(rows, names))
        cells = [headcounts.cell(r) for r in moved]
        return {"alert_id": alert_id, "counts": counts, "elsewhere": elsewhere, "cells": cells}

    async def _checkins(
        self, operation_id: int, scope: Scope, events: list[Event]
    ) -> dict[str, Any] | None:
        """Who said what, of the people this scope sees."""
        items = [item for e in events for item in e.data["items"]]
        people = list({item[1] for item in items})
        async with self._db.transaction(operation_id) as con:
            rows = await con.fetch(SQL.faces, people)
            names = await load_names(con)
        faces = {r["person_id"]: r for r in rows if scope.sees(r["person_id"], r["area_id"])}
        seen = [_checkin_item(i, faces[i[1]], names) for i in items if i[1] in faces]
        return {"items": seen} if seen else None


def _checkin_item(item: list[Any], face: Any, names: Names) -> dict[str, Any]:
    checkin_id, _, status, event_at, alert_ids = item
    return {
        "id": checkin_id,
        "person": {"ref": face["ref"], "name": face["name"]},
        "area": names.areas[face["area_id"]][0],
        "agency": face["agency"],
        "category": face["category"],
        "status": status,
        "event_at": event_at,
        "alert_ids": alert_ids,
    }
