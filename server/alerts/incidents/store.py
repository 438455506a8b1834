"""Rows of incidents."""

from datetime import datetime
from typing import Any
from uuid import UUID

from server.alerts.messages import IncidentOut
from server.alerts.store import Sight
from server.db import named_sql

SQL = named_sql(__file__)


async def begin(con: Any, incident_id: UUID, title: str, exercise: bool, actor: str) -> bool:
    """Puts an incident on record. False if the id is taken."""
    made = await con.fetchval(SQL.insert_incident, incident_id, title, exercise, actor)
    return made is not None


async def sees(con: Any, incident_id: UUID, sight: Sight) -> bool:
    """Whether there is such an incident in the caller's sight."""
    return bool(await con.fetchval(SQL.sees_incident, incident_id, sight.areas, sight.actor))


async def shown(con: Any, incident_id: UUID) -> IncidentOut:
    """One incident that is known to exist."""
    return as_out(await con.fetchrow(SQL.incident_row, incident_id))


def as_out(row: Any) -> IncidentOut:
    """An incident_face row as it is answered."""
    return IncidentOut(
        id=row["incident_id"],
        title=row["title"],
        exercise=row["exercise"],
        opened_at=row["opened_at"],
        opened_by=row["opened_by"],
        closed_at=row["closed_at"],
        alerts=row["alerts"],
        live=row["live"],
    )


def as_key(incident: IncidentOut) -> tuple[datetime, UUID]:
    """What a page of incidents is cut by."""
    return incident.opened_at, incident.id
