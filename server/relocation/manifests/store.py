"""A leg with its vehicles, seats and people, as the rules read it and as it is shown."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from server.db import named_sql
from server.errors import NotFound, refuse_field
from server.relocation import rules as stages
from server.relocation.manifests import rules
from server.relocation.manifests.rules import Rider, Wait

SQL = named_sql(__file__)


class Person(msgspec.Struct, frozen=True):
    """Somebody of a movement, as a leg concerns her. `sits`: the vehicle of her seat on it;
    `rides`: of any leg, where she is known to be aboard one. `beside`: she has a seat on another
    leg of the same position. `rode`: she rode this leg, such another or a later one. `came`: the
    vehicles of it she arrived by."""

    person_id: int
    ref: str
    name: str
    household_id: int
    household: str
    area_id: int
    zone: str
    category: str
    stage: str
    expected: str
    rides: UUID | None
    since: datetime | None
    medical: bool
    sits: UUID | None
    seat: int | None
    by_hand: bool | None
    beside: bool
    rode: bool
    came: list[str]
    held: bool | None
    expires_on: date | None

    @property
    def out(self) -> bool:
        """Whether she is not to ride it: she stays, is there, or goes another way."""
        return self.stage in stages.SETTLED or self.beside or self.rode

    @property
    def unheard(self) -> bool:
        """Whether she was expected elsewhere, and nothing was heard of her."""
        return self.expected == "elsewhere" and self.stage == "listed"


class Vehicle(msgspec.Struct, frozen=True):
    """A vehicle of the leg."""

    vehicle_id: UUID
    number: int
    label: str
    leg_id: UUID
    seats: int
    state: str
    sealed: bool

    @property
    def open(self) -> bool:
        """Whether seats may be given by rule."""
        return self.state == "planned" and not self.sealed


class Leg(msgspec.Struct, frozen=True):
    """A leg: its vehicles by number, everybody of the movement (or only the households that one
    vehicle concerns), the day of the crossing if a border is crossed, and households that may ride
    it apart."""

    leg_id: UUID
    crossing: date | None
    vehicles: list[Vehicle]
    people: list[Person]
    splits: frozenset[int]

    def vehicle(self, vehicle_id: UUID) -> Vehicle:
        """One of them."""
        return next(v for v in self.vehicles if v.vehicle_id == vehicle_id)

    def numbers(self) -> dict[UUID, int]:
        """What vehicles are called."""
        return {v.vehicle_id: v.number for v in self.vehicles}

    def papers(self, person: Person) -> Any:
        """What is to be said of her papers; None where no border is crossed."""
        if self.crossing is None:
            return None
        return rules.papers(person.held, person.expires_on, self.crossing)

    def arrived(self, person: Person) -> bool:
        """Whether she is known to have arrived by the vehicle of her seat."""
        return str(person.sits) in person.came

    def listed(self, vehicle_id: UUID) -> list[Person]:
        """Who has a seat on a vehicle, by seat."""
        own = [p for p in self.people if p.sits == vehicle_id]
        return sorted(own, key=lambda p: p.seat or 0)

    def mark(self, vehicle_id: UUID) -> str:
        """What two lists share exactly when the same people have the same seats."""
        said = msgspec.json.encode([(p.seat, p.person_id) for p in self.listed(vehicle_id)])
        return hashlib.sha256(said).hexdigest()[:8].upper()

    def unlisted(self, vehicle_id: UUID) -> list[Person]:
        """Who is known to be aboard a vehicle without a seat."""
        own = (p for p in self.people if p.rides == vehicle_id and p.sits != vehicle_id)
        return [p for p in own if p.stage == "boarded"]

    def apart(self, household_ids: Collection[int] | None = None) -> list[str]:
        """Sponsors whose households have seats in more than one vehicle."""
        seats: dict[str, set[UUID]] = {}
        for p in self.people:
            if p.sits is not None and (household_ids is None or p.household_id in household_ids):
                seats.setdefault(p.household, set()).add(p.sits)
        return sorted(ref for ref, sits in seats.items() if len(sits) > 1)


async def leg(con: Any, movement_id: UUID, leg_id: UUID, vehicle_id: UUID | None = None) -> Leg:
    """A leg, or as much of it as concerns one vehicle. Raises BadInput where there is none."""
    row = await con.fetchrow(SQL.leg, movement_id, leg_id)
    if row is None:
        raise refuse_field("leg", "There is no such leg in this movement.")
    vehicles = await con.fetch(SQL.vehicles, movement_id, leg_id)
    people = await con.fetch(SQL.riders, movement_id, leg_id, vehicle_id)
    splits = await con.fetch(SQL.splits, movement_id, leg_id)
    return Leg(
        leg_id=leg_id,
        crossing=row["crossing"] if row["crosses"] else None,
        vehicles=[Vehicle(*r) for r in vehicles],
        people=[Person(*r) for r in people],
        splits=frozenset(r[0] for r in splits),
    )


async def leg_of(con: Any, movement_id: UUID, vehicle_id: UUID, alone: bool = False) -> Leg:
    """The leg of a vehicle; `alone`: as much of it as concerns that vehicle. Raises NotFound."""
    leg_id = await con.fetchval(SQL.leg_of, movement_id, vehicle_id)
    if leg_id is None:
        raise NotFound("There is no such vehicle in this movement.")
    return await leg(con, movement_id, leg_id, vehicle_id if alone else None)


async def ranks(con: Any, codes: Sequence[str]) -> dict[int, int]:
    """Area id -> which of these areas it is in, the first that holds it."""
    found: dict[int, int] = {}
    known = set()
    for row in await con.fetch(SQL.zones, list(codes)):
        known.add(row["code"])
        found.setdefault(row["area_id"], row["rank"])
    for n, code in enumerate(codes):
        if code not in known:
            raise refuse_field(f"zones[{n}]", "There is no area with this code.")
    return found


def riders(
    own: Leg, zones: Mapping[int, int], gone: Collection[int]
) -> tuple[list[Rider], list[Wait]]:
    """Who is to ride the leg; and who waits, whatever seats there are. `zones`: only households
    with a member there, if there are any. `gone`: whose seats are given up."""
    numbers = own.numbers()
    homes = {p.household_id for p in own.people if p.area_id in zones}
    found: list[Rider] = []
    waiting: list[Wait] = []
    for p in own.people:
        sits = None if p.person_id in gone else p.sits
        if zones and p.household_id not in homes:
            continue
        if sits is None and p.stage == "boarded" and p.rides in numbers:
            waiting.append(Wait(p.person_id, "aboard", numbers[p.rides]))
        elif sits is None and p.unheard and not p.out:
            waiting.append(Wait(p.person_id, "expected_elsewhere"))
        elif sits is not None or not p.out:
            rank = (zones.get(p.area_id, len(numbers) + (1 << 20)), p.zone)
            ready = p.stage in rules.READY
            found.append(Rider(p.person_id, p.household_id, p.medical, ready, rank, sits))
    return found, waiting


def released(own: Leg) -> dict[int, str]:
    """Whose seats are given up by rule, and why: nothing under a seal."""
    vehicles = {v.vehicle_id: v for v in own.vehicles}
    found: dict[int, str] = {}
    for p in own.people:
        if p.sits is None or vehicles[p.sits].sealed:
            continue
        if vehicles[p.sits].state == "withdrawn":
            found[p.person_id] = "withdrawn"
        elif p.stage in stages.SETTLED and not p.rode:
            found[p.person_id] = "rides_no_more"
    return found


def rooms(own: Leg, gone: Collection[int]) -> list[rules.Vehicle]:
    """The vehicles as the rules read them."""
    taken = Counter(p.sits for p in own.people if p.person_id not in gone)
    taken.update(p.rides for p in own.people if p.stage == "boarded" and p.rides != p.sits)
    return [
        rules.Vehicle(v.vehicle_id, v.number, v.seats, taken[v.vehicle_id], v.open)
        for v in own.vehicles
    ]


async def give(
    con: Any,
    movement_id: UUID,
    own: Leg,
    placed: Iterable[tuple[int, UUID]],
    actor: str,
    hand: bool,
) -> dict[int, int]:
    """Gives seats with the lowest numbers that are free; person -> number.

    Raises BadInput where a vehicle has no more: `own` must have been read with the movement held.
    """
    wanted: dict[UUID, list[int]] = {}
    for person_id, vehicle_id in placed:
        wanted.setdefault(vehicle_id, []).append(person_id)
    taken: dict[UUID | None, set[int]] = defaultdict(set)
    for p in own.people:
        taken[p.sits].add(p.seat or 0)
    vehicles = {v.vehicle_id: v for v in own.vehicles}
    rows: list[tuple[int, UUID, int]] = []
    for vehicle_id, people in wanted.items():
        vehicle = vehicles[vehicle_id]
        free = rules.numbers(taken[vehicle_id], vehicle.seats, len(people))
        if len(free) < len(people):
            raise refuse_field("people", f"Vehicle {vehicle.number} has {vehicle.seats} seats.")
        rows += [(who, vehicle_id, n) for who, n in zip(people, free, strict=True)]
    if rows:
        columns = map(list, zip(*rows, strict=True))
        await con.execute(SQL.give, movement_id, own.leg_id, *columns, hand, actor)
    return {person_id: seat for person_id, _, seat in rows}
