"""What operators do with incidents: one function a verb."""

from datetime import datetime
from typing import Any
from uuid import UUID

from server import stream
from server.alerts import rules
from server.alerts import store as alerts
from server.alerts.ending import end_in
from server.alerts.incidents import store
from server.alerts.incidents.store import SQL
from server.alerts.messages import IncidentIn, IncidentOut, PlainQuery
from server.alerts.store import Sight
from server.auth import Principal, Scope
from server.db import Database, confirm, retried
from server.errors import Clash, Forbidden, NotFound
from server.paging import Page, page
from server.people.store import audit

NO_INCIDENT = "There is no such incident."


@retried
async def create(db: Database, who: Principal, body: IncidentIn) -> tuple[IncidentOut, bool]:
    """Begins an incident; the incident, and whether it is new. Raises Clash for a used id."""
    async with db.transaction(who.operation_id) as con:
        made = await store.begin(con, body.id, body.title, body.exercise, who.actor)
        if made:
            await audit(con, who.actor, "incident.create", str(body.id))
        else:
            await confirm(con)
        shown = await store.shown(con, body.id)
    if not made and (shown.title, shown.exercise) != (body.title, body.exercise):
        raise Clash("This id was used for another incident. Make a new id.", code="id_reused")
    return shown, made


async def listed(
    db: Database, operation_id: int, sight: Sight, query: PlainQuery
) -> Page[IncidentOut]:
    """The incidents in sight, newest first."""
    opened_at, incident_id = query.after(datetime, UUID)
    args = (sight.areas, sight.actor, opened_at, incident_id, query.limit + 1)
    rows = await db.fetch(operation_id, SQL.incidents, *args)
    found = [store.as_out(r) for r in rows]
    return page("/v1/incidents", query, found, store.as_key, lambda i: i)


async def get(db: Database, operation_id: int, sight: Sight, incident_id: UUID) -> IncidentOut:
    """One incident. Raises NotFound out of sight."""
    async with db.transaction(operation_id) as con:
        if not await store.sees(con, incident_id, sight):
            raise NotFound(NO_INCIDENT)
        return await store.shown(con, incident_id)


@retried
async def close(db: Database, who: Principal, scope: Scope, incident_id: UUID) -> IncidentOut:
    """Ends an incident with all its alerts: open ones close, those on their way are cancelled.

    Again changes nothing. Raises NotFound, or Forbidden for an operator of some areas who did
    not begin it.
    """
    async with db.transaction(who.operation_id) as con:
        if not await store.sees(con, incident_id, alerts.sight_of(who, scope)):
            raise NotFound(NO_INCIDENT)
        row = await con.fetchrow(SQL.lock_incident, incident_id)
        if scope.areas is not None and row["opened_by"] != who.actor:
            raise Forbidden("Only who began it, or an operator of all areas, may end it.")
        ended: list[UUID] = []
        if row["closed_at"] is None:
            await con.execute(SQL.close_incident, incident_id)
            await audit(con, who.actor, "incident.close", str(incident_id))
            live = [r["alert_id"] for r in await con.fetch(SQL.live_alerts, incident_id)]
            ended = await _end_all(con, who, live)
        shown = await store.shown(con, incident_id)
        if ended:
            await stream.append(con, [alerts.alert_draft(key) for key in ended])
        return shown


async def _end_all(con: Any, who: Principal, live: list[UUID]) -> list[UUID]:
    """Ends alerts; those that had not ended meanwhile. The caller tells the stream."""
    found = [(key, await alerts.lock_alert(con, key)) for key in live]
    going = [(key, a.state) for key, a in found if a is not None and not rules.ends(a.state)]
    for alert_id, state in going:
        verb = "close" if state == "open" else "cancel"
        await end_in(con, who.operation_id, alert_id, state, verb, who.actor)
    return [key for key, _ in going]
