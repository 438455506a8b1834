"""Rows of reports and standings, as frozen structs and columns."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from server.columns import literal
from server.db import named_sql
from server.relocation.rules import Conflict, Memory, Said, Standing
from server.stream import Draft

SQL = named_sql(__file__)
Who = tuple[UUID, int]  # a movement, and a person
Cell = tuple[UUID, int, int, str, str]  # movement, area, agency, category, stage
Thing = tuple[UUID, UUID, str]  # movement, vehicle or point, what is counted of it
_MEMORY = msgspec.json.Decoder(Memory)


class Report(msgspec.Struct, frozen=True):
    """One accepted report on its way to the record. Times are its maker's, not yet corrected.

    `vehicle` by id or number. `capacity`: in what capacity it is made, which decides whether it
    may bring somebody into the movement.
    """

    report_id: UUID
    movement_id: UUID
    person_id: int
    person_ref: str
    stage: str
    vehicle: UUID | int | None
    point: UUID | None
    reason: str | None
    at: datetime
    sent_at: datetime | None
    actor: str
    capacity: str
    how: str
    body_hash: bytes


class Recorded(msgspec.Struct, frozen=True):
    """A report on record: `event_at` corrected, `received_at` by the database's clock. `late`: it
    came after the movement had ended; it counts all the same."""

    id: UUID
    person: str
    stage: str
    vehicle_no: int | None
    event_at: datetime
    received_at: datetime
    late: bool


class Placed(msgspec.Struct, frozen=True):
    """A report with what the plan says of it."""

    report: Report
    said: Said
    number: int | None
    late: bool


class Vehicle(msgspec.Struct, frozen=True):
    """As much of a vehicle as reports are read by: it never changes."""

    vehicle_id: UUID
    number: int
    leg_id: UUID
    start_id: UUID
    end_id: UUID
    haven: bool


class Person(msgspec.Struct, frozen=True):
    """One person of a movement: her cell, but for the stage, and where she stands."""

    area_id: int
    agency_id: int
    category: str
    standing: Standing


class Stored(msgspec.Struct, frozen=True):
    """What an earlier request left under the same id."""

    stage: str
    event_at: datetime
    received_at: datetime
    late: bool
    body_hash: bytes
    number: int | None


def draft(
    movement_id: UUID,
    cells: Iterable[Any] = (),
    things: Iterable[UUID] = (),
    reported: bool = False,
) -> Draft:
    """The event of a movement: the cells that changed with their absolute counts, and which
    vehicles and points; without either, its plan or state changed, unless somebody was `reported`
    to stand where she stood."""
    about = {"movement_id": movement_id, "cells": list(cells), "things": list(things)}
    return Draft("movement", {**about, "reported": reported})


async def begin_reports(con: Any, movements: Iterable[UUID]) -> tuple[datetime, dict[UUID, str]]:
    """Takes the shared lock against freezing and closing; the database's time, and the states of
    these movements, as far as there are such."""
    rows = await con.fetch(SQL.begin_reports, list(movements))
    return rows[0][0], {r[1]: r[2] for r in rows if r[1] is not None}


async def hold_standings(con: Any, who: Iterable[Who]) -> dict[Who, Person]:
    """The people of movements, held until the commit, with where they stand."""
    movements, persons = zip(*who, strict=True)
    rows = await con.fetch(SQL.hold_standings, literal(movements), literal(persons))
    return {(r[0], r[1]): Person(r[2], r[3], r[4], _standing(r)) for r in rows}


def _standing(row: Any) -> Standing:
    return Standing(row[5], row[6], row[7], row[8], row[9], _MEMORY.decode(row[10]))


async def add(con: Any, who: Sequence[Who], added: str) -> list[tuple[Who, Cell]]:
    """Brings people into movements; those who were not in them, with their cells."""
    if not who:
        return []
    movements, persons = zip(*sorted(who), strict=True)
    rows = await con.fetch(SQL.add_reported, literal(movements), literal(persons), added)
    return [((r[0], r[1]), (r[0], r[2], r[3], r[4], "listed")) for r in rows]


async def insert_reports(
    con: Any, received_at: datetime, rows: Sequence[Placed]
) -> Sequence[Placed]:
    """Writes reports; returns those whose ids were new."""
    columns = map(literal, zip(*map(_columns, rows), strict=True))
    written = await con.fetch(SQL.insert_reports, received_at, *columns)
    if len(written) == len(rows):
        return rows
    new = {r[0] for r in written}
    return [row for row in rows if row.report.report_id in new]


def _columns(row: Placed) -> tuple[Any, ...]:
    report, said = row.report, row.said
    return (
        report.report_id,
        report.movement_id,
        report.person_id,
        report.stage,
        said.vehicle,
        said.point,
        report.reason,
        report.at,
        said.event_at,
        row.late,
        report.actor,
        report.how,
        report.body_hash,
    )


async def earlier(con: Any, ids: Sequence[UUID]) -> dict[UUID, Stored]:
    """What is on record under these ids."""
    rows = await con.fetch(SQL.earlier_reports, ids)
    return {r["report_id"]: Stored(*tuple(r)[1:]) for r in rows}


async def all_of_theirs(con: Any, who: Iterable[Who]) -> dict[Who, list[Said]]:
    """Every report of some people, as the fold reads it."""
    found: dict[Who, list[Said]] = {one: [] for one in who}
    movements, persons = zip(*found, strict=True)
    for r in await con.fetch(SQL.all_of_theirs, movements, persons):
        found[r[0], r[1]].append(Said(*tuple(r)[2:]))
    return found


def _memory(standing: Standing) -> str:
    return msgspec.json.encode(standing.memory).decode()


async def move_stages(con: Any, deltas: Mapping[Cell, int]) -> list[tuple[Any, ...]]:
    """Adds deltas to cells; (movement, area, agency, category, stage, absolute count)."""
    if not deltas:
        return []
    return [tuple(r) for r in await con.fetch(SQL.move_stages, *_deltas(deltas, 5))]


async def move_counts(con: Any, deltas: Mapping[Thing, int]) -> list[tuple[Any, ...]]:
    """Adds deltas to counts; (movement, vehicle or point, what, absolute count)."""
    deltas = {thing: n for thing, n in deltas.items() if n}
    if not deltas:
        return []
    rows = await con.fetch(SQL.move_counts, *_deltas(deltas, 3))
    return [tuple(r) for r in rows]


class Settled(msgspec.Struct, frozen=True):
    """Absolute counts after a batch. cells: (movement, area, agency, category, stage, count).
    counts: of vehicles and points. seats: of vehicles somebody boarded."""

    cells: list[tuple[Any, ...]]
    counts: dict[Thing, int]
    seats: dict[Thing, int]


async def settle(
    con: Any,
    people: Mapping[Who, Standing],
    stages: Mapping[Cell, int],
    counts: Mapping[Thing, int],
) -> Settled:
    """Writes where people stand, whose rows are held; adds deltas to cells and counts."""
    rows = [
        (*who, s.stage, s.vehicle, s.point, s.since, s.report_id, _memory(s))
        for who, s in people.items()
    ]
    found = await con.fetch(
        SQL.settle, *_columns_of(rows, 8), *_deltas(stages, 5), *_deltas(counts, 3)
    )
    things = [((r[0], r[1], r[2]), r[3], r[8]) for r in found if r[1] is not None]
    return Settled(
        cells=[(r[0], *r[4:9]) for r in found if r[1] is None],
        counts={thing: count for thing, _, count in things},
        seats={thing: seats for thing, seats, _ in things if seats is not None},
    )


def _deltas(deltas: Mapping[Any, int], width: int) -> list[str]:
    return _columns_of([(*key, n) for key, n in deltas.items()], width + 1)


def _columns_of(rows: Sequence[tuple[Any, ...]], width: int) -> list[str]:
    if not rows:
        return ["{}"] * width
    return [literal(column) for column in zip(*rows, strict=True)]


async def find_conflicts(con: Any, found: Sequence[tuple[UUID, int, Conflict]]) -> None:
    """Puts contradictions of people on record; those that are there already stay."""
    if found:
        rows = [
            (m, c.conflict_id, c.kind, p, c.vehicle, c.first, c.second)
            for m, p, c in sorted(found, key=lambda f: (f[0], f[2].conflict_id))
        ]
        await con.execute(SQL.find_conflicts, *map(list, zip(*rows, strict=True)))


def changes(before: Counter[Any], after: Counter[Any]) -> Counter[Any]:
    """What must be added to come from one to the other."""
    delta = Counter(after)
    delta.subtract(before)
    return delta
