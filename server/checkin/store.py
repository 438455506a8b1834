"""Rows of the check-in room, as frozen structs and columns."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from server.checkin.rules import Answer, Question, Report
from server.columns import literal
from server.db import named_sql

SQL = named_sql(__file__)


class Recorded(msgspec.Struct, frozen=True):
    """A report on record: `event_at` corrected, `received_at` by the database's clock."""

    id: UUID
    person: str
    status: str
    event_at: datetime
    received_at: datetime


class Stored(msgspec.Struct, frozen=True):
    """What an earlier request left under the same id."""

    status: str
    event_at: datetime
    received_at: datetime
    body_hash: bytes


class Move(msgspec.Struct, frozen=True):
    """A person of an alert, and the status before and after a batch."""

    alert_id: UUID
    person_id: int
    area_id: int
    agency_id: int
    category: str
    was: str
    is_now: str


async def begin_batch(con: Any) -> datetime:
    """Takes the shared lock against openings; the database's time is the received time."""
    moment: datetime = await con.fetchval(SQL.begin_batch)
    return moment


async def questions(con: Any, named: list[UUID], since: datetime) -> list[Question]:
    """The alerts that reports from `since` on, or naming them, may answer."""
    return [Question(*r) for r in await con.fetch(SQL.questions, named, since)]


async def insert_checkins(
    con: Any, received_at: datetime, rows: Sequence[tuple[Report, datetime, bool]]
) -> Sequence[tuple[Report, datetime, bool]]:
    """Writes (report, event_at, exercise) rows; returns those whose ids were new."""
    columns = map(literal, zip(*[_columns(*row) for row in rows], strict=True))
    written = await con.fetch(SQL.insert_checkins, received_at, *columns)
    if len(written) == len(rows):
        return rows
    new = {r[0] for r in written}
    return [row for row in rows if row[0].checkin_id in new]


def _columns(report: Report, event_at: datetime, exercise: bool) -> tuple[Any, ...]:
    place = None if exercise else report.place  # exercises keep none (promise 16)
    lat, lon, accuracy = (place.lat, place.lon, place.accuracy_m) if place else (None, None, None)
    return (
        report.checkin_id,
        report.person_id,
        report.status,
        report.at,
        event_at,
        report.alert_id,
        exercise,
        report.reporter,
        report.actor,
        lat,
        lon,
        accuracy,
        report.note,
        report.battery,
        report.body_hash,
    )


async def earlier(con: Any, ids: list[UUID]) -> dict[UUID, Stored]:
    """What is on record under these ids."""
    rows = await con.fetch(SQL.earlier_checkins, ids)
    return {r["checkin_id"]: Stored(*tuple(r)[1:]) for r in rows}


async def take_answers(con: Any, answers: list[Answer], received_at: datetime) -> list[Move]:
    """Moves latest answers; only people an alert holds come back."""
    values = [
        (a.alert_id, a.person_id, a.status, a.event_at, a.first_at, a.checkin_id, a.late)
        for a in answers
    ]
    columns = map(literal, zip(*values, strict=True))
    rows = await con.fetch(SQL.take_answers, *columns, received_at)
    return [Move(*r) for r in rows]


async def move_cells(
    con: Any, deltas: dict[tuple[UUID, int, int, str, str], int]
) -> list[tuple[UUID, int, int, str, str, int]]:
    """Adds deltas to cells; returns (alert, area, agency, category, status, absolute count)."""
    columns = map(literal, zip(*deltas, strict=True))
    rows = await con.fetch(SQL.move_cells, *columns, literal(deltas.values()))
    return [tuple(r) for r in rows]


async def add_late(con: Any, late: dict[UUID, int]) -> None:
    """Counts late answers on their alerts."""
    await con.execute(SQL.add_late, list(late), list(late.values()))


async def keep_positions(con: Any, rows: Sequence[tuple[Report, datetime, bool]]) -> None:
    """Keeps the places that came with some reports; exercises store none (promise 16)."""
    placed = [
        (r.person_id, r.place.lat, r.place.lon, r.place.accuracy_m, event_at)
        for r, event_at, exercise in rows
        if r.place is not None and not exercise
    ]
    if placed:
        await con.execute(SQL.keep_positions, *zip(*placed, strict=True))
