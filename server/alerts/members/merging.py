"""Two records that are one person: counted once, in every alert, from the same commit on."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from server import jobs, stream
from server.alerts import store as alerts
from server.alerts.members.store import SQL, Moves
from server.alerts.messages import MergedOut
from server.alerts.panics import following
from server.auth import Principal, Scope
from server.db import Database, retried
from server.errors import Clash, NotFound, refuse_field
from server.people.store import audit

MOVEMENTS = "movement.merge"  # the job that follows in movements, in the room of relocation
LOOK_AGAIN = timedelta(seconds=10)  # over the 5 s for which a caller's identity is remembered
NO_PERSON = "There is no such person."


@retried
async def merge(db: Database, who: Principal, scope: Scope, ref: str, into: str) -> MergedOut:
    """Makes one of an added person and the one of the roster she turned out to be.

    Alerts that held both count the one; alerts that held the added one alone hold the other in
    her place. Of all their reports the latest stands, and the panics of both are hers. Again
    changes nothing. Raises NotFound, BadInput (`into`), or Clash where it was merged elsewhere or
    is of the roster itself.
    """
    async with db.transaction(who.operation_id) as con:
        await con.execute(alerts.SQL.hold_off_resolving)
        await con.execute(SQL.hold_live_with, ref)
        await con.execute(alerts.SQL.hold_out_reports)
        other, person = await _pair(con, scope, ref, into)
        if other["merged_into"] is None:
            told = await following.follow(con, who, other, person)
            moves, grown = await _replace(con, other["person_id"], person)
            await con.execute(SQL.mark_merged, other["person_id"], person["person_id"])
            await moves.refold(con, [person["person_id"]])
            drafts = await moves.write(con)
            for alert_id in sorted(grown):
                await con.execute(SQL.grow, alert_id, grown[alert_id], 0)
            await _look_again(con, who.operation_id, person["person_id"])
            await _hand_on(con, who, other, person)
            await audit(con, who.actor, "person.merge", person["ref"], merged=other["ref"])
            merged = await con.fetch(SQL.merged_refs, person["person_id"])
            drafts += [alerts.alert_draft(a) for a in sorted(grown)] + told
            if drafts:
                await stream.append(con, drafts)
        else:
            merged = await con.fetch(SQL.merged_refs, person["person_id"])
        return MergedOut(person["ref"], [r["ref"] for r in merged])


async def _look_again(con: Any, operation_id: int, person_id: int) -> None:
    """A report already under way may still be written in the other's name: it is read later."""
    now: datetime = await con.fetchval(alerts.SQL.clock)
    payload = {"person_id": person_id}
    kind, key = "person.refold", str(person_id)
    await jobs.enqueue(con, operation_id, kind, key, payload, now + LOOK_AGAIN)


async def _hand_on(con: Any, who: Principal, other: Any, person: Any) -> None:
    """Movements follow by a job of the same commit."""
    ids = {"other_id": other["person_id"], "person_id": person["person_id"]}
    payload = {**ids, "was": other["ref"], "actor": who.actor}
    key = str(other["person_id"])
    await jobs.enqueue(con, who.operation_id, MOVEMENTS, key, payload, None, 1)


@retried
async def refold(db: Database, operation_id: int, person_id: int) -> None:
    """Reads again which answers of a person stand, those of who was merged into her included."""
    async with db.transaction(operation_id) as con:
        await con.execute(alerts.SQL.hold_out_reports)
        moves = Moves()
        await moves.refold(con, [person_id])
        drafts = await moves.write(con)
        if drafts:
            await stream.append(con, drafts)


async def _pair(con: Any, scope: Scope, ref: str, into: str) -> tuple[Any, Any]:
    """Both records, locked in the order of their refs, if they may become one."""
    found = {r: await con.fetchrow(SQL.person, r) for r in sorted({ref, into})}
    other, person = found[ref], found[into]
    if other is None or not scope.sees(other["person_id"], other["area_id"]):
        raise NotFound(NO_PERSON)
    if person is None or not scope.sees(person["person_id"], person["area_id"]):
        raise refuse_field("into", NO_PERSON)
    if person["kind"] != "roster":
        raise refuse_field("into", "Name a person of the roster.")
    if other["kind"] == "roster":
        raise Clash("Both are of the roster. Correct the roster instead.", code="not_mergeable")
    if other["merged_into"] not in (None, person["person_id"]):
        raise Clash("This record was merged with another person.", code="merged_elsewhere")
    return other, person


async def _replace(con: Any, other_id: int, person: Any) -> tuple[Moves, dict[UUID, int]]:
    """Takes one out of every population and puts the other in; by how much each grows."""
    moves = Moves()
    grown: dict[UUID, int] = {}
    columns = (other_id, person["person_id"], person["agency_id"])
    entered = await con.fetch(SQL.replace_members, *columns, person["category"], person["parity"])
    left = await con.fetch(SQL.remove_members, other_id)
    for row in left:
        moves.add(tuple(row), -1)
        grown[row["alert_id"]] = -1
    for row in entered:
        moves.add(tuple(row), 1)
        grown[row["alert_id"]] += 1
    return moves, grown
