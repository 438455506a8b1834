"""What callers send and get of watches, curfews, radio checks and areas of risk."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from server.clock import Moment
from server.paging import PageQuery
from server.people.messages import PersonName

Kind = Literal["journey", "interval", "curfew", "radio_check"]
State = Literal["running", "reminded", "overdue", "done", "cancelled"]
What = Literal[
    "created",
    "reminded",
    "overdue",
    "passed_up",
    "desk",
    "covered",
    "done",
    "extended",
    "cancelled",
    "superseded",
    "offered",
    "heard",
    "refused",
    "withdrawn",
    "unheard",
    "unheard_desk",
    "position_read",
]
HandOverState = Literal["offered", "heard", "refused", "withdrawn", "ended"]
Way = Literal["radio", "phone", "text", "satellite", "sight"]
Ref = Annotated[str, Meta(min_length=1, max_length=100)]
Grace = Annotated[int, Meta(ge=0, le=86_400)]
Note = Annotated[str, Meta(max_length=500)]
Contact = Annotated[str, Meta(min_length=1, max_length=60)]
Flag = Literal["true", "false"]
Hours = Annotated[int, Meta(ge=1, le=720)]
Reason = Literal["respond", "verify", "hand_over", "review"]


class WatchIn(msgspec.Struct, frozen=True):
    """A watch to begin. `for` names the person it is of; left out, the caller. `interval_s` goes
    with the kind interval and with no other. `companions`: refs of who travels along; a report of
    any of them covers it. Unknown fields are passed over."""

    id: UUID
    kind: Kind
    due_at: Moment
    grace_s: Grace
    interval_s: Annotated[int, Meta(ge=60, le=604_800)] | None = None
    note: Note | None = None
    for_: Ref | None = msgspec.field(default=None, name="for")
    companions: Annotated[list[Ref], Meta(max_length=50)] = []
    route: Note | None = None
    vehicle: Annotated[str, Meta(max_length=100)] | None = None
    contacts: Annotated[list[Contact], Meta(max_length=10)] = []


class DoneIn(msgspec.Struct, frozen=True):
    """It went well. `id` lets it be sent again; `at` and `sent_at` by the phone's clock."""

    id: UUID | None = None
    at: Moment | None = None
    sent_at: Moment | None = None


class ExtendIn(msgspec.Struct, frozen=True):
    """Another deadline. `id`, `at` and `sent_at` as of done."""

    due_at: Moment
    id: UUID | None = None
    at: Moment | None = None
    sent_at: Moment | None = None


class LastHeard(msgspec.Struct, frozen=True):
    """What is last known of a person, for desks and wardens: seconds since her last report and
    since her last position, and her phone's battery then. null: never, or not known."""

    report_age_s: float | None
    position_age_s: float | None
    battery: int | None


class HandOverOut(msgspec.Struct, frozen=True):
    """A convoy's hand-over from one radio room to the next; null in place of an area: the whole
    operation's desk. `state` ended: the watch did first. `unheard_at`: since when both rooms are
    alarmed that the next has not heard it. `heard_at`: when contact was made, by corrected time."""

    id: UUID
    from_area: str | None
    to_area: str | None
    state: HandOverState
    expect_by: datetime
    unheard_at: datetime | None
    note: str | None
    contact: Way | None
    remark: str | None
    heard_at: datetime | None
    settled_at: datetime | None
    settled_by: str | None
    created_at: datetime
    created_by: str | None


class WatchOut(msgspec.Struct, frozen=True):
    """A watch. `round` counts its deadlines. `step`: how far up the deadline that was missed was
    told: 1 the person and her warden, 2 the node above, 3 the duty desk. `late`: some deadline of
    it was missed. `room`: the area whose radio room answers for it, null the whole operation's
    desk. `hand_over`: the newest one."""

    id: UUID
    kind: Kind
    person: PersonName | None
    callsign: str | None
    area: str | None
    state: State
    due_at: datetime
    grace_s: int
    interval_s: int | None
    round: int
    step: int
    late: bool
    reminded_at: datetime | None
    overdue_at: datetime | None
    ended_at: datetime | None
    note: str | None
    route: str | None
    vehicle: str | None
    contacts: list[str]
    companions: list[str]
    curfew_id: UUID | None
    roll_id: UUID | None
    created_at: datetime
    created_by: str | None
    room: str | None
    hand_over: HandOverOut | None
    last: LastHeard | None


class FactOut(msgspec.Struct, frozen=True):
    """One thing that happened to a watch. `at`: when it came on record; `event_at`: when it was
    said, by corrected time; `due_at`: the deadline it set, or missed. `superseded`: it came after
    newer word, and moved nothing. `by` null: the clock. Of a hand-over `to_area` is the next room's
    (null: the whole operation's), `contact` how it heard the convoy; of a reading of a position
    `reason` says why."""

    id: UUID
    what: What
    at: datetime
    event_at: datetime | None
    due_at: datetime | None
    late: bool
    round: int
    by: str | None
    hand_over_id: UUID | None = None
    to_area: str | None = None
    contact: Way | None = None
    note: str | None = None
    reason: str | None = None


class WatchDetail(msgspec.Struct, frozen=True):
    """A watch with its timeline."""

    watch: WatchOut
    timeline: list[FactOut]


class WatchQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filters of watches. `open=true`: those that have not ended."""

    state: State | None = None
    kind: Kind | None = None
    open: Flag | None = None


class CurfewIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """By when an area's people must have reported: `at` as HH:MM by the operation's clocks, on
    `weekdays` (1 Monday .. 7 Sunday). A report counts from `window_s` before. With `dark_after_h`
    the area is one of risk as long as the curfew is in force."""

    id: UUID
    area: Annotated[str, Meta(min_length=1, max_length=200)]
    at: Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    grace_s: Grace
    weekdays: Annotated[list[Annotated[int, Meta(ge=1, le=7)]], Meta(min_length=1, max_length=7)]
    window_s: Annotated[int, Meta(ge=60, le=43_200)] = 7200
    note: Note | None = None
    dark_after_h: Hours | None = None


class CurfewOut(msgspec.Struct, frozen=True):
    """A curfew."""

    id: UUID
    area: str
    at: str
    weekdays: list[int]
    window_s: int
    grace_s: int
    note: str | None
    dark_after_h: int | None
    created_at: datetime
    created_by: str | None
    ended_at: datetime | None


class Curfews(msgspec.Struct, frozen=True):
    """The curfews in force."""

    items: list[CurfewOut]


class RadioCheckIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A roll to call by radio: people by ref, and callsigns that belong to no person on record."""

    id: UUID
    due_at: Moment
    grace_s: Grace = 0
    people: Annotated[list[Ref], Meta(max_length=500)] = []
    callsigns: Annotated[list[Ref], Meta(max_length=500)] = []
    note: Note | None = None


class HeardIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who answered: a ref or a callsign of the roll."""

    ref: Ref


class RollName(msgspec.Struct, frozen=True):
    """A name on a roll; `heard_at` null: not heard."""

    watch_id: UUID
    person: PersonName | None
    callsign: str | None
    state: State
    heard_at: datetime | None
    late: bool


class RadioCheckOut(msgspec.Struct, frozen=True):
    """A called roll."""

    id: UUID
    note: str | None
    created_at: datetime
    created_by: str | None
    heard: int
    names: list[RollName]


class RiskIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """After how many hours without a word the people of an area are listed; null: no risk."""

    dark_after_h: Hours | None


class RiskOut(msgspec.Struct, frozen=True):
    """An area of risk; it holds for all below it."""

    area: str
    dark_after_h: int
    set_at: datetime
    set_by: str | None


class Risks(msgspec.Struct, frozen=True):
    """The areas of risk."""

    items: list[RiskOut]


class DarkPerson(msgspec.Struct, frozen=True):
    """Somebody in an area of risk of whom nothing was heard for `dark_after_h` hours.
    `heard_at` null: never. `raised_at`: since when that is an alarm, null for some seconds.
    `ended_at`: the alarm is over; `heard` false: not because she was heard of."""

    person: PersonName
    area: str
    dark_after_h: int
    heard_at: datetime | None
    age_s: float | None
    battery: int | None
    raised_at: datetime | None = None
    ended_at: datetime | None = None
    heard: bool | None = None


class PositionQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a position is looked at; without it none is shown."""

    reason: Reason | None = None


class WatchPlace(msgspec.Struct, frozen=True):
    """Where somebody was: degrees north and east, metres of accuracy, when, and how old that is."""

    lat: float
    lon: float
    accuracy: float | None
    event_at: datetime
    age_s: float


class WatchPosition(msgspec.Struct, frozen=True):
    """The last known position of a watch's person; null where none is known."""

    watch_id: UUID
    position: WatchPlace | None
