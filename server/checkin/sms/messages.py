"""What callers send and get of texts that came in."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from server.checkin.messages import Location
from server.paging import PageQuery
from server.people.messages import PersonName

TextState = Literal[
    "received", "counted", "unverified", "refused", "not_understood", "stop", "loop", "noted"
]
Said = Literal[
    "safe", "need_help", "away", "panic", "cancel", "position", "done", "extend",
    "ready", "at_point", "boarded", "arrived", "staying",
]  # fmt: skip
Outcome = Literal["helped", "false_alarm", "hoax", "passed_on"]
Reason = Literal["respond", "verify", "hand_over", "review"]


class TextIn(msgspec.Struct, frozen=True):
    """One text or satellite message that came in. `at`: when it was written, as a satellite
    messenger says. `person`: whom it is about, as far as it is known. `detail`: why it was taken as
    it was. `answered`: `reply`, or `silence` to machines and after too many."""

    id: UUID
    source: Literal["sms", "satellite"]
    route: str
    sender: str
    recipient: str | None
    body: str
    at: datetime | None
    received_at: datetime
    repeated: int
    state: TextState
    said: Said | None
    person: PersonName | None
    alert_id: UUID | None
    watch_id: UUID | None
    movement_id: UUID | None
    detail: str | None
    answered: Literal["reply", "silence"] | None
    understood_at: datetime | None


class HelpCall(msgspec.Struct, frozen=True):
    """A call for help by text. Where `verified` is false nothing vouches for the person: show it
    as UNVERIFIED. `placed`: it says where; that must be asked for, and in `body` it is `[place]`.
    `repeated`: how often it came again."""

    id: UUID
    kind: Literal["help", "panic"]
    verified: bool
    sender: str
    person: PersonName | None
    area: str | None
    body: str
    placed: bool
    raised_at: datetime
    repeated: int
    last_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    outcome: Outcome | None
    note: str | None


class HelpAccess(msgspec.Struct, frozen=True):
    """Who was shown where a call for help was made, and why."""

    at: datetime
    actor: str
    name: str | None
    reason: str


class HelpPosition(msgspec.Struct, frozen=True):
    """Where a call for help was made, null where only its words may tell; the words as they came;
    and who was shown this, this reading included."""

    help_id: UUID
    location: Location | None
    body: str
    access: list[HelpAccess]


class HelpCloseIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a call for help ended."""

    outcome: Outcome
    note: Annotated[str, Meta(max_length=500)] | None = None


Flag = Literal["true", "false"]


class TextsQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filters of the texts that came in. `unverified=true`: those that count for nothing yet."""

    state: TextState | None = None
    unverified: Flag | None = None


class HelpCallsQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filters of the calls for help. `open=false`: the closed ones."""

    open: Flag | None = None
    unverified: Flag | None = None


class HelpPositionQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a position is looked at; without it none is shown."""

    reason: Reason | None = None
