"""The headcount of an incident: the people of all its alerts, each once, read when asked."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from server.alerts.incidents import store
from server.alerts.incidents.actions import NO_INCIDENT
from server.alerts.incidents.store import SQL
from server.alerts.store import Sight
from server.db import Database
from server.errors import NotFound
from server.people import headcount as headcounts
from server.people.headcount import Cell, Counts, Grouped, Parity, Tally


class IncidentHeadcount(msgspec.Struct, frozen=True):
    """Everybody once, with the latest answer in any alert of the incident."""

    incident_id: UUID
    seq: int
    as_of: datetime
    state: Literal["open", "closed"]
    exercise: bool
    population: int
    counts: Counts
    by: Grouped
    cells: list[Cell]
    parity: Parity


async def headcount(
    db: Database, operation_id: int, sight: Sight, incident_id: UUID
) -> IncidentHeadcount:
    """The headcount as of one instant. Raises NotFound out of sight."""
    async with db.transaction(operation_id, snapshot=True) as con:
        if not await store.sees(con, incident_id, sight):
            raise NotFound(NO_INCIDENT)
        incident = await store.shown(con, incident_id)
        people = await con.fetch(SQL.incident_people, incident_id, sight.areas)
        sides = await con.fetch(SQL.incident_parity, incident_id, sight.areas)
        head = await con.fetchrow(SQL.stream_seq)
    rows = [Tally(*row) for row in people]
    return IncidentHeadcount(
        incident_id=incident_id,
        seq=head["seq"],
        as_of=head["as_of"],
        state="open" if incident.closed_at is None else "closed",
        exercise=incident.exercise,
        population=headcounts.population(rows),
        counts=headcounts.count(rows),
        by=headcounts.grouped(rows),
        cells=[headcounts.cell(r) for r in rows],
        parity=headcounts.parity(sides),
    )
