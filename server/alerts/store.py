"""Rows of the alerts room, as frozen structs."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from server import jobs
from server.auth import Principal, Scope
from server.db import named_sql
from server.stream import Draft

SQL = named_sql(__file__)


class Alert(msgspec.Struct, frozen=True):
    """An alert on record. `maker` is the name of the operator behind `created_by`."""

    alert_id: UUID
    incident_id: UUID
    kind: str
    severity: str
    mode: str
    audience: dict[str, Any]
    title: str
    body: str
    lock_screen: str | None
    sms_text: str | None
    escalation: dict[str, Any] | None
    exercise: bool
    state: str
    body_sha256: bytes
    created_by: str
    maker: str | None
    created_at: datetime
    opened_at: datetime | None
    expires_at: datetime | None
    closed_at: datetime | None
    population: int
    corrects: UUID | None


class Locked(msgspec.Struct, frozen=True):
    """What a change of an alert must know, read under its row's lock."""

    state: str
    counts_from: datetime
    expires_at: datetime | None
    exercise: bool
    severity: str
    kind: str
    mode: str
    incident_id: UUID
    audience: dict[str, Any]
    population: int
    created_by: str
    overdue: bool | None


class Sight(msgspec.Struct, frozen=True):
    """What part of an operation's alerts a caller sees, as query arguments."""

    areas: list[int] | None
    people: list[int] | None
    actor: str

    def args(self) -> tuple[list[int] | None, list[int] | None, str]:
        """In the order the queries take them."""
        return self.areas, self.people, self.actor


def sight_of(who: Principal, scope: Scope) -> Sight:
    """The sight of a caller who has a scope."""
    areas = scope.area_list()
    return Sight(areas, scope.people_list(), who.actor)


def as_alert(row: Any) -> Alert:
    """An alert_face row as struct."""
    fields: dict[str, Any] = {k: row[k] for k in Alert.__struct_fields__}
    fields["audience"] = msgspec.json.decode(fields["audience"])
    if fields["escalation"] is not None:
        fields["escalation"] = msgspec.json.decode(fields["escalation"])
    return Alert(**fields)


def fields(alert: Alert) -> dict[str, Any]:
    """An alert under the names of the outside, but for `created_by`."""
    own = msgspec.structs.asdict(alert)
    return {**own, "id": alert.alert_id, "delivered_as": alert.mode}


async def alert(con: Any, alert_id: UUID) -> Alert | None:
    """One alert, or None."""
    row = await con.fetchrow(SQL.alert, alert_id)
    return None if row is None else as_alert(row)


async def lock_alert(con: Any, alert_id: UUID) -> Locked | None:
    """One alert, held until the commit, or None."""
    row = await con.fetchrow(SQL.lock_alert, alert_id)
    if row is None:
        return None
    return Locked(**{**row, "audience": msgspec.json.decode(row["audience"])})


async def sees(con: Any, alert_id: UUID, sight: Sight) -> bool:
    """Whether there is such an alert in the caller's sight."""
    return bool(await con.fetchval(SQL.sees_alert, alert_id, *sight.args()))


async def move_cells(
    con: Any, alert_id: UUID, moves: Iterable[tuple[int, int, str, str, int]]
) -> list[list[Any]]:
    """Adds (area, agency, category, status, delta) to cells; their new absolute counts."""
    columns: Sequence[Sequence[Any]] = list(zip(*moves, strict=True))
    if not columns:
        return []
    alerts = [alert_id] * len(columns[0])
    return [list(r) for r in await con.fetch(SQL.move_cells, alerts, *columns)]


def alert_draft(alert_id: UUID) -> Draft:
    """The event of an alert that changed; viewers get it as it is when told."""
    return Draft("alert", {"alert_id": str(alert_id)})


def headcount_draft(alert_id: UUID, cells: list[list[Any]]) -> Draft:
    """The event of cells that changed, with their absolute counts."""
    return Draft("headcount", {"alert_id": str(alert_id), "cells": cells})


async def enqueue(
    con: Any,
    operation_id: int,
    kind: str,
    alert_id: UUID,
    due_at: datetime | None = None,
    lane: int = jobs.LAST_LANE,
    **payload: Any,
) -> None:
    """Writes a job about an alert; `payload` must be JSON values."""
    about = {"alert_id": str(alert_id), **payload}
    await jobs.enqueue(con, operation_id, kind, str(alert_id), about, due_at, lane)
