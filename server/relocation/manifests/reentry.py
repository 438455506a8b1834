"""A list that was ticked on paper comes back: a report of each number, through the one recorder."""

import asyncio
from typing import Any
from uuid import UUID, uuid5

from server.auth import Principal, Scope
from server.db import Database
from server.errors import BadInput, Clash, FieldError, refuse_field
from server.recording import body_hash
from server.relocation.actions import Reports
from server.relocation.manifests import store
from server.relocation.manifests.messages import Ticked, TickedIn
from server.relocation.manifests.store import Leg, Person
from server.relocation.movements import store as movements
from server.relocation.store import Report, earlier


async def enter(
    db: Database,
    reports: Reports,
    who: Principal,
    scope: Scope,
    ids: tuple[UUID, UUID],
    wish: TickedIn,
) -> Ticked:
    """Reports of everybody ticked. Sent again they are the same reports: their ids come of the
    form's own. Raises Clash where seats have changed hands since it was printed, unless it was
    entered before they did."""
    movement_id, vehicle_id = ids
    if not wish.seats and not wish.people:
        raise refuse_field("seats", "Give the numbers that are ticked.")
    async with db.transaction(who.operation_id) as con:
        await movements.must_see(con, movements.sight_of(who, scope), movement_id)
        own = await store.leg_of(con, movement_id, vehicle_id)
        changed = bool(wish.seats) and wish.mark != own.mark(vehicle_id)
        if changed and (entered := await _entered(con, own, scope, (who, *ids), wish)):
            return Ticked(0, entered)
    if changed:
        raise Clash(
            "The list was changed since it was printed: its numbers are others now. Enter people.",
            code="manifest_changed",
        )
    ticked = _ticked(own, scope, vehicle_id, wish)
    made = [_report(who, movement_id, vehicle_id, wish, person) for person in ticked]
    work = (reports.submit(who.operation_id, report) for report in made)
    outcomes = await asyncio.gather(*work)
    return Ticked(sum(new for _, new in outcomes), [p.ref for p in ticked])


async def _entered(
    con: Any, own: Leg, scope: Scope, about: tuple[Principal, UUID, UUID], wish: TickedIn
) -> list[str]:
    """Whom the same form reported when it was entered, as a whole, before seats changed hands."""
    seen = [p for p in own.people if scope.sees(p.person_id, p.area_id)]
    made = await asyncio.to_thread(lambda: [_report(*about, wish, p) for p in seen])
    stored = await earlier(con, [r.report_id for r in made])
    found = [
        r.person_ref
        for r in made
        if r.report_id in stored and stored[r.report_id].body_hash == r.body_hash
    ]
    return found if len(found) == len(set(wish.seats)) + len(set(wish.people)) else []


def _ticked(own: Leg, scope: Scope, vehicle_id: UUID, wish: TickedIn) -> list[Person]:
    """Who was ticked. Raises BadInput naming each number and ref that is nobody's."""
    by_seat = {p.seat: p for p in own.listed(vehicle_id)}
    by_ref = {p.ref: p for p in own.people}
    found: dict[int, Person] = {}
    errors = []
    named = [(f"seats[{n}]", by_seat.get(seat)) for n, seat in enumerate(wish.seats)]
    named += [(f"people[{n}]", by_ref.get(ref)) for n, ref in enumerate(wish.people)]
    for path, person in named:
        if person is None or not scope.sees(person.person_id, person.area_id):
            errors.append(FieldError(path, "Nobody has this number or ref. Look again."))
        else:
            found[person.person_id] = person
    if errors:
        raise BadInput("Correct the fields named in errors and send it again.", errors=errors)
    return list(found.values())


def _report(
    who: Principal, movement_id: UUID, vehicle_id: UUID, wish: TickedIn, person: Person
) -> Report:
    said = (person.ref, movement_id, wish.stage, wish.at.timestamp(), vehicle_id)
    return Report(
        report_id=uuid5(wish.id, f"{wish.stage} {person.person_id}"),
        movement_id=movement_id,
        person_id=person.person_id,
        person_ref=person.ref,
        stage=wish.stage,
        vehicle=vehicle_id,
        point=None,
        reason=None,
        at=wish.at,
        sent_at=None,
        actor=who.actor,
        capacity="operator",
        how="desk",
        body_hash=body_hash(*said, "ticked"),
    )
