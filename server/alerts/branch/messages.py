"""What a warden's phone gets: her nodes, the open alerts, her people in the order to call."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from server.paging import PageQuery
from server.people.counted import Reach
from server.people.headcount import AnyStatus
from server.people.messages import AreaName, PersonName

WHOLE = 2000  # a branch up to this size comes whole


class BranchQuery(PageQuery, frozen=True, kw_only=True):
    """A branch of up to 2,000 comes whole."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=WHOLE)] = WHOLE


class BranchNode(msgspec.Struct, frozen=True):
    """A node the caller answers for."""

    node: str
    label: str


class BranchAlert(msgspec.Struct, frozen=True):
    """An open alert; how many of the branch it holds, and how many of these are silent."""

    id: UUID
    kind: str
    severity: str
    title: str
    exercise: bool
    opened_at: datetime | None
    people: int
    silent: int


class TextSeen(msgspec.Struct, frozen=True):
    """What became of the last text to a number, and when that was known."""

    state: Literal["queued", "sending", "accepted", "delivered", "unknown", "failed", "stopped"]
    at: datetime


class BranchPhone(msgspec.Struct, frozen=True):
    """A number, since when it is on record, and the last text to it; null: none."""

    phone: str
    updated_at: datetime
    last_text: TextSeen | None


class Standing(msgspec.Struct, frozen=True):
    """Where a person stands in one open alert. `reporter`: self, family, warden, operator."""

    alert_id: UUID
    status: AnyStatus
    event_at: datetime | None
    received_at: datetime | None
    late: bool
    reporter: str | None


class BranchPerson(msgspec.Struct, frozen=True):
    """A person to call, and what is known of her. Null: not known.

    `heard_at`: last contact of a phone with the app, of `devices`; `answered_at`: the last answer
    in any alert; `position_age_s`: how old the last position is, never where.
    """

    ref: str
    name: str
    category: str
    area: AreaName
    agency: str
    sponsor: PersonName | None
    expected: Literal["here", "elsewhere"]
    reach: Reach
    phones: list[BranchPhone]
    devices: int
    heard_at: datetime | None
    answered_at: datetime | None
    position_age_s: float | None
    alerts: list[Standing]


class BranchList(msgspec.Struct, frozen=True):
    """The call-down list: who needs help, then the silent, then the rest; by name."""

    as_of: datetime
    nodes: list[BranchNode]
    alerts: list[BranchAlert]
    population: int
    items: list[BranchPerson]
    next: str | None
