"""What callers send and get in this room."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from server.clock import Moment
from server.paging import PageQuery
from server.people.messages import PersonName

Latitude = Annotated[float, Meta(ge=-90, le=90)]
Longitude = Annotated[float, Meta(ge=-180, le=180)]
Metres = Annotated[float, Meta(ge=0, le=1e7)]
Battery = Annotated[int, Meta(ge=0, le=100)]
Ref = Annotated[str, Meta(min_length=1, max_length=100)]
Pin = Annotated[str, Meta(pattern=r"^[0-9]{4,12}$", description="4 to 12 digits")]
State = Literal["open", "acknowledged", "cancelled", "resolved", "closed"]
Source = Literal["app", "sms", "satellite", "desk"]
Outcome = Literal["helped", "false_alarm", "hoax", "passed_on"]
Reason = Literal["respond", "verify", "hand_over", "review"]


class PanicPlace(msgspec.Struct, frozen=True):
    """A place: degrees north and east, and metres of accuracy."""

    lat: Latitude
    lon: Longitude
    accuracy: Metres | None = None


class PanicIn(msgspec.Struct, frozen=True):
    """One press. Everything may be left out, and what cannot be read is left out and listed in
    `ignored`: only what is no JSON is refused. `for`: the person an operator presses for."""

    id: UUID | UnsetType = UNSET
    at: Moment | UnsetType = UNSET
    sent_at: Moment | None = None
    location: PanicPlace | None = None
    covert: bool = False
    battery: Battery | None = None
    for_: Ref | None = msgspec.field(default=None, name="for")


class PressOut(msgspec.Struct, frozen=True):
    """What a press came to. `merged`: it joined the panic that was open already."""

    panic_id: UUID
    state: State
    merged: bool
    ignored: list[str]


class PositionIn(msgspec.Struct, frozen=True):
    """Where the phone was. `id` is its own, so that sending it again does no harm."""

    id: UUID
    at: Moment
    lat: Latitude
    lon: Longitude
    sent_at: Moment | None = None
    accuracy: Metres | None = None
    battery: Battery | None = None


class PositionsIn(msgspec.Struct, frozen=True):
    """Positions of one panic, in any order; late ones too."""

    items: Annotated[list[PositionIn], Meta(min_length=1, max_length=500)]


class PositionsOut(msgspec.Struct, frozen=True):
    """How many were kept. `more` is false when the panic is over: send no further ones."""

    kept: int
    more: bool


class CancelIn(msgspec.Struct, frozen=True):
    """Takes a panic back."""

    pin: Pin


class VerifyIn(msgspec.Struct, frozen=True):
    """A PIN given to open the app."""

    pin: Pin


class VerifyOut(msgspec.Struct, frozen=True):
    """It was right."""

    ok: Literal[True] = True


class CancelOut(msgspec.Struct, frozen=True):
    """How the panic stands."""

    panic_id: UUID
    state: State


class PinIn(msgspec.Struct, frozen=True):
    """The PIN of a phone's person, and the other one for duress. `old_pin` where there is one."""

    pin: Pin
    duress_pin: Pin
    old_pin: Pin | None = None


class HandOverIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To which operator, by the id that `GET /v1/operators` lists."""

    operator: Annotated[int, Meta(ge=1, le=2**31 - 1)]


class EndIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How it ended."""

    outcome: Outcome
    note: Annotated[str, Meta(max_length=500)] | None = None


class PanicSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an operation wants of its panics. `nearby_m`: colleagues so near are told, null: none.
    `desk_phone`: the number they are told to call, as `+` and digits."""

    nearby_m: Annotated[int, Meta(ge=100, le=50_000)] | None = None
    desk_phone: Annotated[str, Meta(pattern=r"^\+[1-9][0-9]{6,14}$")] | None = None


class Owner(msgspec.Struct, frozen=True):
    """The operator who has it."""

    id: int
    name: str


class LastSeen(msgspec.Struct, frozen=True):
    """How good and how old the last position is; where it is must be asked for."""

    at: datetime
    age_s: float
    accuracy: float | None
    battery: int | None


class PanicOut(msgspec.Struct, frozen=True, kw_only=True):
    """A panic. Where `verified` is false nothing vouches for the person: show it as UNVERIFIED.
    `covert` and `duress`: nothing may sound or light up, and no warden knows of it. `round`: how
    often it was told again, `next_alert_at` when it will be."""

    id: UUID
    state: State
    person: PersonName
    area: str
    source: Source
    covert: bool
    duress: bool
    verified: bool
    at: datetime
    event_at: datetime
    received_at: datetime
    presses: int
    owner: Owner | None
    acknowledged_at: datetime | None
    round: int
    next_alert_at: datetime | None
    outcome: Outcome | None
    note: str | None
    ended_at: datetime | None
    position: LastSeen | None


class Fact(msgspec.Struct, frozen=True):
    """One fact of a timeline with its three times: as told, corrected, received."""

    kind: str
    at: datetime
    event_at: datetime
    received_at: datetime
    actor: str
    name: str | None
    detail: dict[str, Any]


class Position(msgspec.Struct, frozen=True):
    """Where its person was. `coarse`: kept to two decimals only, and the accuracy says so."""

    at: datetime
    event_at: datetime
    received_at: datetime
    lat: float
    lon: float
    accuracy: float | None
    battery: int | None
    age_s: float
    coarse: bool


class Access(msgspec.Struct, frozen=True):
    """Who was shown how many positions, and why."""

    at: datetime
    actor: str
    name: str | None
    reason: str
    positions: int


class Nearby(msgspec.Struct, frozen=True):
    """A colleague who was told, and how far off she was then, to 100 m."""

    ref: str
    name: str
    distance_m: int
    told_at: datetime


class PanicDetail(PanicOut, frozen=True, kw_only=True):
    """A panic with its timeline. `positions` only where a reason was given; `access` and `nearby`
    not to wardens."""

    facts: list[Fact]
    positions: list[Position] | None
    access: list[Access] | None
    nearby: list[Nearby] | None


class PanicExport(msgspec.Struct, frozen=True, kw_only=True):
    """The start of an incident record: all that is known of one panic, as of one moment."""

    format: Literal["muster.panic/1"]
    exported_at: datetime
    exported_by: str
    operation: str
    panic: PanicDetail


class PanicsQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`open=true`: those a human must still see to, cancelled ones included."""

    open: Literal["true", "false"] | None = None


class PanicQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`reason`: why positions are looked at; without one none are shown."""

    reason: Reason | None = None
