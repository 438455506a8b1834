"""What callers send and get in this room."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from server.paging import PageQuery
from server.people.headcount import AnyStatus, ByExpectation, Cell, Counts, Grouped, Parity

Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339 with a time zone")]
Status = Literal["safe", "need_help", "away"]
AlertState = Literal["preparing", "pending_release", "open", "closed", "expired", "cancelled"]


class Location(msgspec.Struct, frozen=True):
    """A place: degrees north and east, and metres of accuracy."""

    lat: Annotated[float, Meta(ge=-90, le=90)]
    lon: Annotated[float, Meta(ge=-180, le=180)]
    accuracy: Annotated[float, Meta(ge=0, le=1e7)] | None = None


class CheckinIn(msgspec.Struct, frozen=True):
    """One report. `for` names the person it is about; left out, the caller. Unknown fields are
    passed over: a newer phone must be able to report to an older server."""

    id: UUID
    status: Status
    at: Moment
    sent_at: Moment | None = None
    alert_id: UUID | None = None
    for_: Annotated[str, Meta(min_length=1, max_length=100)] | None = msgspec.field(
        default=None, name="for"
    )
    location: Location | None = None
    note: Annotated[str, Meta(max_length=500)] | None = None
    battery: Annotated[int, Meta(ge=0, le=100)] | None = None


class CheckinBatch(msgspec.Struct, frozen=True):
    """Up to 500 reports at once, each taken or refused on its own."""

    items: Annotated[list[CheckinIn], Meta(min_length=1, max_length=500)]


class ItemError(msgspec.Struct, frozen=True):
    """Why one item of a batch was refused."""

    code: str
    detail: str
    status: int
    retryable: bool


class ItemResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """One item of a batch: the record, or `error`."""

    id: UUID | None
    person: str | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    event_at: datetime | UnsetType = UNSET
    received_at: datetime | UnsetType = UNSET
    error: ItemError | UnsetType = UNSET


class BatchResult(msgspec.Struct, frozen=True):
    """Results in the order of the items."""

    items: list[ItemResult]


class Headcount(msgspec.Struct, frozen=True):
    """The board of one alert. `seq` is the last event it contains; `as_of` the database's time."""

    alert_id: UUID
    seq: int
    as_of: datetime
    state: AlertState
    exercise: bool
    population: int
    counts: Counts
    late: int
    by: Grouped
    cells: list[Cell]
    parity: Parity
    expected: ByExpectation
    at_close: Counts | None = None


class PeopleQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filters of the people of an alert. area and agency by code and name; expected: where, as
    of the alert's freezing."""

    status: AnyStatus | None = None
    expected: Literal["here", "elsewhere"] | None = None
    area: Annotated[str, Meta(max_length=200)] | None = None
    agency: Annotated[str, Meta(max_length=200)] | None = None
    category: Annotated[str, Meta(max_length=200)] | None = None
    q: Annotated[str, Meta(max_length=100)] | None = None
