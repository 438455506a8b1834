"""The movements a phone shows: its owner and her family in each, and as much of the plan as they
need."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from server.people.store import SQL


class SelfSeat(msgspec.Struct, frozen=True):
    """Where somebody is to sit on a leg: the plan, which says nothing of who boarded."""

    leg: UUID
    vehicle_no: int
    vehicle: str
    seat: int


class SelfMover(msgspec.Struct, frozen=True):
    """The owner, or one of her family, in a movement: where she stands, by which vehicle (`leg`:
    its leg) or at which point. `stage` in_question: reports of her contradict each other, and
    `question` is the kind of that conflict. `late`: the report came after the movement had ended.
    `seats`: leg by leg."""

    ref: str
    name: str
    stage: str
    vehicle_no: int | None
    vehicle: str | None
    leg: UUID | None
    point_id: UUID | None
    point: str | None
    since: datetime | None
    late: bool
    seats: list[SelfSeat]
    question: str | None = None


class SelfPoint(msgspec.Struct, frozen=True):
    """An end of a leg. `haven`: whoever arrives there has arrived."""

    id: UUID
    name: str
    haven: bool


class SelfLeg(msgspec.Struct, frozen=True):
    """A leg of the journey as planned; legs of one `position` are side by side."""

    id: UUID
    kind: str
    position: int
    from_: SelfPoint = msgspec.field(name="from")
    to: SelfPoint
    departs_at: datetime | None
    arrives_at: datetime | None
    state: str


class SelfMovement(msgspec.Struct, frozen=True):
    """A movement the caller or one of her family is in that has not ended, and where she stands in
    it, by which vehicle or at which point; `stage` is null where only her family is. `seats`: the
    numbers of the vehicles where she is to sit. `people`: herself and her family, as far as they
    are in it. `legs`: of those side by side, theirs as soon as each of them has a seat."""

    id: UUID
    kind: str
    reach: str
    title: str
    exercise: bool
    state: str
    stage: str | None
    vehicle_no: int | None
    vehicle: str | None
    point: str | None
    since: datetime | None
    seats: list[int]
    people: list[SelfMover] = []
    legs: list[SelfLeg] = []


class SelfCheck(msgspec.Struct, frozen=True):
    """A movement the caller checks: she may fetch its list and report everybody of it."""

    id: UUID
    title: str
    exercise: bool
    state: str


async def movements(con: Any, ref: str, persons: Sequence[int]) -> list[SelfMovement]:
    """Those that somebody of a phone's owner and her family is in, newest first. `persons`: the
    owner first; `ref` is hers."""
    rows = await con.fetch(SQL.own_movements, persons)
    if not rows:
        return []
    named = [row["id"] for row in rows]
    people, seats = defaultdict[UUID, list[SelfMover]](list), await _seats(con, named, persons)
    for movement_id, person_id, *stands, question in await con.fetch(
        SQL.own_movers, named, persons
    ):
        known = [*stands, seats[movement_id, person_id], question]
        people[movement_id].append(SelfMover(*known))
    legs = await _legs(con, named, persons)
    return [_movement(row, ref, people[row["id"]], legs[row["id"]]) for row in rows]


def _movement(row: Any, ref: str, people: list[SelfMover], legs: list[SelfLeg]) -> SelfMovement:
    me = next((p for p in people if p.ref == ref), None)
    return SelfMovement(
        **row,
        stage=me.stage if me else None,
        vehicle_no=me.vehicle_no if me else None,
        vehicle=me.vehicle if me else None,
        point=me.point if me else None,
        since=me.since if me else None,
        seats=[seat.vehicle_no for seat in me.seats] if me else [],
        people=people,
        legs=legs,
    )


async def _seats(
    con: Any, named: Sequence[UUID], persons: Sequence[int]
) -> dict[tuple[UUID, int], list[SelfSeat]]:
    found = defaultdict[tuple[UUID, int], list[SelfSeat]](list)
    for movement_id, person_id, *seat in await con.fetch(SQL.own_seats, named, persons):
        found[movement_id, person_id].append(SelfSeat(*seat))
    return found


async def _legs(
    con: Any, named: Sequence[UUID], persons: Sequence[int]
) -> dict[UUID, list[SelfLeg]]:
    found = defaultdict[UUID, list[SelfLeg]](list)
    for row in await con.fetch(SQL.own_legs, named, persons):
        leg = SelfLeg(
            id=row["leg_id"],
            kind=row["kind"],
            position=row["position"],
            from_=SelfPoint(row["start_id"], row["start_name"], row["start_haven"]),
            to=SelfPoint(row["end_id"], row["end_name"], row["end_haven"]),
            departs_at=row["departs_at"],
            arrives_at=row["arrives_at"],
            state=row["state"],
        )
        found[row["movement_id"]].append(leg)
    return found
