"""Reading conflicts, and putting a human's decision on record."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from server import paging, stream
from server.auth import Principal, Scope
from server.db import Database, confirm, named_sql, retried
from server.errors import Clash, NotFound, refuse_field
from server.people import store as people
from server.people.messages import PersonName
from server.recording import body_hash
from server.relocation import actions, rules
from server.relocation.conflicts.messages import (
    ConflictOut,
    ConflictsQuery,
    ResolveIn,
    Stands,
)
from server.relocation.messages import SaidOut
from server.relocation.movements import store as movements
from server.relocation.movements.actions import digest
from server.relocation.movements.store import Sight
from server.relocation.plan.known import Plan
from server.relocation.store import Person, Report, begin_reports, draft, hold_standings

SQL = named_sql(__file__)
NO_CONFLICT = "There is no such conflict."


async def listed(
    db: Database, operation_id: int, sight: Sight, movement_id: UUID, query: ConflictsQuery
) -> paging.Page[ConflictOut]:
    """One page, the newest first. Raises NotFound out of sight."""
    async with db.transaction(operation_id) as con:
        await movements.must_see(con, sight, movement_id)
        rows = await con.fetch(
            *(SQL.conflicts, movement_id, sight.areas, sight.people, query.state),
            *(*query.after(datetime, UUID), query.limit + 1, None),
        )
        said = await _reports(con, rows)
    path = f"/v1/movements/{movement_id}/conflicts"
    key = ("found_at", "conflict_id")
    return paging.page(path, query, rows, lambda r: [r[k] for k in key], lambda r: _shown(r, said))


async def one(con: Any, sight: Sight, movement_id: UUID, conflict_id: UUID) -> Any:
    """The row of one conflict. Raises NotFound out of sight."""
    await movements.must_see(con, sight, movement_id)
    seen = (movement_id, sight.areas, sight.people)
    rows = await con.fetch(SQL.conflicts, *seen, None, None, None, 1, conflict_id)
    if not rows:
        raise NotFound(NO_CONFLICT)
    return rows[0]


async def shown(
    db: Database, operation_id: int, sight: Sight, movement_id: UUID, conflict_id: UUID
) -> ConflictOut:
    """One conflict with its reports."""
    async with db.transaction(operation_id) as con:
        row = await one(con, sight, movement_id, conflict_id)
        return _shown(row, await _reports(con, [row]))


async def _reports(con: Any, rows: Sequence[Any]) -> dict[UUID, SaidOut]:
    ids = [key for r in rows for key in (r["first_id"], r["second_id"]) if key is not None]
    return {r["report_id"]: SaidOut(*r) for r in await con.fetch(SQL.reports, ids)}


def _shown(row: Any, said: Mapping[UUID, SaidOut]) -> ConflictOut:
    return ConflictOut(
        id=row["conflict_id"],
        kind=row["kind"],
        state=row["state"],
        person=None if row["ref"] is None else PersonName(row["ref"], row["name"]),
        stands=_stands(row),
        vehicle_no=row["vehicle_no"],
        first=said.get(row["first_id"]),
        second=said.get(row["second_id"]),
        found_at=row["found_at"],
        explained_at=row["explained_at"],
        explained_by=row["explained_by"],
        reason=row["reason"],
        resolved_at=row["resolved_at"],
        resolved_by=row["resolver"],
    )


def _stands(row: Any) -> Stands | None:
    if row["ref"] is None:
        return None
    return Stands(row["stage"], row["on_vehicle"], row["at_point"])


@retried
async def resolve(
    db: Database,
    plan: Plan,
    who: Principal,
    scope: Scope,
    movement_id: UUID,
    conflict_id: UUID,
    body: ResolveIn,
) -> bool:
    """Puts a decision on record: a report of its own, and the conflict resolved by it.

    True if it is new. Raises NotFound, BadInput, or Clash for one that is not open any more.
    """
    sight, body_sha256 = movements.sight_of(who, scope), digest(body)
    async with db.transaction(who.operation_id) as con:
        received_at, states = await begin_reports(con, [movement_id])
        row = await one(con, sight, movement_id, conflict_id)
        person_id = row["person_id"]
        key = (movement_id, person_id)
        held = {} if person_id is None else await hold_standings(con, [key])
        vehicle = (movement_id, row["vehicle_id"])
        boarded = None if held else await con.fetchval(SQL.hold_boarded, *vehicle)
        conflict = await con.fetchrow(SQL.lock, movement_id, conflict_id)
        if conflict["state"] == "resolved" and conflict["body_sha256"] == body_sha256:
            await confirm(con)
            return False
        if conflict["state"] != "open":
            raise Clash("This conflict is not open any more.", code="conflict_over")
        reports = [_report(who, row, held[key], body, received_at)] if held else []
        _refuse_before(body, row, await _reports(con, [row]))
        record = (body.id, body.reason, who.actor, body_sha256, boarded)
        await con.execute(SQL.resolve, movement_id, conflict_id, *record)
        await movements.add_fact(con, movement_id, "conflict_resolved", who.actor, kind=row["kind"])
        await people.audit(con, who.actor, "movement.resolve", str(conflict_id))
        if not reports:
            await stream.append(con, [draft(movement_id, things=[row["vehicle_id"]])])
            return True
        begun = received_at, states
        [outcome] = await actions.record(con, plan, who.operation_id, reports, *begun)
        if isinstance(outcome, Exception):
            raise outcome
        if not outcome[1]:
            raise Clash("This id was used for a report. Make a new id.", code="id_reused")
        return True


def _refuse_before(body: ResolveIn, row: Any, said: Mapping[UUID, SaidOut]) -> None:
    """Raises BadInput for a decision as of before the contradiction: both reports would follow it,
    and contradict each other still."""
    second = said.get(row["second_id"])
    if body.at is not None and second is not None and body.at < second.event_at:
        raise refuse_field("at", "Say where she stood after both reports, or leave it out: now.")


def _report(
    who: Principal, row: Any, person: Person, body: ResolveIn, received_at: datetime
) -> Report:
    """What the decision says, as a report. Raises BadInput where it must say more."""
    stands = person.standing
    stage: str | None = body.stage
    vehicle, point = body.vehicle, body.point
    if stage is None:
        if stands.stage not in rules.STAGES[1:-1]:
            raise refuse_field("stage", "Say where she stands: it is in question.")
        if body.at is not None:
            raise refuse_field("stage", "Say with the time where she stood then.")
        stage, vehicle, point = stands.stage, stands.vehicle, stands.point
    if stage == "boarded" and vehicle is None:
        raise refuse_field("vehicle", "Name the vehicle, by id or number.")
    if stage == "at_point" and point is None:
        raise refuse_field("point", "Name the point.")
    at = min(body.at or received_at, received_at)
    said = body_hash(body.id, row["conflict_id"], stage, vehicle, point, body.reason)
    return Report(
        report_id=body.id,
        movement_id=row["movement_id"],
        person_id=row["person_id"],
        person_ref=row["ref"],
        stage=stage,
        vehicle=vehicle,
        point=point,
        reason=body.reason,
        at=at,
        sent_at=None,
        actor=who.actor,
        capacity="operator",
        how="resolution",
        body_hash=said,
    )
