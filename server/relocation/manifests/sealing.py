"""A manifest is sealed at departure; what changes after it is an amendment with its reason."""

import hashlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from server import stream
from server.auth import Principal, Scope
from server.db import Database, confirm, retried
from server.errors import BadInput, Clash, FieldError, refuse_field
from server.people import store as people
from server.relocation.manifests import rules, store
from server.relocation.manifests.messages import AmendIn, SealedSeat
from server.relocation.manifests.store import SQL, Leg, Person
from server.relocation.movements import store as movements
from server.relocation.movements.actions import digest
from server.relocation.store import draft


@retried
async def seal(
    db: Database, who: Principal, scope: Scope, movement_id: UUID, vehicle_id: UUID
) -> None:
    """Seals a manifest; again changes nothing."""
    async with db.transaction(who.operation_id) as con:
        await movements.steerable(con, who, scope, movement_id)
        own = await store.leg_of(con, movement_id, vehicle_id, alone=True)
        if await seal_once(con, who, movement_id, own, vehicle_id):
            await stream.append(con, [draft(movement_id)])


async def at_departure(con: Any, who: Principal, movement_id: UUID, vehicle_id: UUID) -> None:
    """Seals the manifest of a vehicle that departs, within the caller's transaction."""
    own = await store.leg_of(con, movement_id, vehicle_id, alone=True)
    await seal_once(con, who, movement_id, own, vehicle_id)


async def seal_once(
    con: Any, who: Principal, movement_id: UUID, own: Leg, vehicle_id: UUID
) -> bool:
    """Whether it was sealed now. The movement's row is held: no seat is given meanwhile."""
    vehicle = own.vehicle(vehicle_id)
    if vehicle.sealed:
        return False
    listed = own.listed(vehicle_id)
    text = msgspec.json.encode([_sealed(own, p) for p in listed]).decode()
    sha256 = hashlib.sha256(text.encode()).digest()
    await con.execute(SQL.seal, movement_id, vehicle_id, who.actor, text, sha256)
    about = {"number": vehicle.number, "people": len(listed), "sha256": sha256.hex()}
    await movements.add_fact(con, movement_id, "manifest_sealed", who.actor, **about)
    await people.audit(con, who.actor, "manifest.sealed", str(vehicle_id))
    return True


def _sealed(own: Leg, person: Person) -> SealedSeat:
    return SealedSeat(
        seat=person.seat or 0,
        ref=person.ref,
        name=person.name,
        category=person.category,
        household=person.household,
        medical=person.medical,
        papers=own.papers(person),
    )


@retried
async def amend(
    db: Database,
    who: Principal,
    scope: Scope,
    movement_id: UUID,
    vehicle_id: UUID,
    wish: AmendIn,
) -> bool:
    """Changes a sealed manifest; True if the amendment is new.

    Raises BadInput for people it cannot put on or take off, Clash for one that is not sealed.
    """
    if not wish.put_on and not wish.take_off:
        raise refuse_field("put_on", "Name who is put on, or who is taken off.")
    body_sha256 = digest(movement_id, vehicle_id, wish)
    async with db.transaction(who.operation_id) as con:
        await movements.steerable(con, who, scope, movement_id)
        known = await con.fetchval(SQL.amended, wish.id)
        if known is not None:
            if known != body_sha256:
                raise Clash("This id was used for another amendment.", code="id_reused")
            await confirm(con)
            return False
        own = await store.leg_of(con, movement_id, vehicle_id)
        if not own.vehicle(vehicle_id).sealed:
            raise Clash("It is not sealed yet: change the list itself.", code="manifest_open")
        await _amend(con, who, movement_id, own, vehicle_id, wish, body_sha256)
        await stream.append(con, [draft(movement_id)])
        return True


async def _amend(
    con: Any,
    who: Principal,
    movement_id: UUID,
    own: Leg,
    vehicle_id: UUID,
    wish: AmendIn,
    body_sha256: bytes,
) -> None:
    """The amendment first: under it alone the seats may change. Who is put on gets the lowest
    numbers that are free after those who are taken off."""
    off, on = _named(own, vehicle_id, wish)
    vehicle = own.vehicle(vehicle_id)
    kept = {p.seat or 0 for p in own.listed(vehicle_id)} - {p.seat or 0 for p in off}
    free = rules.numbers(kept, vehicle.seats, len(on))
    if len(free) < len(on):
        raise refuse_field("put_on", f"Vehicle {vehicle.number} has {vehicle.seats} seats.")
    rows = [(p.person_id, "taken_off", p.seat) for p in off]
    rows += [(p.person_id, "put_on", seat) for p, seat in zip(on, free, strict=True)]
    columns = list(map(list, zip(*rows, strict=True)))
    said = (wish.reason, who.actor, body_sha256)
    await con.execute(SQL.amend, wish.id, movement_id, vehicle_id, *columns, *said)
    await con.execute(SQL.take, movement_id, own.leg_id, [p.person_id for p in off])
    given = ([p.person_id for p in on], [vehicle_id] * len(on), free)
    await con.execute(SQL.give, movement_id, own.leg_id, *given, True, who.actor)
    homes = sorted({p.household_id for p in (*off, *on)})
    await con.execute(SQL.let_split, movement_id, own.leg_id, homes, who.actor)
    about = {"number": vehicle.number, "put_on": len(on), "taken_off": len(off)}
    await movements.add_fact(con, movement_id, "manifest_amended", who.actor, **about)
    await people.audit(con, who.actor, "manifest.amended", str(vehicle_id))


def _named(own: Leg, vehicle_id: UUID, wish: AmendIn) -> tuple[list[Person], list[Person]]:
    """Who is taken off, and who is put on. Raises BadInput naming each who cannot be."""
    by_ref = {p.ref: p for p in own.people}
    errors = _repeats([*wish.take_off, *wish.put_on], len(wish.take_off))
    for n, ref in enumerate(wish.take_off):
        if ref not in by_ref or by_ref[ref].sits != vehicle_id:
            errors.append(FieldError(f"take_off[{n}]", "She is not on this manifest."))
    for n, ref in enumerate(wish.put_on):
        if ref not in by_ref:
            errors.append(FieldError(f"put_on[{n}]", "She is not in this movement: add her first."))
        elif by_ref[ref].sits is not None:
            number = own.vehicle(by_ref[ref].sits).number  # type: ignore[arg-type]
            errors.append(FieldError(f"put_on[{n}]", f"She has a seat on vehicle {number}."))
    if errors:
        raise BadInput("Correct the fields named in errors and send it again.", errors=errors)
    return [by_ref[ref] for ref in wish.take_off], [by_ref[ref] for ref in wish.put_on]


def _repeats(refs: Sequence[str], offs: int) -> list[FieldError]:
    return [
        FieldError(f"take_off[{n}]" if n < offs else f"put_on[{n - offs}]", "Name her once.")
        for n, ref in enumerate(refs)
        if ref in refs[:n]
    ]
