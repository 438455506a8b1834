"""One more in a population: explicit, recorded, counted from the same commit on."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from server import stream
from server.alerts import rules
from server.alerts import store as alerts
from server.alerts.actions import NO_ALERT, digest
from server.alerts.deliveries import store as deliveries
from server.alerts.escalation import actions as escalation
from server.alerts.members import store
from server.alerts.members.store import SQL, Moves
from server.alerts.messages import AdditionIn
from server.alerts.store import Locked
from server.auth import Principal, Scope
from server.clock import rfc3339
from server.db import Database, confirm, retried
from server.errors import Clash, NotFound, refuse_field
from server.people.counted import AlertPerson
from server.people.store import audit

UNKNOWN_AGENCY = "Unknown"
# Parity leaves contractors out: a stranger's category must not lean either side.
UNKNOWN_CATEGORY = "contractor"
_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # read aloud over a radio without confusion
_PREFIX = {"walk_in": "W", "visitor": "V", "unnamed": "U"}


class Newcomer(msgspec.Struct, frozen=True):
    """Who is added, and where she counts."""

    person_id: int
    area_id: int
    agency_id: int
    category: str
    parity: str | None
    added: str


@retried
async def add(
    db: Database,
    who: Principal,
    scope: Scope,
    alert_id: UUID,
    body: AdditionIn,
    texted: Sequence[str] = (),
) -> tuple[AlertPerson, bool]:
    """Adds a person, with the caller's report if there is one; the person, and whether new.

    Raises NotFound out of sight, BadInput, or Clash for a used id, a population that holds the
    person already, or an alert that counts nobody.
    """
    body_sha256 = digest(alert_id, body)
    async with db.transaction(who.operation_id) as con:
        await con.execute(alerts.SQL.hold_live, alert_id)
        await con.execute(alerts.SQL.hold_out_reports)
        known = await con.fetchrow(SQL.addition, body.id)
        if known is not None:
            if known["body_sha256"] != body_sha256:
                raise Clash("This id was used for another addition.", code="id_reused")
            await confirm(con)
            return await store.member(con, alert_id, known["person_id"], texted), False
        alert = await _counting(con, who, scope, alert_id)
        newcomer = await _newcomer(con, scope, body)
        drafts = await _enter(con, who, alert_id, alert, newcomer, body)
        if alert.state == "open":
            ranked = (alert.severity, rules.SEVERITY_LANE[alert.severity])
            await deliveries.queue(con, alert_id, ranked, texted, [newcomer.person_id])
            await escalation.include(con, who.operation_id, alert_id, newcomer.person_id)
        person_id = newcomer.person_id
        record = (body.id, alert_id, person_id, body_sha256, who.actor)
        await con.execute(SQL.insert_addition, *record)
        await audit(con, who.actor, "alert.add_person", str(alert_id), id=str(body.id))
        shown = await store.member(con, alert_id, person_id, texted)
        await stream.append(con, drafts)
        return shown, True


async def _counting(con: Any, who: Principal, scope: Scope, alert_id: UUID) -> Locked:
    """The alert, locked, if it is in sight and counts people."""
    if not await alerts.sees(con, alert_id, alerts.sight_of(who, scope)):
        raise NotFound(NO_ALERT)
    alert = await alerts.lock_alert(con, alert_id)
    if alert is None:
        raise NotFound(NO_ALERT)
    if alert.state in ("preparing", "pending_release"):
        raise Clash("This alert is not open yet. Try again in a moment.", code="alert_not_open")
    if alert.state == "cancelled":
        raise Clash("This alert was called off and counts nobody.", code="alert_ended")
    return alert


async def _newcomer(con: Any, scope: Scope, body: AdditionIn) -> Newcomer:
    if body.ref is not None:
        return await _from_roster(con, scope, body)
    if body.name is None and body.kind != "unnamed":
        raise refuse_field("name", "Give a name, or the kind unnamed.")
    if body.area is None:
        raise refuse_field("area", "Give the code of the area where the person is.")
    area_id = await _area(con, scope, body.area)
    agency_id = await _agency(con, body.agency)
    category = body.category or UNKNOWN_CATEGORY
    person_id = await _make_person(con, body, category, agency_id, area_id)
    await _keep_in_branch(con, scope, person_id)
    parity = await con.fetchval(SQL.parity, category)
    return Newcomer(person_id, area_id, agency_id, category, parity, body.kind)


async def _from_roster(con: Any, scope: Scope, body: AdditionIn) -> Newcomer:
    row = await con.fetchrow(SQL.person, body.ref)
    visible = row is not None and row["merged_into"] is None
    if not visible or not scope.sees(row["person_id"], row["area_id"]):
        raise refuse_field("ref", "There is no such person among those you may add.")
    visits = body.kind == "visitor" and body.area is not None
    area_id = await _area(con, scope, body.area or "") if visits else row["area_id"]
    added = "visitor" if visits else "roster"
    return Newcomer(
        row["person_id"], area_id, row["agency_id"], row["category"], row["parity"], added
    )


async def _area(con: Any, scope: Scope, code: str) -> int:
    """The area, if it is the caller's: of her areas, or of a warden's branch."""
    area_id: int | None = await con.fetchval(SQL.area, code)
    allowed = scope.areas
    if scope.nodes is not None:
        rows = await con.fetch(SQL.branch_areas, list(scope.nodes))
        allowed = tuple(r["area_id"] for r in rows)
    if area_id is None or (allowed is not None and area_id not in allowed):
        raise refuse_field("area", "There is no area with this code, or it is not yours.")
    return area_id


async def _agency(con: Any, name: str | None) -> int:
    if name is None:
        await con.execute(SQL.make_agency, UNKNOWN_AGENCY)
    agency_id: int | None = await con.fetchval(SQL.agency, name or UNKNOWN_AGENCY)
    if agency_id is None:
        raise refuse_field("agency", "There is no agency with this name. Leave it out if unsure.")
    return agency_id


async def _make_person(
    con: Any, body: AdditionIn, category: str, agency_id: int, area_id: int
) -> int:
    """Writes the person under a fresh ref such as W-7KQ2; a taken one is drawn again, longer."""
    for length in (4, 4, 5, 6, 8, 10, 12):
        ref = f"{_PREFIX[body.kind]}-{''.join(secrets.choice(_LETTERS) for _ in range(length))}"
        name = body.name or f"Unnamed {ref}"
        columns = (ref, name, category, agency_id, area_id, body.kind)
        made: int | None = await con.fetchval(SQL.insert_person, *columns)
        if made is not None:
            return made
    raise AssertionError("no free ref in seven draws of up to 12 letters")


async def _keep_in_branch(con: Any, scope: Scope, person_id: int) -> None:
    """Whom a warden adds stays in her sight, also where her node lists its members by name."""
    if scope.nodes is None or await con.fetchval(SQL.in_branch, person_id, list(scope.nodes)):
        return
    await con.execute(SQL.join_branch, person_id, list(scope.nodes))


async def _enter(
    con: Any, who: Principal, alert_id: UUID, alert: Locked, new: Newcomer, body: AdditionIn
) -> list[stream.Draft]:
    """Writes the member and the report; the events that tell of it."""
    cell = (new.area_id, new.agency_id, new.category)
    columns = (alert_id, new.person_id, *cell, new.parity, new.added)
    if await con.fetchval(SQL.insert_member, *columns) is None:
        raise Clash("This alert holds the person already.", code="already_counted")
    moves = Moves()
    moves.add((alert_id, *cell, "unaccounted"), 1)
    event_at = await _report(con, who, alert_id, alert, new, body)
    changed = await moves.refold(con, [new.person_id])
    headcounts = await moves.write(con)
    late = int(event_at is not None and rules.ends(alert.state))
    await con.execute(SQL.grow, alert_id, 1, late)
    drafts = [alerts.alert_draft(alert_id), *headcounts]
    if event_at is not None:
        item = [str(body.id), new.person_id, body.status, rfc3339(event_at)]
        counted = [str(a) for a in sorted(changed)]
        drafts.append(stream.Draft("checkin", {"items": [[*item, counted]]}))
    return drafts


async def _report(
    con: Any, who: Principal, alert_id: UUID, alert: Locked, new: Newcomer, body: AdditionIn
) -> datetime | None:
    """Writes the caller's report of the newcomer, if there is one; its time."""
    if body.status is None:
        return None
    now: datetime = await con.fetchval(alerts.SQL.clock)
    warden = who.kind == "device" or who.role == "warden"
    columns = (
        *(body.id, new.person_id, body.status, now, alert_id, alert.exercise),
        *("warden" if warden else "operator", who.actor, body.note, digest(body)[:16]),
    )
    if await con.fetchval(SQL.insert_checkin, *columns) is None:
        raise Clash("This id was used for a check-in. Make a new id.", code="id_reused")
    return now
