"""What callers send and get of conflicts."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from server.clock import Moment
from server.paging import PageQuery
from server.people.messages import PersonName
from server.relocation.messages import Number, SaidOut
from server.relocation.rules import Reported, Stage

Kind = Literal[
    "two_vehicles",
    "arrived_without_boarding",
    "boarded_after_arrival",
    "two_places",
    "over_capacity",
]
State = Literal["open", "explained", "resolved"]


class ConflictsQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filters of conflicts."""

    state: State | None = None


class Stands(msgspec.Struct, frozen=True):
    """Where somebody stands now."""

    stage: Stage
    vehicle_no: int | None
    point: str | None


class ConflictOut(msgspec.Struct, frozen=True):
    """What contradicts what. `first` and `second` by the time they tell of; first null where one
    report alone cannot be. Of over_capacity there is neither person nor report: `vehicle_no` has
    more people on board than seats. `stands`: where the person stands now. explained: a report that
    came later makes it vanish."""

    id: UUID
    kind: Kind
    state: State
    person: PersonName | None
    stands: Stands | None
    vehicle_no: int | None
    first: SaidOut | None
    second: SaidOut | None
    found_at: datetime
    explained_at: datetime | None
    explained_by: UUID | None
    reason: str | None
    resolved_at: datetime | None
    resolved_by: str | None


class ResolveIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A human's decision. `stage`, with vehicle or point: where the person stood at `at` (left
    out: now; not before the reports that contradict each other), whatever was reported before;
    needed while she is in question and with `at`, left out it is where she stands. Nothing of it
    for a vehicle over capacity."""

    id: UUID
    reason: Annotated[str, Meta(min_length=1, max_length=500)]
    stage: Reported | None = None
    vehicle: UUID | Number | None = None
    point: UUID | None = None
    at: Moment | None = None
