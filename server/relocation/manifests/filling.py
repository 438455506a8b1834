"""Filling the seats of a leg by rule: shown first, and applied as it was shown."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from server import stream
from server.auth import Principal, Scope
from server.db import Database, retried
from server.errors import Clash, refuse_field
from server.people.messages import PersonName
from server.relocation.manifests import rules, store
from server.relocation.manifests.messages import (
    Fill,
    FillIn,
    Given,
    Released,
    Room,
    Waiting,
)
from server.relocation.manifests.rules import Need
from server.relocation.manifests.store import SQL, Leg, Person
from server.relocation.movements import store as movements
from server.relocation.movements.actions import ENDED, led
from server.relocation.store import draft


class Outcome(msgspec.Struct, frozen=True):
    """What the rules make of a leg."""

    filled: rules.Filled
    released: dict[int, str]
    ready: frozenset[int]
    rooms: list[rules.Vehicle]


@retried
async def fill(db: Database, who: Principal, scope: Scope, movement_id: UUID, wish: FillIn) -> Fill:
    """Gives free seats by rule, or only shows who would get which, and who waits for what.

    Raises Clash where the outcome is no longer the one of the preview that `mark` names.
    """
    if len(set(wish.order)) < len(wish.order):
        raise refuse_field("order", "Name each need once.")
    async with db.transaction(who.operation_id) as con:
        locked = await movements.steerable(con, who, scope, movement_id)
        if locked.state in ENDED:
            led(locked.state, "cancel")
        own = await store.leg(con, movement_id, wish.leg)
        split = own.splits | _households(own, wish.split)
        ranks = await store.ranks(con, wish.zones)
        # in a thread: of very many people it takes a while, in which others call for help
        found = await asyncio.to_thread(outcome, own, _order(wish), ranks, split)
        if wish.mark not in (None, found.filled.mark()):
            raise Clash("It would come out otherwise now. Look again.", code="fill_changed")
        if wish.apply:
            await _apply(con, who, movement_id, own, found, sorted(split - own.splits))
        return await asyncio.to_thread(_shown, own, wish, found)


def _order(wish: FillIn) -> list[Need]:
    rest: tuple[Need, ...] = rules.ORDER
    return [*wish.order, *(need for need in rest if need not in wish.order)]


def _households(own: Leg, refs: Sequence[str]) -> frozenset[int]:
    """The households of some sponsors. Raises BadInput for others."""
    known = {p.household: p.household_id for p in own.people}
    for n, ref in enumerate(refs):
        if ref not in known:
            raise refuse_field(f"split[{n}]", "There is no household of hers in this movement.")
    return frozenset(known[ref] for ref in refs)


def outcome(
    own: Leg, order: Sequence[str], zones: Mapping[int, int], split: frozenset[int]
) -> Outcome:
    """What the rules make of a leg as it was read."""
    gone = store.released(own)
    riders, waiting = store.riders(own, zones, gone)
    rooms = store.rooms(own, gone)
    filled = rules.fill(riders, rooms, order, split)
    all_waiting = (*waiting, *filled.waiting)
    ready = frozenset(r.person_id for r in riders if r.ready)
    return Outcome(rules.Filled(filled.placed, all_waiting), gone, ready, rooms)


async def _apply(
    con: Any,
    who: Principal,
    movement_id: UUID,
    own: Leg,
    found: Outcome,
    split: list[int],
) -> None:
    """Puts it on record. Nothing to do changes nothing."""
    placed, gone = found.filled.placed, list(found.released)
    if not placed and not gone and not split:
        return
    await con.execute(SQL.take, movement_id, own.leg_id, gone)
    await con.execute(SQL.let_split, movement_id, own.leg_id, split, who.actor)
    fresh = await store.leg(con, movement_id, own.leg_id)
    await store.give(con, movement_id, fresh, placed, who.actor, False)
    about = {"leg": str(own.leg_id), "given": len(placed), "released": len(gone)}
    await movements.add_fact(con, movement_id, "seats_filled", who.actor, **about)
    await stream.append(con, [draft(movement_id)])


def _shown(own: Leg, wish: FillIn, found: Outcome) -> Fill:
    people = {p.person_id: p for p in own.people}
    numbers = own.numbers()
    placed = found.filled.placed
    seats = Counter(vehicle_id for _, vehicle_id in placed)
    return Fill(
        leg=own.leg_id,
        applied=wish.apply,
        mark=found.filled.mark(),
        order=_order(wish),
        given=[_given(own, people[p], numbers[v], p in found.ready) for p, v in placed],
        released=[
            Released(PersonName(people[p].ref, people[p].name), _number(own, people[p]), why)  # type: ignore[arg-type]
            for p, why in found.released.items()
        ],
        waiting=[_waiting(people[w.person_id], w, found.ready) for w in found.filled.waiting],
        vehicles=[
            Room(v.number, v.seats, v.seats - v.taken - seats[v.vehicle_id], v.open)
            for v in found.rooms
        ],
    )


def _number(own: Leg, person: Person) -> int:
    assert person.sits is not None  # noqa: S101 - only who sits gives a seat up
    return own.vehicle(person.sits).number


def _given(own: Leg, person: Person, number: int, ready: bool) -> Given:
    return Given(
        person=PersonName(person.ref, person.name),
        vehicle_no=number,
        household=person.household,
        medical=person.medical,
        ready=ready,
        zone=person.zone,
        papers=own.papers(person),
    )


def _waiting(person: Person, wait: rules.Wait, ready: frozenset[int]) -> Waiting:
    return Waiting(
        person=PersonName(person.ref, person.name),
        household=person.household,
        medical=person.medical,
        ready=person.person_id in ready,
        zone=person.zone,
        reason=wait.reason,  # type: ignore[arg-type]
        vehicle_no=wait.number,
    )
