"""A vehicle's list as an operator wants it, and what is known of travellers."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from msgspec import UNSET

from server import stream
from server.auth import Principal, Scope
from server.db import Database, retried
from server.errors import BadInput, Clash, FieldError, refuse_field
from server.relocation.manifests import listing, rules, store
from server.relocation.manifests.messages import ManifestIn, Traveller, TravellersIn
from server.relocation.manifests.store import SQL, Leg, Person
from server.relocation.movements import store as movements
from server.relocation.movements.actions import ENDED, led
from server.relocation.store import draft

AMISS = "Correct the fields named in errors and send it again."


@retried
async def put_list(
    db: Database,
    who: Principal,
    scope: Scope,
    movement_id: UUID,
    vehicle_id: UUID,
    wish: ManifestIn,
) -> None:
    """The list of a vehicle as it is to be; who stays on it keeps her seat, and so does who is out
    of the caller's sight.

    Raises BadInput for too many, for people who sit elsewhere or are not in the movement, and for
    a household it would tear; Clash under a seal.
    """
    async with db.transaction(who.operation_id) as con:
        locked = await movements.steerable(con, who, scope, movement_id)
        if locked.state in ENDED:
            led(locked.state, "cancel")
        own = await store.leg_of(con, movement_id, vehicle_id)
        wanted = _wanted(own, vehicle_id, wish)
        split = own.splits | _split(own, wish)
        if own.vehicle(vehicle_id).sealed:
            raise Clash("It is sealed. Amend it, with the reason.", code="manifest_sealed")
        off = [
            p
            for p in own.listed(vehicle_id)
            if p not in wanted and scope.sees(p.person_id, p.area_id)
        ]
        on = [p for p in wanted if p.sits != vehicle_id]
        _refuse_tearing(own, vehicle_id, wish, off, on, split)
        if not off and not on and split == own.splits:
            return
        leaving = [p.person_id for p in (*off, *on)]
        await con.execute(SQL.take, movement_id, own.leg_id, leaving)
        await con.execute(
            SQL.let_split, movement_id, own.leg_id, sorted(split - own.splits), who.actor
        )
        fresh = await store.leg(con, movement_id, own.leg_id)
        placed = [(p.person_id, vehicle_id) for p in on]
        await store.give(con, movement_id, fresh, placed, who.actor, True)
        await stream.append(con, [draft(movement_id)])


def _wanted(own: Leg, vehicle_id: UUID, wish: ManifestIn) -> list[Person]:
    """The people named. Raises BadInput naming each who cannot have a seat there."""
    by_ref = {p.ref: p for p in own.people}
    vehicle = own.vehicle(vehicle_id)
    if len(wish.people) > vehicle.seats:
        raise refuse_field("people", f"Vehicle {vehicle.number} has {vehicle.seats} seats.")
    errors = []
    for n, ref in enumerate(wish.people):
        problem = _problem(own, vehicle_id, by_ref.get(ref), wish.move)
        if ref in wish.people[:n]:
            problem = "Name her once."
        if problem is not None:
            errors.append(FieldError(f"people[{n}]", problem))
    if errors:
        raise BadInput(AMISS, errors=errors)
    return [by_ref[ref] for ref in wish.people]


def _problem(own: Leg, vehicle_id: UUID, person: Person | None, move: bool) -> str | None:
    if person is None:
        return "She is not in this movement: add her first."
    if person.sits in (None, vehicle_id):
        return None
    other = own.vehicle(person.sits)
    if other.sealed:
        return f"She is on the sealed manifest of vehicle {other.number}: amend that first."
    if not move:
        return f"She has a seat on vehicle {other.number}. Say move to take her from there."
    return None


def _split(own: Leg, wish: ManifestIn) -> frozenset[int]:
    known = {p.household: p.household_id for p in own.people}
    for n, ref in enumerate(wish.split):
        if ref not in known:
            raise refuse_field(f"split[{n}]", "There is no household of hers in this movement.")
    return frozenset(known[ref] for ref in wish.split)


def _refuse_tearing(
    own: Leg,
    vehicle_id: UUID,
    wish: ManifestIn,
    off: Sequence[Person],
    on: Sequence[Person],
    split: frozenset[int],
) -> None:
    """Raises BadInput for households of which some would sit here and some not. Who stays, has
    arrived, or was expected elsewhere and never heard of does not ride and tears none."""
    sits = {p.person_id: p.sits for p in own.people if p.sits or not (p.out or p.unheard)}
    sits |= {p.person_id: None for p in off if p.person_id in sits}
    sits |= {p.person_id: vehicle_id for p in on}
    homes: dict[int, dict[int, UUID | None]] = {p.household_id: {} for p in (*off, *on)}
    for p in own.people:
        if p.household_id in homes and p.person_id in sits:
            homes[p.household_id][p.person_id] = sits[p.person_id]
    torn = {home for home, own_sits in homes.items() if rules.torn(own_sits, home in split)}
    errors = [
        FieldError(
            f"people[{wish.people.index(p.ref)}]" if p in on else "people",
            f"The household of {p.household} would ride apart. Name it in split if it is to.",
        )
        for p in (*on, *off)
        if p.household_id in torn
    ]
    if errors:
        raise BadInput(AMISS, errors=errors)


@retried
async def put_travellers(
    db: Database, who: Principal, scope: Scope, movement_id: UUID, wish: TravellersIn
) -> list[Traveller]:
    """What is known of some people of a movement. Raises BadInput for others."""
    async with db.transaction(who.operation_id) as con:
        await movements.must_see(con, movements.sight_of(who, scope), movement_id)
        refs = [i.ref for i in wish.items]
        rows = await con.fetch(SQL.members, movement_id, refs)
        seen = {r["ref"]: r["person_id"] for r in rows if scope.sees(r["person_id"], r["area_id"])}
        _refuse_travellers(wish, seen)
        await _put_travellers(con, who, movement_id, wish, seen)
        await stream.append(con, [draft(movement_id)])
        found = await con.fetch(SQL.travellers, movement_id, sorted(seen.values()))
        return [listing.traveller(r) for r in found]


def _refuse_travellers(wish: TravellersIn, seen: dict[str, int]) -> None:
    refs = [i.ref for i in wish.items]
    errors = []
    for n, item in enumerate(wish.items):
        if item.ref not in seen:
            errors.append(FieldError(f"items[{n}].ref", "She is not in this movement."))
        elif item.ref in refs[:n]:
            errors.append(FieldError(f"items[{n}].ref", "Name her once."))
        elif item.expires_on is not None and item.papers is not True:
            errors.append(FieldError(f"items[{n}].expires_on", "Say papers true with it."))
    if errors:
        raise BadInput(AMISS, errors=errors)


async def _put_travellers(
    con: Any, who: Principal, movement_id: UUID, wish: TravellersIn, seen: dict[str, int]
) -> None:
    said = [i for i in wish.items if i.papers is not UNSET and i.papers is not None]
    unsaid = [seen[i.ref] for i in wish.items if i.papers is None]
    columns = (
        [seen[i.ref] for i in said],
        [i.papers for i in said],
        [i.expires_on for i in said],
    )
    await con.execute(SQL.put_papers, *columns, who.actor)
    await con.execute(SQL.forget_papers, unsaid)
    medical = [seen[i.ref] for i in wish.items if i.medical is True]
    not_medical = [seen[i.ref] for i in wish.items if i.medical is False]
    await con.execute(SQL.put_medical, movement_id, medical, who.actor)
    await con.execute(SQL.drop_medical, movement_id, not_medical)
