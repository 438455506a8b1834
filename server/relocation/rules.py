"""Where a person stands in a movement: made of the set of her reports, whatever order they came in.

`fold` is the meaning; `step` is one report of it, for a report newer than all that was read. A
contradiction comes out of the fold too, so no order of arrival finds or loses one. Pure.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args
from uuid import UUID, uuid5

import msgspec

Reported = Literal[
    "notified",
    "ready",
    "at_point",
    "boarded",
    "arrived",
    "accommodated",
    "staying",
    "hibernating",
]
Stage = Literal["listed", Reported, "in_question"]
STAGES: tuple[str, ...] = get_args(Stage)
SETTLED = frozenset({"arrived", "accommodated", "staying", "hibernating"})
PLACED = frozenset({"at_point", "arrived", "accommodated"})
# From where hearing of it, or being ready, leads on: neither says anything of where she is.
TOLD_FROM = {
    "notified": frozenset({"listed"}),
    "ready": frozenset({"listed", "notified", "staying", "hibernating"}),
}
# Two places in less time than this are two persons, or one mistake.
APART = timedelta(minutes=2)
_CONFLICTS = UUID("5f0c3f0e-6f5b-4c55-9d0e-6f1d1d0a2b71")
_START = datetime(1, 1, 1, tzinfo=UTC)
Count = tuple[UUID, str]  # a vehicle or point, and what is counted of it
Key = tuple[datetime, bool, UUID]


class Said(msgspec.Struct, frozen=True):
    """A report as the fold reads it, with what the plan says of its vehicle and point.

    start, end: the points of the vehicle's leg. end_haven, haven: whether the leg's end, or the
    named point, is a safe haven.
    """

    report_id: UUID
    event_at: datetime
    stage: str
    resolution: bool = False
    vehicle: UUID | None = None
    leg: UUID | None = None
    start: UUID | None = None
    end: UUID | None = None
    end_haven: bool = False
    point: UUID | None = None
    haven: bool = False

    @property
    def key(self) -> Key:
        """What orders reports: the event; a human's decision last; the id."""
        return self.event_at, self.resolution, self.report_id


class Ride(msgspec.Struct, frozen=True, array_like=True):
    """One leg of hers: the reports that she boarded, and that she arrived, by a vehicle.

    No vehicle: she arrived, nobody knows how. Only a report without boarding lacks `boarded`.
    """

    vehicle: UUID | None
    leg: UUID | None
    end: UUID | None
    haven: bool
    boarded: UUID | None = None
    arrived: UUID | None = None


class Spot(msgspec.Struct, frozen=True, array_like=True):
    """Where a report last placed her."""

    point: UUID
    haven: bool
    at: datetime
    report_id: UUID


class Memory(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the next report is read by, beside where she stands."""

    read: Key = (_START, False, UUID(int=0))
    rides: tuple[Ride, ...] = ()
    spot: Spot | None = None


class Standing(msgspec.Struct, frozen=True):
    """Where a person stands. `since` and `report_id`: of the report that brought her there."""

    stage: str = "listed"
    vehicle: UUID | None = None
    point: UUID | None = None
    since: datetime | None = None
    report_id: UUID | None = None
    memory: Memory = Memory()


class Conflict(msgspec.Struct, frozen=True):
    """Two reports that cannot both be true of one person, by the time they tell of; `first` None
    where one alone cannot be."""

    kind: str
    first: UUID | None
    second: UUID
    vehicle: UUID | None = None

    @property
    def conflict_id(self) -> UUID:
        """The same whoever finds it, and however often."""
        return uuid5(_CONFLICTS, f"{self.kind} {self.first} {self.second}")


Step = tuple[Standing, tuple[Conflict, ...]]


def capacity_conflict_id(vehicle_id: UUID, decisions: int = 0) -> UUID:
    """Of more people on board than seats: one for each vehicle, and for each time a human decided
    of it and it came again."""
    again = f" {decisions}" if decisions else ""
    return uuid5(_CONFLICTS, f"over_capacity {vehicle_id}{again}")


def fold(reports: Iterable[Said]) -> Step:
    """Where all her reports leave a person, and every contradiction among them."""
    standing, found = Standing(), list[Conflict]()
    unique = {r.report_id: r for r in reports}
    for said in sorted(unique.values(), key=lambda r: r.key):
        standing, new = step(standing, said)
        found += new
    return standing, tuple(found)


def follows(standing: Standing, said: Said) -> bool:
    """Whether a report is newer than all that was read: then one step takes it in."""
    return said.key > standing.memory.read


def step(standing: Standing, said: Said) -> Step:
    """Takes in one report that follows all that was read before."""
    found: tuple[Conflict, ...] = ()
    if said.resolution:
        standing = _decided(standing, said)
    elif said.stage in TOLD_FROM:
        moves = standing.stage in TOLD_FROM[said.stage]
        standing = _stands(standing, said, said.stage) if moves else standing
    elif said.stage in PLACED:
        standing, found = _placed(standing, said)
    elif said.stage == "boarded":
        standing, found = _boarded(standing, said)
    else:
        rides = tuple(r for r in standing.memory.rides if r.arrived)
        standing = _stands(_riding(standing, rides), said, said.stage)
    memory = msgspec.structs.replace(standing.memory, read=said.key)
    return msgspec.structs.replace(standing, memory=memory), found


def _stands(
    standing: Standing,
    said: Said,
    stage: str,
    vehicle: UUID | None = None,
    point: UUID | None = None,
) -> Standing:
    """She stands there by this report; one that only says it again leaves her as she was."""
    if (standing.stage, standing.vehicle, standing.point) == (stage, vehicle, point):
        return standing
    return Standing(stage, vehicle, point, said.event_at, said.report_id, standing.memory)


def _riding(standing: Standing, rides: Iterable[Ride], spot: Spot | None = None) -> Standing:
    spot = spot or standing.memory.spot
    memory = msgspec.structs.replace(standing.memory, rides=tuple(rides), spot=spot)
    return msgspec.structs.replace(standing, memory=memory)


def _open(rides: Iterable[Ride]) -> list[Ride]:
    """Rides begun and not ended."""
    return [r for r in rides if r.boarded and not r.arrived]


def _elsewhere(standing: Standing, said: Said, point: UUID | None) -> tuple[Conflict, ...]:
    """Whether she was at another place a moment ago."""
    spot = standing.memory.spot
    if spot is None or point is None or spot.point == point or said.event_at - spot.at > APART:
        return ()
    return (Conflict("two_places", spot.report_id, said.report_id),)


def _spot(said: Said, point: UUID | None, haven: bool = False) -> Spot | None:
    return None if point is None else Spot(point, haven, said.event_at, said.report_id)


# -- boarding


def _boarded(standing: Standing, said: Said) -> Step:
    rides = standing.memory.rides
    open_rides = _open(rides)
    if any(r.vehicle == said.vehicle for r in open_rides):
        return standing, ()
    found = _elsewhere(standing, said, said.start)
    if open_rides:
        first = open_rides[-1].boarded
        found += (Conflict("two_vehicles", first, said.report_id, said.vehicle),)
    ended = [r for r in rides if r.arrived and _same_leg(r, said)]
    if ended:
        first = ended[-1].arrived
        found += (Conflict("boarded_after_arrival", first, said.report_id, said.vehicle),)
    if all(r.vehicle != said.vehicle for r in rides):
        rides += (_ride(said, boarded=said.report_id),)
    moved = _riding(standing, rides, _spot(said, said.start))
    if found:
        return _stands(moved, said, "in_question"), found
    return _stands(moved, said, "boarded", vehicle=said.vehicle), ()


def _same_leg(ride: Ride, said: Said) -> bool:
    return ride.leg == said.leg if ride.leg else ride.end == said.end


def _ride(said: Said, boarded: UUID | None = None, arrived: UUID | None = None) -> Ride:
    return Ride(said.vehicle, said.leg, said.end, said.end_haven, boarded, arrived)


# -- being somewhere: at a point, arrived, accommodated


def _placed(standing: Standing, said: Said) -> Step:
    rides = standing.memory.rides
    open_rides = _open(rides)
    taken = next((r for r in open_rides if r.vehicle == said.vehicle), None)
    if taken is None and said.vehicle is None and open_rides:
        taken = open_rides[-1]
    point, haven = _place(standing, said, taken)
    alights, there = said.stage != "at_point" or haven, _is_there(standing, point)
    if taken is not None and taken.end != point and (there or not alights):
        taken = None  # she got off where the leg doesn't end
    if there:
        rides = _ended(rides, taken, said)
        return _come(_riding(standing, rides), said, point, haven), ()
    found = () if taken is not None else _elsewhere(standing, said, point)
    if alights and taken is None:
        found += (_unboarded(open_rides, said),)
        if said.vehicle is None or all(r.vehicle != said.vehicle for r in rides):
            rides += (_arrival(said, point, haven),)
    else:
        rides = _ended(rides, taken, said)
    moved = _riding(standing, rides, _spot(said, point, haven))
    if found:
        return _stands(moved, said, "in_question"), found
    return _come(moved, said, point, haven), ()


def _place(standing: Standing, said: Said, taken: Ride | None) -> tuple[UUID | None, bool]:
    """Where a report places her, and whether that is a safe haven: the point it names, else the
    end of the leg, else where she is."""
    if said.point is not None:
        return said.point, said.haven
    if said.vehicle is not None:
        return said.end, said.end_haven
    if taken is not None:
        return taken.end, taken.haven
    spot = standing.memory.spot
    if spot is not None and _is_there(standing, spot.point):
        return spot.point, spot.haven
    return None, True


def _is_there(standing: Standing, point: UUID | None) -> bool:
    """Whether she was last placed there, and did not leave again."""
    spot = standing.memory.spot
    known = standing.stage in PLACED or standing.stage == "in_question"
    return known and spot is not None and spot.point == point and _came(standing, spot)


def _came(standing: Standing, spot: Spot) -> bool:
    """Of who is in question: the report that last placed her didn't say that she boarded there."""
    return all(r.boarded != spot.report_id for r in standing.memory.rides)


def _unboarded(open_rides: Sequence[Ride], said: Said) -> Conflict:
    """Off a vehicle that she isn't known to have boarded: she boarded another, or none."""
    if open_rides:
        first = open_rides[-1].boarded
        return Conflict("two_vehicles", first, said.report_id, said.vehicle)
    return Conflict("arrived_without_boarding", None, said.report_id, said.vehicle)


def _arrival(said: Said, point: UUID | None, haven: bool) -> Ride:
    if said.vehicle is not None:
        return _ride(said, arrived=said.report_id)
    return Ride(None, None, point, haven, arrived=said.report_id)


def _ended(rides: Iterable[Ride], taken: Ride | None, said: Said) -> tuple[Ride, ...]:
    """All rides are over: one by arriving, others by getting off."""
    ended = [r for r in rides if r.arrived]
    if taken is not None:
        ended.append(msgspec.structs.replace(taken, arrived=said.report_id))
    return tuple(ended)


def _come(standing: Standing, said: Said, point: UUID | None, haven: bool) -> Standing:
    """She is at a place: at a point on the way, arrived at a haven, or accommodated."""
    again = (standing.stage, standing.point) == ("accommodated", point) and not said.resolution
    if said.stage == "accommodated" or again:  # an arrival that is said again moves her nowhere
        return _stands(standing, said, "accommodated", point=point)
    return _stands(standing, said, "arrived" if haven else "at_point", point=point)


# -- what a human decided


def _decided(standing: Standing, said: Said) -> Standing:
    """The truth as of then: rides that contradict it are over."""
    whole = [r for r in standing.memory.rides if r.boarded and r.arrived]
    if said.stage == "boarded":
        rides = [r for r in whole if r.leg != said.leg]
        rides.append(_ride(said, boarded=said.report_id))
        moved = _riding(standing, rides, _spot(said, said.start))
        return _stands(moved, said, "boarded", vehicle=said.vehicle)
    if said.stage not in PLACED:
        return _stands(_riding(standing, whole), said, said.stage)
    taken = _taken(standing, said)
    point, haven = _place(standing, said, taken)
    rides = [r for r in whole if taken is None or r.vehicle != taken.vehicle]
    if taken is not None:
        rides.append(msgspec.structs.replace(taken, arrived=said.report_id))
    elif said.stage != "at_point" or haven:
        rides.append(Ride(None, None, point, haven, arrived=said.report_id))
    return _come(_riding(standing, rides, _spot(said, point, haven)), said, point, haven)


def _taken(standing: Standing, said: Said) -> Ride | None:
    """The ride a decision says she took: of the vehicle it names, else the last she boarded that
    leads there."""
    if said.vehicle is not None:
        return _ride(said, boarded=said.report_id)
    open_rides = _open(standing.memory.rides)
    if open_rides and said.point in (None, open_rides[-1].end):
        return open_rides[-1]
    return None


# -- counts


def counted(standing: Standing) -> Counter[Count]:
    """Of which vehicles and points she is counted, and as what."""
    counts: Counter[Count] = Counter()
    for ride in standing.memory.rides:
        if ride.vehicle is None:
            continue
        if ride.boarded:
            counts[ride.vehicle, "boarded"] += 1
        if ride.arrived:
            counts[ride.vehicle, "arrived"] += 1
        else:
            counts[ride.vehicle, "aboard"] += 1
    if standing.stage in PLACED and standing.point is not None:
        counts[standing.point, "present"] += 1
    return counts
