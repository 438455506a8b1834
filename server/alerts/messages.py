"""What callers send and get in this room."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from server.alerts.escalation.rules import PolicyChange
from server.clock import Moment
from server.paging import PageQuery
from server.people.messages import PersonName

Kind = Literal["rollcall", "advisory", "instruction"]
Severity = Literal["routine", "urgent", "life_safety"]
Mode = Literal["broadcast", "cascade"]
State = Literal["preparing", "pending_release", "open", "closed", "expired", "cancelled"]
Status = Literal["safe", "need_help", "away"]
Title = Annotated[str, Meta(max_length=200, pattern=r"\S", description="not blank")]
Body = Annotated[str, Meta(max_length=4000, pattern=r"\S", description="not blank")]
LockScreen = Annotated[str, Meta(max_length=150, pattern=r"\S")]
SmsText = Annotated[str, Meta(max_length=1000, pattern=r"\S")]
Key = Annotated[str, Meta(min_length=1, max_length=200)]


class Audience(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Whom an alert addresses: exactly one of these. Their eligible family is always with them.

    areas: codes, with all areas below. agencies: names. tree_node: a node and all below.
    polygon: a GeoJSON Polygon, matched by the last position if it is at most 24 h old, else
    by the point of the person's area.
    """

    all: bool | UnsetType = UNSET
    areas: Annotated[list[Key], Meta(min_length=1, max_length=1000)] | UnsetType = UNSET
    agencies: Annotated[list[Key], Meta(min_length=1, max_length=1000)] | UnsetType = UNSET
    tree_node: Key | UnsetType = UNSET
    polygon: dict[str, Any] | UnsetType = UNSET


class AlertIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new alert; `id` is made by the caller, so that a repeat is recognised.

    `lock_screen` replaces the neutral line of the push. `incident_id` joins an incident on
    record; left out, the alert begins its own.
    """

    id: UUID
    kind: Kind
    audience: Audience
    title: Title
    body: Body
    exercise: bool
    severity: Severity = "urgent"
    mode: Mode = "broadcast"
    lock_screen: LockScreen | None = None
    sms_text: SmsText | None = None
    expires_at: Moment | None = None
    incident_id: UUID | None = None
    escalation: PolicyChange | None = None


class PreviewIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An alert as in POST /v1/alerts; only its audience and texts matter yet."""

    audience: Audience
    id: UUID | None = None
    kind: Kind = "rollcall"
    title: str = ""
    body: str = ""
    exercise: bool = False
    severity: Severity = "urgent"
    mode: Mode = "broadcast"
    lock_screen: str | None = None
    sms_text: SmsText | None = None
    expires_at: Moment | None = None
    incident_id: UUID | None = None
    escalation: PolicyChange | None = None


class CorrectionIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the same people must be told instead. `id` is the correcting alert's."""

    id: UUID
    title: Title
    body: Body
    lock_screen: LockScreen | None = None
    sms_text: SmsText | None = None
    expires_at: Moment | None = None


class AlertOut(msgspec.Struct, frozen=True):
    """An alert as it stands. `created_by` is a name, null to phones.

    `delivered_as`: how it goes out. `escalation`: where it differs from the operation's policy.
    `finish_at`, of one alert to a desk: when what still waits of it will have been handed over.
    """

    id: UUID
    incident_id: UUID
    kind: Kind
    severity: Severity
    mode: Mode
    delivered_as: Mode
    audience: dict[str, Any]
    title: str
    body: str
    lock_screen: str | None
    sms_text: str | None
    escalation: dict[str, Any] | None
    exercise: bool
    state: State
    created_at: datetime
    created_by: str | None
    opened_at: datetime | None
    expires_at: datetime | None
    closed_at: datetime | None
    population: int
    corrects: UUID | None
    finish_at: datetime | None = None


class Reminder(msgspec.Struct, frozen=True):
    """One reminder: its number, how many were silent, how many pushes it queued."""

    round: int
    silent: int
    deliveries: int


class RemindedOut(AlertOut, frozen=True, kw_only=True):
    """The alert, and the reminder that went to the silent."""

    reminder: Reminder


class AlertsQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filter of the list of alerts, newest first."""

    state: State | None = None


class PlainQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A list without filters."""


class IncidentIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new incident; `id` is made by the caller."""

    id: UUID
    title: Title
    exercise: bool


class IncidentOut(msgspec.Struct, frozen=True):
    """An incident and how many alerts it has, how many of them open or on their way."""

    id: UUID
    title: str
    exercise: bool
    opened_at: datetime
    opened_by: str | None
    closed_at: datetime | None
    alerts: int
    live: int


class Tally(msgspec.Struct, frozen=True):
    """How many of a population are in one group."""

    key: str
    label: str
    count: int


class Channels(msgspec.Struct, frozen=True):
    """People by the best way to each. `warden`: no phone of theirs, but someone on the tree."""

    push: int = 0
    sms: int = 0
    email: int = 0
    warden: int = 0
    none: int = 0


class Matched(msgspec.Struct, frozen=True):
    """How a polygon matched: by a fresh position, or by the area; and whom it cannot place."""

    position: int
    area: int
    unplaced: int


class Unreachable(msgspec.Struct, frozen=True):
    """A person whom nothing reaches, and why."""

    ref: str
    name: str
    reason: str


class Cost(msgspec.Struct, frozen=True):
    """What texts would cost, in millionths of a currency."""

    currency: str
    micro: int


class Preview(msgspec.Struct, frozen=True):
    """What an alert would do. `unreachable` lists the first 500.

    `segments`: parts of the longest text that would go out, exercise marks included. `cost`:
    of all texts, by currency; null without an SMS route. `finish_s`: until the last message is
    handed over, if every route keeps its rate.
    """

    people: int
    family: int
    population: int
    by_area: list[Tally]
    by_category: list[Tally]
    channels: Channels
    unreachable: list[Unreachable]
    segments: int
    encoding: Literal["GSM-7", "UCS-2"] | None
    cost: list[Cost] | None
    finish_s: int
    matched: Matched | None


class DeliveryOut(msgspec.Struct, frozen=True):
    """One message on its way: five facts, none of them another.

    purpose: the alert itself, a reminder of it, or a word to a warden: ask (to open her branch),
    chase (about her silent). person: null for a
    word to the duty desk's own channels (duty).

    queued_at: on record. accepted_at: taken by the provider. delivered_at: on the phone.
    seen_at: opened. answered_at: the person's first answer, whatever its way. Of a text: the
    route that had it, its parts, and the price of all tries in millionths of the currency.
    """

    delivery_id: UUID
    person: PersonName | None
    channel: str
    purpose: Literal["alert", "remind", "ask", "chase", "reply", "duty"]
    round: int
    state: Literal["queued", "sending", "accepted", "unknown", "failed", "stopped"]
    queued_at: datetime
    accepted_at: datetime | None
    delivered_at: datetime | None
    seen_at: datetime | None
    answered_at: datetime | None
    held_until: datetime | None
    attempts: int
    error: str | None
    route: str | None = None
    parts: int | None = None
    price_micro: int | None = None
    currency: str | None = None


class Receipt(msgspec.Struct, frozen=True):
    """A phone saying that a message arrived, or was opened."""

    delivery_id: UUID
    kind: Literal["delivered", "seen"]
    at: Moment


class ReceiptsIn(msgspec.Struct, frozen=True):
    """Up to 500 receipts. Unknown fields are passed over: newer phones, older server."""

    items: Annotated[list[Receipt], Meta(min_length=1, max_length=500)]


class ReceiptOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """`ok`, or why not."""

    delivery_id: UUID
    ok: bool | UnsetType = UNSET
    error: str | UnsetType = UNSET


class ReceiptsOut(msgspec.Struct, frozen=True):
    """Results in the order of the items."""

    items: list[ReceiptOut]


class AdditionIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One more in a population; `id` is made by the caller.

    With `ref`, a person of the roster whom the population lacks: `kind` visitor counts her in
    `area`, else in her own. Without, somebody nobody had listed: `area` is needed, and a name
    unless `kind` is unnamed. `status` is the caller's report of her.
    """

    id: UUID
    kind: Literal["walk_in", "visitor", "unnamed"] = "walk_in"
    name: Annotated[str, Meta(max_length=200, pattern=r"\S")] | None = None
    area: Key | None = None
    agency: Key | None = None
    category: (
        Literal["international", "national", "local", "contractor", "volunteer", "family"] | None
    ) = None
    status: Status | None = None
    note: Annotated[str, Meta(max_length=500)] | None = None
    ref: Key | None = None


class MergeIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The person of the roster whom an added one turned out to be."""

    into: Key


class MergedOut(msgspec.Struct, frozen=True):
    """The person that remains, and all who were merged into her."""

    ref: str
    merged: list[str]
