"""What callers send and get in this room."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from server.paging import PageQuery

Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339 with a time zone")]
Status = Literal["safe", "need_help", "away"]
AnyStatus = Literal["safe", "need_help", "away", "unaccounted"]


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


class Counts(msgspec.Struct, frozen=True):
    """People by status. Accounted is safe + need_help + away, and no synonym of safe."""

    safe: int = 0
    need_help: int = 0
    away: int = 0
    unaccounted: int = 0


class Group(msgspec.Struct, frozen=True):
    """One line of a grouping."""

    key: str
    label: str
    population: int
    counts: Counts


class Grouped(msgspec.Struct, frozen=True):
    """The same people by area they are directly in, by agency, by category."""

    area: list[Group]
    agency: list[Group]
    category: list[Group]


class Cell(msgspec.Struct, frozen=True):
    """One cell of the headcount, by outside names."""

    area: str
    agency: str
    category: str
    status: AnyStatus
    count: int


class Side(msgspec.Struct, frozen=True):
    """One side of the parity comparison. share: 0 to 1. median_s: seconds from the opening to
    the first answer, the silent as infinite; null when infinite."""

    population: int
    answered: int
    share: float
    median_s: float | None


class Gap(msgspec.Struct, frozen=True):
    """Local less international: negative share, or positive seconds, is to local disadvantage."""

    share: float | None
    median_s: float | None


class Parity(msgspec.Struct, frozen=True):
    """Local staff (national and local, with their families) against international staff. An
    empty side is null, never 0."""

    local: Side | None
    international: Side | None
    gap: Gap | None


class Headcount(msgspec.Struct, frozen=True):
    """The board of one alert. `seq` is the last event it contains; `as_of` the database's time."""

    alert_id: UUID
    seq: int
    as_of: datetime
    state: str
    population: int
    counts: Counts
    late: int
    by: Grouped
    cells: list[Cell]
    parity: Parity
    at_close: Counts | None = None


class AreaName(msgspec.Struct, frozen=True):
    """An area by code and name."""

    code: str
    name: str


class ReportedBy(msgspec.Struct, frozen=True):
    """Who said it: the person, family, a warden or an operator."""

    kind: Literal["self", "family", "warden", "operator"]
    name: str | None = None


class AlertPerson(msgspec.Struct, frozen=True):
    """A person of an alert, the answer that stands, and how she can be reached."""

    ref: str
    name: str
    category: str
    area: AreaName
    agency: str
    status: AnyStatus
    event_at: datetime | None
    received_at: datetime | None
    late: bool
    note: str | None
    reported_by: ReportedBy | None
    reach: Literal["push", "sms", "email", "warden", "none"]
    sponsor: str | None
    phone: str | None
    added: str | None


class PeopleQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filters of the people of an alert. area and agency by code and name."""

    status: AnyStatus | None = None
    area: Annotated[str, Meta(max_length=200)] | None = None
    agency: Annotated[str, Meta(max_length=200)] | None = None
    category: Annotated[str, Meta(max_length=200)] | None = None
    q: Annotated[str, Meta(max_length=100)] | None = None
