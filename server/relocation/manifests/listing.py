"""Manifests as they are shown."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from server import paging
from server.db import Database
from server.people.messages import PersonName
from server.relocation.listing import literal
from server.relocation.manifests import store
from server.relocation.manifests.messages import (
    Aboard,
    Amendment,
    Manifest,
    Seal,
    SealedSeat,
    Seat,
    Traveller,
    TravellersQuery,
)
from server.relocation.manifests.store import SQL, Leg, Person
from server.relocation.movements import store as movements
from server.relocation.movements.store import Sight

_SEALED = msgspec.json.Decoder(list[SealedSeat])


async def manifest(
    db: Database, operation_id: int, sight: Sight, movement_id: UUID, vehicle_id: UUID
) -> Manifest:
    """A manifest of one instant, with the people in sight. Raises NotFound out of sight."""
    async with db.transaction(operation_id, snapshot=True) as con:
        await movements.must_see(con, sight, movement_id)
        own = await store.leg_of(con, movement_id, vehicle_id, alone=True)
        seal = await con.fetchrow(SQL.sealed, movement_id, vehicle_id)
        amendments = await con.fetch(SQL.amendments, movement_id, vehicle_id)
        sighted = {p.person_id: p.ref for p in own.people if _sees(sight, p)}
        was = await con.fetch(SQL.merged_refs, list(sighted))
    # Under a seal stand the names of that day: who was merged since is seen with who remains.
    seen = {*sighted.values(), *(r["ref"] for r in was)}
    vehicle = own.vehicle(vehicle_id)
    listed, gone = own.listed(vehicle_id), store.released(own)
    homes = {p.household_id for p in listed if p.ref in seen}
    return Manifest(
        vehicle=vehicle_id,
        number=vehicle.number,
        label=vehicle.label,
        leg=own.leg_id,
        state=vehicle.state,  # type: ignore[arg-type]
        seats_in_all=vehicle.seats,
        given=len(listed),
        mark=own.mark(vehicle_id),
        seats=[_seat(own, p, vehicle_id, gone) for p in listed if p.ref in seen],
        unlisted=[
            Aboard(PersonName(p.ref, p.name), p.since)  # type: ignore[arg-type]
            for p in own.unlisted(vehicle_id)
            if p.ref in seen
        ],
        apart=own.apart(homes),
        seal=_seal(seal, seen) if seal else None,
        amendments=[_amendment(r) for r in amendments if r["ref"] in seen],
    )


async def travellers(
    db: Database, operation_id: int, sight: Sight, movement_id: UUID, query: TravellersQuery
) -> paging.Page[Traveller]:
    """What is known of the people in sight, a page by name. Raises NotFound out of sight."""
    filters = (sight.areas, sight.people, literal(query.q), query.unsaid)
    async with db.transaction(operation_id) as con:
        await movements.must_see(con, sight, movement_id)
        rows = await con.fetch(
            SQL.travellers_page, movement_id, *filters, *query.after(str, int), query.limit + 1
        )
    path = f"/v1/movements/{movement_id}/travellers"
    return paging.page(path, query, rows, lambda r: (r["name"], r["person_id"]), traveller)


def traveller(row: Any) -> Traveller:
    """A row of travellers."""
    return Traveller(
        PersonName(row["ref"], row["name"]), row["held"], row["expires_on"], row["medical"]
    )


def _sees(sight: Sight, person: Person) -> bool:
    if sight.areas is not None and person.area_id not in sight.areas:
        return False
    return sight.people is None or person.person_id in sight.people


def _seat(own: Leg, person: Person, vehicle_id: UUID, gone: Mapping[int, str]) -> Seat:
    return Seat(
        seat=person.seat or 0,
        person=PersonName(person.ref, person.name),
        category=person.category,
        household=person.household,
        medical=person.medical,
        papers=own.papers(person),
        stage=person.stage,
        aboard=person.stage == "boarded" and person.rides == vehicle_id,
        arrived=own.arrived(person),
        by_hand=bool(person.by_hand),
        released=gone.get(person.person_id),  # type: ignore[arg-type]
    )


def _seal(row: Any, seen: set[str]) -> Seal:
    own = [s for s in _SEALED.decode(row["list"]) if s.ref in seen]
    return Seal(row["sealed_at"], row["sealer"], row["sha256"].hex(), own)


def _amendment(row: Any) -> Amendment:
    return Amendment(
        id=row["amendment_id"],
        what=row["what"],
        person=PersonName(row["ref"], row["name"]),
        seat=row["seat"],
        reason=row["reason"],
        at=row["at"],
        by=row["amender"],
    )
