"""What callers send and get of a movement's plan."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from server.clock import Moment
from server.people.messages import PersonName, Ref

Line = Annotated[str, Meta(min_length=1, max_length=200)]
Note = Annotated[str, Meta(min_length=1, max_length=500)]
PointKind = Literal["concentration", "safe_haven", "other"]
LegKind = Literal["road", "flight", "boat"]
State = Literal["planned", "departed", "arrived", "withdrawn"]
Cover = Literal["covered", "uncertain", "uncovered"]


class PointIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place of the movement. `kind` never changes: reports are read by it. `capacity`: of a
    safe haven, how many it holds."""

    kind: PointKind
    name: Line
    area: Line | None = None
    capacity: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    lat: Annotated[float, Meta(ge=-90, le=90)] | None = None
    lon: Annotated[float, Meta(ge=-180, le=180)] | None = None


class PointOut(msgspec.Struct, frozen=True):
    """A place of the movement. `present`: who is known to be there."""

    id: UUID
    kind: PointKind
    name: str
    area: str | None
    capacity: int | None
    lat: float | None
    lon: float | None
    present: int


class LegIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A leg of the journey, from a point to a point, which never change. `position` orders legs."""

    kind: LegKind
    position: Annotated[int, Meta(ge=1, le=1000)]
    from_: UUID = msgspec.field(name="from")
    to: UUID
    departs_at: Moment | None = None
    arrives_at: Moment | None = None
    state: State = "planned"


class LegOut(msgspec.Struct, frozen=True):
    """A leg of the journey."""

    id: UUID
    kind: LegKind
    position: int
    from_: UUID = msgspec.field(name="from")
    to: UUID
    departs_at: datetime | None
    arrives_at: datetime | None
    state: State


class VehicleIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A vehicle of a leg. `leg` and `number` never change: reports are read by them, and the
    number is what is said over the radio. `watch_id`: a watch on its arrival that was begun.
    `departed_at`, `arrived_at`: when it was; left out: as it is on record, or now. Where it is
    said to have arrived before anybody said that it left, nobody knows when it left. `was`: the
    state it was seen in; where it is in another by now, nothing is changed."""

    leg: UUID
    number: Annotated[int, Meta(ge=1, le=9999)]
    label: Line
    seats: Annotated[int, Meta(ge=0, le=10_000)]
    callsign: Line | None = None
    state: State = "planned"
    watch_id: UUID | None = None
    departed_at: Moment | None = None
    arrived_at: Moment | None = None
    was: State | None = None


class VehicleOut(msgspec.Struct, frozen=True):
    """A vehicle. `boarded`: all who did. `arrived`: all who came by it. `missing`: who boarded and
    is not known to have arrived; not boarded - arrived, for some arrive whose boarding nobody
    reported. `seats_left` below 0: over capacity, a conflict. `last_report_s`: how long ago the
    last report that names it was made. `expected_at`: as long after it left as was planned for its
    leg, else as planned; null where nobody said. `overdue_at`: when the desk was told that it is
    under way and not there in time."""

    id: UUID
    leg: UUID
    number: int
    label: str
    callsign: str | None
    seats: int
    state: State
    departed_at: datetime | None
    arrived_at: datetime | None
    expected_at: datetime | None
    overdue_at: datetime | None
    watch_id: UUID | None
    boarded: int
    arrived: int
    missing: int
    seats_left: int
    last_report_s: float | None


class FunctionIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Critical work that goes on: who keeps it, and who after her, in order. `place`: where."""

    name: Line
    keeper: Ref
    deputies: Annotated[list[Ref], Meta(max_length=20)] = []
    place: Line | None = None
    note: Note | None = None


class FunctionOut(msgspec.Struct, frozen=True):
    """Critical work. `by`: the first of keeper and deputies who has not left. uncovered: all of
    them have. uncertain: where the last of them stands is in question."""

    id: UUID
    name: str
    keeper: PersonName
    deputies: list[PersonName]
    place: str | None
    note: str | None
    cover: Cover
    by: PersonName | None


class Functions(msgspec.Struct, frozen=True):
    """The critical work of a movement's people."""

    items: list[FunctionOut]
