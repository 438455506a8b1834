"""What callers send and get of reports, of who is where, and of the board."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from server.paging import PageQuery
from server.people.headcount import Corner, Line, Lines
from server.people.messages import AreaName, PersonName, Ref
from server.relocation.movements.messages import MovementOut
from server.relocation.plan.messages import LegOut, PointOut, VehicleOut
from server.relocation.rules import Reported, Stage
from server.reporting import ReportIn, Result

How = Literal["app", "family", "warden", "checker", "qr", "sms", "radio", "desk", "resolution"]
Counted = Literal["boarded", "arrived", "missing"]
Code = Annotated[str, Meta(max_length=200)]
Gap = Literal["in_question", "not_arrived", "left_behind"]
Number = Annotated[int, Meta(ge=1, le=9999)]
Text = Annotated[str, Meta(min_length=1, max_length=500)]


class StageIn(ReportIn, frozen=True, kw_only=True):
    """One report of where a person stands. `for` names the person; left out, the caller.
    `vehicle` by id or number: needed for boarded. `point`: needed for at_point. `reason`: needed
    for staying. `how`: radio of what came over it, of others than oneself and one's family. `code`:
    a person's code that was scanned; it alone makes a report `qr`, and names its person where `for`
    does not. Unknown fields are passed over: a newer phone must be able to report to an older
    server."""

    movement: UUID
    stage: Reported
    vehicle: UUID | Number | None = None
    point: UUID | None = None
    reason: Text | None = None
    how: Literal["qr", "radio"] | None = None
    code: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class StageResult(Result, frozen=True, omit_defaults=True, kw_only=True):
    """One item of a batch: the record, or `error`."""

    stage: Reported | UnsetType = UNSET
    vehicle_no: int | UnsetType | None = UNSET
    late: bool | UnsetType = UNSET


class StageCounts(msgspec.Struct, frozen=True):
    """People by stage; everybody is in exactly one."""

    listed: int
    notified: int
    ready: int
    at_point: int
    boarded: int
    arrived: int
    accommodated: int
    staying: int
    hibernating: int
    in_question: int


class StageGroup(Line[StageCounts], frozen=True):
    """One line of a grouping."""


class StageGroups(Lines[StageGroup], frozen=True):
    """The same people by area they are directly in, by agency, by category."""


class StageCell(Corner, frozen=True):
    """One cell, by outside names."""

    stage: Stage
    count: int


class StageSide(msgspec.Struct, frozen=True):
    """One side of the parity comparison. `moved`: the share, 0 to 1, who have boarded, arrived or
    are accommodated."""

    population: int
    counts: StageCounts
    moved: float


class StageParity(msgspec.Struct, frozen=True):
    """Local staff (national and local, with their families) against international staff, at every
    stage. An empty side is null, never 0. `gap`: local less international share moved; negative is
    to local disadvantage."""

    local: StageSide | None
    international: StageSide | None
    gap: float | None


class Board(msgspec.Struct, frozen=True):
    """The board of a movement. `seq` is the last event it contains; `as_of` the database's time.
    `elsewhere`: of the population, who was expected elsewhere when it was listed. `visitors`: who
    is counted in an area that is not her own; null: nobody. `late`: reports since it ended.
    Vehicles and points count everybody, all else who is in the caller's sight."""

    movement: MovementOut
    seq: int
    as_of: datetime
    population: int
    counts: StageCounts
    elsewhere: int
    by: StageGroups
    cells: list[StageCell]
    parity: StageParity
    visitors: StageSide | None
    points: list[PointOut]
    legs: list[LegOut]
    vehicles: list[VehicleOut]
    split_households: int
    conflicts: int
    late: int
    at_close: StageCounts | None


class MoversQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filters of the people of a movement; all that are given must hold. `vehicle`: the number of
    the one she is on, or with `counted` whom this count of the vehicle is made of. `point`: where
    she is. `side`: of the parity comparison. `missing=true`: who is missed between two stages;
    `unsettled=true`: who has neither arrived nor stays; `visiting=true`: who is counted in an area
    that is not her own; `late=true`: who stands where she does by a report that came after the
    end."""

    stage: Stage | None = None
    area: Code | None = None
    agency: Code | None = None
    category: Code | None = None
    side: Literal["local", "international"] | None = None
    expected: Literal["here", "elsewhere"] | None = None
    vehicle: Number | None = None
    counted: Counted | None = None
    point: UUID | None = None
    missing: Literal["true"] | None = None
    unsettled: Literal["true"] | None = None
    visiting: Literal["true"] | None = None
    late: Literal["true"] | None = None
    q: Annotated[str, Meta(max_length=100)] | None = None


class Mover(msgspec.Struct, frozen=True):
    """A person of a movement. `since`: when she came to stand there; null: nobody said anything
    yet. `missing`: in_question; not_arrived, when others of her vehicle have; left_behind, at a
    point that all vehicles have left. `position_age_s`, `phone_age_s`: how old her last position
    is, and how long ago her phone called; null: never."""

    ref: str
    name: str
    category: str
    area: AreaName
    agency: str
    stage: Stage
    vehicle_no: int | None
    point: str | None
    since: datetime | None
    late: bool
    how: How | None
    reason: str | None
    reported_by: str | None
    sponsor: str | None
    added: str | None
    expected: Literal["here", "elsewhere"]
    phone: str | None
    missing: Gap | None
    position_age_s: float | None
    phone_age_s: float | None
    unresolved: str | None


class SaidOut(msgspec.Struct, frozen=True):
    """A report as it was made, and by whom."""

    id: UUID
    stage: Reported
    vehicle_no: int | None
    point: str | None
    reason: str | None
    at: datetime
    event_at: datetime
    received_at: datetime
    late: bool
    how: How
    by: str | None
    point_id: UUID | None


class MoverInFull(msgspec.Struct, frozen=True):
    """A person of a movement, and every report of her by the time it tells of, the newest first."""

    person: Mover
    reports: list[SaidOut]


class HouseholdsQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A page of split households."""


class MemberWhere(msgspec.Struct, frozen=True):
    """Where one member of a household is."""

    person: PersonName
    stage: Stage
    vehicle_no: int | None
    point: str | None
    since: datetime | None


class Household(msgspec.Struct, frozen=True):
    """A household that is in more than one place; the sponsor by ref."""

    sponsor: Ref
    members: list[MemberWhere]
