"""What callers send and get in this room."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from server.paging import PageQuery
from server.people.headcount import AnyStatus, ByExpectation, Cell, Counts, Grouped, Parity
from server.reporting import ReportIn, Result

Status = Literal["safe", "need_help", "away"]
AlertState = Literal["preparing", "pending_release", "open", "closed", "expired", "cancelled"]


class Location(msgspec.Struct, frozen=True):
    """A place: degrees north and east, and metres of accuracy."""

    lat: Annotated[float, Meta(ge=-90, le=90)]
    lon: Annotated[float, Meta(ge=-180, le=180)]
    accuracy: Annotated[float, Meta(ge=0, le=1e7)] | None = None


class CheckinIn(ReportIn, frozen=True, kw_only=True):
    """One report. `for` names the person it is about; left out, the caller. Unknown fields are
    passed over: a newer phone must be able to report to an older server."""

    status: Status
    alert_id: UUID | None = None
    location: Location | None = None
    note: Annotated[str, Meta(max_length=500)] | None = None
    battery: Annotated[int, Meta(ge=0, le=100)] | None = None


class ItemResult(Result, frozen=True, omit_defaults=True, kw_only=True):
    """One item of a batch: the record, or `error`."""

    status: Status | UnsetType = UNSET


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
