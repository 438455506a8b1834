"""What goes over the wire for people: requests are strict, answers are exact."""

from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from server.errors import refuse_field
from server.paging import Page, PageQuery
from server.people.moves import SelfCheck, SelfMovement
from server.people.store import ListedPerson

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Ref = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Typed = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Category = Literal["international", "national", "local", "contractor", "volunteer", "family"]


class SessionIn(msgspec.Struct, frozen=True):
    """An operator's bearer token, or a one-time sign-in code."""

    token: Secret


class OperatorOut(msgspec.Struct, frozen=True):
    """Who is signed in. `area`: the code she is limited to; `person`: a warden's own ref."""

    id: int
    name: str
    role: str
    area: str | None
    person: str | None


class Operators(msgspec.Struct, frozen=True):
    """The operators who may sign in."""

    items: list[OperatorOut]


class OperationOut(msgspec.Struct, frozen=True):
    """The operation, as screens name it."""

    code: str
    name: str
    timezone: str


class SessionOut(msgspec.Struct, frozen=True):
    """A console's session. `csrf` goes back as X-CSRF-Token on every write."""

    operator: OperatorOut
    operation: OperationOut
    csrf: str


class EnrolmentIn(msgspec.Struct, frozen=True):
    """Whose phone is to be enrolled; `printed` makes a long code that lives a week."""

    person_ref: Ref
    printed: bool = False


class EnrolmentOut(msgspec.Struct, frozen=True):
    """A code, shown once. `qr_svg` draws `url`; `id` serves to withdraw it."""

    id: UUID
    code: str
    expires_at: datetime
    url: str
    qr_svg: str


class FcmPush(msgspec.Struct, frozen=True, tag_field="kind", tag="fcm"):
    """A registration with Firebase."""

    token: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]


class SubscriptionKeys(msgspec.Struct, frozen=True):
    """What a browser gives to encrypt for it, base64url."""

    p256dh: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    auth: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class Subscription(msgspec.Struct, frozen=True):
    """A browser's push subscription."""

    endpoint: Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]
    keys: SubscriptionKeys


class WebPush(msgspec.Struct, frozen=True, tag_field="kind", tag="webpush"):
    """A registration with a browser's push service."""

    subscription: Subscription


Push = FcmPush | WebPush


class DeviceIn(msgspec.Struct, frozen=True):
    """A phone that enrols. `id` lets it ask again for ten minutes if the answer was lost."""

    code: Typed
    platform: Literal["android", "ios", "web", "sim"]
    id: UUID | None = None
    push: Push | None = None


class PersonName(msgspec.Struct, frozen=True):
    """A person, in short."""

    ref: str
    name: str


class SmsOut(msgspec.Struct, frozen=True):
    """How the app reports by SMS. `key`: base64url without padding, of 20 bytes."""

    id5: str
    key: str
    numbers: list[str]


class DeviceOut(msgspec.Struct, frozen=True):
    """An enrolled phone's secrets, given once."""

    device_id: UUID
    token: str
    person: PersonName
    sms: SmsOut


class AreaName(msgspec.Struct, frozen=True):
    """An area, in short."""

    code: str
    name: str


class SelfPerson(msgspec.Struct, frozen=True):
    """The phone's own person."""

    ref: str
    name: str
    category: str
    area: AreaName
    agency: str
    language: str | None


class HouseholdMember(msgspec.Struct, frozen=True):
    """Another member of the household; `may_report`: this phone may answer for her."""

    ref: str
    name: str
    category: str
    role: Literal["sponsor", "family"]
    may_report: bool


class AnswerOut(msgspec.Struct, frozen=True):
    """An answer that stands."""

    status: str
    event_at: datetime
    received_at: datetime


class HouseholdAnswer(msgspec.Struct, frozen=True):
    """The answer of a family member in an alert."""

    ref: str
    answer: AnswerOut | None


class SelfAlert(msgspec.Struct, frozen=True):
    """An open alert with the caller's answer and her family's."""

    id: UUID
    kind: str
    severity: str
    title: str
    body: str
    exercise: bool
    state: str
    opened_at: datetime | None
    expires_at: datetime | None
    answer: AnswerOut | None
    household: list[HouseholdAnswer]


class BranchOut(msgspec.Struct, frozen=True):
    """A warden's part of the tree; `members`: how many people are in it."""

    node: str
    label: str
    members: int


class SelfWatch(msgspec.Struct, frozen=True):
    """A watch of the caller's own that has not ended."""

    id: UUID
    kind: str
    state: str
    due_at: datetime
    grace_s: int
    interval_s: int | None
    round: int
    late: bool
    reminded_at: datetime | None
    overdue_at: datetime | None
    note: str | None


class SelfPanic(msgspec.Struct, frozen=True):
    """The caller's own panic while it lasts. `owner`: who has it, and only where that is so.
    `covert`: this phone must look as if there were none."""

    id: UUID
    state: Literal["open", "acknowledged"]
    owner: str | None
    event_at: datetime
    covert: bool


class NearbyHelp(msgspec.Struct, frozen=True):
    """A colleague who calls for help, while she does: who, how far off this phone was when its
    person was told (to 100 m), since when, and the desk's number. Where she is the desk knows."""

    panic_id: UUID
    name: str
    distance_m: int
    since: datetime
    desk_phone: str | None


class SelfPanicEnd(msgspec.Struct, frozen=True):
    """How the caller's last panic ended. `outcome` is null until a human has seen to one that
    was taken back."""

    id: UUID
    state: Literal["cancelled", "resolved", "closed"]
    outcome: Literal["helped", "false_alarm", "hoax", "passed_on"] | None
    ended_at: datetime


class SelfOut(msgspec.Struct, frozen=True):
    """All a phone needs to show. `watch` is the one of `watches` that is due first; it and
    `panic` are null while there is none. `pin_set`: there is a PIN to ask for; never which.
    `last_panic`: the newest that ended within a day."""

    person: SelfPerson
    operation: OperationOut
    household: list[HouseholdMember]
    alerts: list[SelfAlert]
    branch: BranchOut | None
    server_time: datetime
    watches: list[SelfWatch]
    pin_set: bool
    nearby_help: list[NearbyHelp]
    watch: SelfWatch | None = None
    panic: SelfPanic | None = None
    movements: list[SelfMovement] = []
    last_panic: SelfPanicEnd | None = None
    checks: list[SelfCheck] = []


class AreaOut(msgspec.Struct, frozen=True):
    """An area of the operation."""

    code: str
    name: str
    parent: str | None
    kind: str
    lat: float | None
    lon: float | None


class AgencyOut(msgspec.Struct, frozen=True):
    """An agency; known by its name."""

    code: str
    name: str


class AreaPage(Page[AreaOut], frozen=True):
    """A page of areas."""


class AgencyPage(Page[AgencyOut], frozen=True):
    """A page of agencies."""


class PeoplePage(Page[ListedPerson], frozen=True):
    """A page of people."""


class PeopleQuery(PageQuery, frozen=True, kw_only=True):
    """`q`: part of a name, ref or number; `area`: a code, with all below."""

    q: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    area: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class WideQuery(PageQuery, frozen=True, kw_only=True):
    """For the short lists that consoles read whole."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=5000)] = 1000


class DeviceSeen(msgspec.Struct, frozen=True):
    """One of a person's phones, for the desk. `push`: fcm, webpush or null."""

    platform: str
    enrolled_at: datetime
    last_seen_at: datetime | None
    push: str | None
    silent_since: datetime | None


class PersonOut(msgspec.Struct, frozen=True):
    """One person in full."""

    ref: str
    name: str
    category: str
    kind: str
    area: AreaName
    agency: str
    sponsor: str | None
    language: str | None
    email: str | None
    phones: list[str]
    household: list[PersonName]
    devices: list[DeviceSeen]


class PersonIn(msgspec.Struct, frozen=True):
    """A person added by hand. Family take agency and area from the sponsor if left out."""

    ref: Ref
    name: Text
    category: Category
    area: Ref | None = None
    agency: Text | None = None
    phones: Annotated[list[Typed], msgspec.Meta(max_length=2)] = []
    email: Text | None = None
    language: Text | None = None
    family_of: Ref | None = None


def push_address(push: Push) -> tuple[str, str]:
    """The kind and address to store. Raises BadInput for an address no push can go to."""
    if isinstance(push, FcmPush):
        return "fcm", push.token
    try:
        where = urlsplit(push.subscription.endpoint)
        fine = where.scheme == "https" and bool(where.hostname) and where.username is None
    except ValueError:
        fine = False
    if not fine:
        raise refuse_field(
            "push.subscription.endpoint", "Give the https address of the push service."
        )
    return "webpush", msgspec.json.encode(push.subscription).decode()
