"""The headcount board: the snapshot of an alert, and its events as each viewer may see them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from server.auth import Scope
from server.checkin.messages import Cell, Counts, Gap, Group, Grouped, Headcount, Parity, Side
from server.checkin.rules import ALL_STATUSES
from server.checkin.store import SQL
from server.db import Database
from server.errors import NotFound
from server.hub import Kind
from server.stream import Event

Row = tuple[int, int, str, str, int]  # area, agency, category, status, count


class Names(msgspec.Struct, frozen=True):
    """Outside names: area id -> (code, name), agency id -> name."""

    areas: dict[int, tuple[str, str]]
    agencies: dict[int, str]


async def headcount(
    database: Database, operation_id: int, alert_id: UUID, scope: Scope
) -> Headcount:
    """The board as of one instant. Raises NotFound outside the scope or the operation."""
    async with database.transaction(operation_id, snapshot=True) as con:
        head = await con.fetchrow(SQL.alert_head, alert_id)
        rows = await cell_rows(con, alert_id, scope) if head else []
        if head is None or (not rows and not scope.whole):
            raise NotFound("There is no such alert.")
        names = await load_names(con)
        parity = await _parity(con, alert_id, scope, head["counts_from"])
    at_close = head["at_close"] if scope.whole else None
    return Headcount(
        alert_id=alert_id,
        seq=head["seq"],
        as_of=head["as_of"],
        state=head["state"],
        population=sum(r[4] for r in rows),
        counts=count(rows),
        late=head["late"],
        by=grouped(rows, names),
        cells=[outside_cell(r, names) for r in rows],
        parity=parity,
        at_close=msgspec.json.decode(at_close, type=Counts) if at_close else None,
    )


async def cell_rows(con: Any, alert_id: UUID, scope: Scope) -> list[Row]:
    """The cells of an alert that a scope sees."""
    if scope.people is not None:
        rows = await con.fetch(SQL.cells_by_people, alert_id, scope.people_list())
    else:
        areas = None if scope.areas is None else list(scope.areas)
        rows = await con.fetch(SQL.cells_by_area, alert_id, areas)
    return [tuple(r) for r in rows]


async def load_names(con: Any) -> Names:
    """All areas and agencies of the operation: some hundreds."""
    rows = await con.fetch(SQL.labels)
    return Names(
        areas={r["id"]: (r["key"], r["label"]) for r in rows if r["kind"] == "area"},
        agencies={r["id"]: r["label"] for r in rows if r["kind"] == "agency"},
    )


def count(rows: Iterable[Row]) -> Counts:
    """Totals by status."""
    sums = dict.fromkeys(ALL_STATUSES, 0)
    for row in rows:
        sums[row[3]] += row[4]
    return Counts(**sums)


def grouped(rows: Sequence[Row], names: Names) -> Grouped:
    """The three groupings; each sums to the population."""
    return Grouped(
        area=_groups(rows, lambda r: names.areas[r[0]]),
        agency=_groups(rows, lambda r: (names.agencies[r[1]],) * 2),
        category=_groups(rows, lambda r: (r[2], r[2])),
    )


def _groups(rows: Sequence[Row], name: Any) -> list[Group]:
    members: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        members[name(row)].append(row)
    groups = [
        Group(key=key, label=label, population=sum(r[4] for r in own), counts=count(own))
        for (key, label), own in members.items()
    ]
    return sorted((g for g in groups if g.population), key=lambda g: g.label)


def outside_cell(row: Row, names: Names) -> Cell:
    """A cell by outside names."""
    area_id, agency_id, category, status, number = row
    return Cell(
        area=names.areas[area_id][0],
        agency=names.agencies[agency_id],
        category=category,
        status=status,  # type: ignore[arg-type]
        count=number,
    )


async def _parity(con: Any, alert_id: UUID, scope: Scope, since: datetime | None) -> Parity:
    areas = None if scope.areas is None else list(scope.areas)
    rows = await con.fetch(SQL.parity, alert_id, areas, scope.people_list(), since)
    sides = {r["parity"]: _side(r["population"], r["answered"], r["median_s"]) for r in rows}
    local, international = sides.get("local"), sides.get("international")
    return Parity(local=local, international=international, gap=gap(local, international))


def _side(population: int, answered: int, median_s: float | None) -> Side:
    finite = None if median_s is None or median_s == float("inf") else round(median_s, 1)
    share = round(answered / population, 4)
    return Side(population=population, answered=answered, share=share, median_s=finite)


def gap(local: Side | None, international: Side | None) -> Gap | None:
    """Local less international; a figure that can't be had is null, never 0."""
    if local is None or international is None:
        return None
    seconds = None
    if local.median_s is not None and international.median_s is not None:
        seconds = round(local.median_s - international.median_s, 1)
    return Gap(share=round(local.share - international.share, 4), median_s=seconds)


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
        """Absolute counts of the cells that changed, and the totals, as of now."""
        alert_id = UUID(events[0].data["alert_id"])
        changed = {tuple(c[:4]) for e in events for c in e.data["cells"]}
        async with self._db.transaction(operation_id, snapshot=True) as con:
            rows = await cell_rows(con, alert_id, scope)
            names = await load_names(con)
        if not rows:
            return None
        cells = [outside_cell(r, names) for r in _changed(rows, changed, scope)]
        if not cells:
            return None
        return {"alert_id": alert_id, "counts": count(rows), "cells": cells}

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


def _changed(rows: list[Row], changed: set[tuple[Any, ...]], scope: Scope) -> list[Row]:
    """The rows of changed cells. A branch has no rows for cells it emptied: given as 0."""
    present = {r[:4]: r for r in rows}
    if scope.people is None:
        return [present[key] for key in changed if key in present]
    groups = {r[:3] for r in rows}
    return [present.get(key, (*key, 0)) for key in changed if key[:3] in groups]


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
