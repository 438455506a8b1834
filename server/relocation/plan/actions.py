"""Putting a plan on record: each call says how a thing is to be, so each may be sent again."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from server import stream
from server.auth import Principal, Scope
from server.db import Database, retried
from server.errors import BadInput, Clash, FieldError, refuse_field
from server.people import store as people
from server.relocation import capacity
from server.relocation.manifests import sealing
from server.relocation.movements import store as movements
from server.relocation.movements.actions import led
from server.relocation.movements.store import SQL as MOVEMENTS
from server.relocation.plan import overdue, store
from server.relocation.plan.messages import FunctionIn, LegIn, PointIn, VehicleIn
from server.relocation.plan.store import SQL
from server.relocation.store import SQL as REPORTS
from server.relocation.store import draft

ENDED = frozenset({"closed", "cancelled"})
CLOCKS = timedelta(minutes=2)  # by how much a desk's clock may be fast


async def _held(con: Any, who: Principal, scope: Scope, movement_id: UUID) -> None:
    """The movement, held: one change of a plan at a time. Raises Clash for one that has ended."""
    locked = await movements.steerable(con, who, scope, movement_id)
    if locked.state in ENDED:
        led(locked.state, "cancel")


@retried
async def put_point(
    db: Database, who: Principal, scope: Scope, movement_id: UUID, point_id: UUID, wish: PointIn
) -> bool:
    """A point as it is to be; True if it is new. Raises Clash where its kind would change."""
    if (wish.lat is None) != (wish.lon is None):
        raise refuse_field("lat", "Give lat and lon, or neither.")
    async with db.transaction(who.operation_id) as con:
        await _held(con, who, scope, movement_id)
        area_id = None if wish.area is None else await con.fetchval(SQL.area, wish.area)
        if wish.area is not None and area_id is None:
            raise refuse_field("area", "There is no area with this code.")
        columns = (wish.kind, wish.name, area_id, wish.capacity, wish.lat, wish.lon)
        row = await con.fetchrow(SQL.put_point, movement_id, point_id, *columns)
        if row is None:
            raise Clash("Reports are read by its kind. Make another point.", code="plan_fixed")
        made = bool(row["made"])
        if made:
            about = {"id": str(point_id), "name": wish.name, "kind": wish.kind}
            await movements.add_fact(con, movement_id, "point_added", who.actor, **about)
        await stream.append(con, [draft(movement_id)])
        return made


@retried
async def put_leg(
    db: Database, who: Principal, scope: Scope, movement_id: UUID, leg_id: UUID, wish: LegIn
) -> bool:
    """A leg as it is to be; True if it is new. Raises Clash where its ends would change, BadInput
    for times the wrong way round."""
    if wish.from_ == wish.to:
        raise refuse_field("to", "A leg leads to another point.")
    if wish.departs_at and wish.arrives_at and wish.arrives_at < wish.departs_at:
        raise refuse_field("arrives_at", "It cannot arrive before it departs.")
    async with db.transaction(who.operation_id) as con:
        await _held(con, who, scope, movement_id)
        known = {p.id for p in await store.points(con, movement_id, [wish.from_, wish.to])}
        for path, point in (("from", wish.from_), ("to", wish.to)):
            if point not in known:
                raise refuse_field(path, "There is no such point in this movement.")
        row = await con.fetchrow(
            *(SQL.put_leg, movement_id, leg_id, wish.kind, wish.position, wish.from_, wish.to),
            *(wish.departs_at, wish.arrives_at, wish.state),
        )
        if row is None:
            raise Clash("Reports are read by its ends. Make another leg.", code="plan_fixed")
        if row["moved"]:
            await con.execute(SQL.forget_overdue, movement_id, leg_id)
            await overdue.retime(con, who.operation_id, movement_id, None, leg_id)
        await _tell(con, who, movement_id, "leg", leg_id, row, wish.state)
        return bool(row["made"])


@retried
async def put_vehicle(
    db: Database, who: Principal, scope: Scope, movement_id: UUID, vehicle_id: UUID, wish: VehicleIn
) -> bool:
    """A vehicle as it is to be; True if it is new. Raises Clash for another leg or number, or where
    it is in another state than was seen; BadInput for times that cannot be."""
    _refuse_times(wish)
    async with db.transaction(who.operation_id) as con:
        await _held(con, who, scope, movement_id)
        await con.execute(REPORTS.hold_out_reports)  # seats are compared with who boarded
        if not await store.legs(con, movement_id, wish.leg):
            raise refuse_field("leg", "There is no such leg in this movement.")
        if await con.fetchval(SQL.number_taken, movement_id, wish.number, vehicle_id):
            raise refuse_field("number", "Another vehicle of this movement has this number.")
        last = await con.fetchval(SQL.last_seat, movement_id, vehicle_id)
        if last is not None and last > wish.seats:
            raise refuse_field("seats", f"Seat {last} is given: take its holder off the list.")
        row = await con.fetchrow(
            *(SQL.put_vehicle, movement_id, vehicle_id, wish.leg, wish.number, wish.label),
            *(wish.callsign, wish.seats, wish.state, wish.watch_id),
            *(wish.departed_at, wish.arrived_at),
        )
        if row is None:
            raise Clash(
                "Reports are read by leg and number. Make another vehicle.", code="plan_fixed"
            )
        if wish.was is not None and row["was"] not in (None, wish.was, wish.state):
            raise Clash("Another desk has changed its state. Look again.", code="vehicle_changed")
        _refuse_order(wish, row)
        if wish.state in ("departed", "arrived"):
            await sealing.at_departure(con, who, movement_id, vehicle_id)
        await overdue.retime(con, who.operation_id, movement_id, vehicle_id, None)
        moment: datetime = await con.fetchval(MOVEMENTS.clock)
        await capacity.check(con, [(movement_id, vehicle_id)], moment)
        await _tell(con, who, movement_id, "vehicle", vehicle_id, row, wish.state, wish.number)
        return bool(row["made"])


def _refuse_times(wish: VehicleIn) -> None:
    """Raises BadInput for the time of what has not happened."""
    if wish.departed_at is not None and wish.state not in ("departed", "arrived"):
        raise refuse_field("departed_at", "Say with it that it departed.")
    if wish.arrived_at is not None and wish.state != "arrived":
        raise refuse_field("arrived_at", "Say with it that it arrived.")


def _refuse_order(wish: VehicleIn, row: Any) -> None:
    """Raises BadInput for times that are still to come, or the wrong way round."""
    for path, moment in (("departed_at", wish.departed_at), ("arrived_at", wish.arrived_at)):
        if moment is not None and moment > row["now"] + CLOCKS:
            raise refuse_field(path, "This time is still to come.")
    departed_at, arrived_at = row["departed_at"], row["arrived_at"]
    if departed_at is not None and arrived_at is not None and arrived_at < departed_at:
        path = "departed_at" if wish.arrived_at is None else "arrived_at"
        raise refuse_field(path, "It cannot arrive before it departs.")


async def _tell(
    con: Any,
    who: Principal,
    movement_id: UUID,
    what: str,
    thing_id: UUID,
    row: Any,
    state: str,
    number: int | None = None,
) -> None:
    """A line of the timeline where it is new or goes on to another state; and the event."""
    if row["made"] or row["was"] != state:
        said = f"{what}_added" if row["made"] else f"{what}_{state}"
        about = {"id": str(thing_id), "number": number}
        await movements.add_fact(con, movement_id, said, who.actor, **about)
    await stream.append(con, [draft(movement_id)])


@retried
async def put_function(
    db: Database, who: Principal, scope: Scope, movement_id: UUID, key: UUID, wish: FunctionIn
) -> bool:
    """Critical work as it is to be; True if it is new. Raises BadInput for unknown people."""
    async with db.transaction(who.operation_id) as con:
        await _held(con, who, scope, movement_id)
        refs = [wish.keeper, *wish.deputies]
        found = await people.people_by_ref(con, refs)
        _refuse_unknown(refs, scope, found)
        keeper, *deputies = (found[ref].person_id for ref in refs)
        columns = (wish.name, keeper, deputies, wish.place, wish.note)
        made = bool(await con.fetchval(SQL.put_function, movement_id, key, *columns))
        await stream.append(con, [draft(movement_id)])
        return made


def _refuse_unknown(refs: Sequence[str], scope: Scope, found: dict[str, people.PersonKey]) -> None:
    errors = [
        FieldError("keeper" if n == 0 else f"deputies[{n - 1}]", "There is no such person.")
        for n, ref in enumerate(refs)
        if ref not in found or not scope.sees(found[ref].person_id, found[ref].area_id)
    ]
    if errors:
        raise BadInput("Correct the fields named in errors and send it again.", errors=errors)
