"""What callers send and get of manifests, of filling seats and of travel papers."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from server.clock import Moment
from server.paging import PageQuery
from server.people.messages import PersonName, Ref
from server.relocation.manifests.rules import Need
from server.relocation.movements.messages import Code, Reason
from server.relocation.plan.messages import State

Papers = Literal["held", "undated", "expiring", "expired", "missing", "unknown"]
Gone = Literal["withdrawn", "rides_no_more"]
Why = Literal[
    "no_vehicle",
    "full",
    "no_seats_together",
    "larger_than_vehicle",
    "household_vehicle_full",
    "household_vehicle_closed",
    "household_apart",
    "aboard",
    "expected_elsewhere",
]


class Seat(msgspec.Struct, frozen=True):
    """A seat that is given. `stage` and `aboard` are facts, the seat is the plan: aboard is true
    where she is known to have boarded this vehicle, arrived where she arrived by it. `papers`: null
    where no border is crossed. `released`: why the next filling gives her seat up."""

    seat: int
    person: PersonName
    category: str
    household: Ref
    medical: bool
    papers: Papers | None
    stage: str
    aboard: bool
    arrived: bool
    by_hand: bool
    released: Gone | None


class Aboard(msgspec.Struct, frozen=True):
    """Somebody who is known to have boarded and has no seat here."""

    person: PersonName
    since: datetime


class SealedSeat(msgspec.Struct, frozen=True):
    """A seat as it was sealed."""

    seat: int
    ref: Ref
    name: str
    category: str
    household: Ref
    medical: bool
    papers: Papers | None


class Seal(msgspec.Struct, frozen=True):
    """The list as it was sealed; `sha256` of it, to compare a copy by."""

    at: datetime
    by: str | None
    sha256: str
    seats: list[SealedSeat]


class Amendment(msgspec.Struct, frozen=True):
    """A change after the sealing."""

    id: UUID
    what: Literal["put_on", "taken_off"]
    person: PersonName
    seat: int
    reason: str
    at: datetime
    by: str | None


class Manifest(msgspec.Struct, frozen=True):
    """Who is to sit on a vehicle. `given` counts all seats given, also of people out of the
    caller's sight. `apart`: sponsors whose households ride this leg in more than one vehicle.
    `mark`: of who has which seat now; a printed list bears it."""

    vehicle: UUID
    number: int
    label: str
    leg: UUID
    state: State
    seats_in_all: int
    given: int
    mark: str
    seats: list[Seat]
    unlisted: list[Aboard]
    apart: list[Ref]
    seal: Seal | None
    amendments: list[Amendment]


class ManifestIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is to sit on a vehicle, and nobody else. Who stays on the list keeps her seat. `move`:
    take people from other vehicles of the leg. `split`: sponsors whose households may part."""

    people: Annotated[list[Ref], Meta(max_length=10_000)]
    move: bool = False
    split: Annotated[list[Ref], Meta(max_length=1000)] = []


class AmendIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A change of a sealed manifest: who came all the same, who did not, and why."""

    id: UUID
    reason: Reason
    put_on: Annotated[list[Ref], Meta(max_length=500)] = []
    take_off: Annotated[list[Ref], Meta(max_length=500)] = []


class FillIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Seats of a leg to give by rule. Without `apply` it only shows. `order`: which need goes
    first; what is left out follows: medical, ready, zone. `zones`: only people of these areas and
    below, zone by zone in this order. `split`: sponsors whose households may ride apart. `mark`: of
    the preview: 409 if it would come out otherwise now."""

    leg: UUID
    apply: bool = False
    order: Annotated[list[Need], Meta(max_length=3)] = []
    zones: Annotated[list[Code], Meta(max_length=500)] = []
    split: Annotated[list[Ref], Meta(max_length=1000)] = []
    mark: Annotated[str, Meta(max_length=100)] | None = None


class Given(msgspec.Struct, frozen=True):
    """A seat that is given by rule, and what the rules went by."""

    person: PersonName
    vehicle_no: int
    household: Ref
    medical: bool
    ready: bool
    zone: str
    papers: Papers | None


class Released(msgspec.Struct, frozen=True):
    """A seat that is given up: of a vehicle that was withdrawn, or of who rides no more."""

    person: PersonName
    vehicle_no: int
    reason: Gone


class Waiting(msgspec.Struct, frozen=True):
    """Who has no seat on the leg, and why; `vehicle_no`: that her household, or she, rides."""

    person: PersonName
    household: Ref
    medical: bool
    ready: bool
    zone: str
    reason: Why
    vehicle_no: int | None


class Room(msgspec.Struct, frozen=True):
    """A vehicle after the filling. `left`: seats nobody has, nor somebody aboard without one."""

    vehicle_no: int
    seats: int
    left: int
    open: bool


class Fill(msgspec.Struct, frozen=True):
    """What the rules give, in the order they give it, and the waiting list, first in turn first."""

    leg: UUID
    applied: bool
    mark: str
    order: list[Need]
    given: list[Given]
    released: list[Released]
    waiting: list[Waiting]
    vehicles: list[Room]


class TravellerIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of somebody. `papers`: whether she holds papers to cross a border; null:
    not known after all. `expires_on`: their last day. `medical`: a medical need: she goes first.
    A field that is left out stays as it is."""

    ref: Ref
    papers: bool | UnsetType | None = UNSET
    expires_on: date | None = None
    medical: bool | UnsetType = UNSET


class TravellersIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of some people."""

    items: Annotated[list[TravellerIn], Meta(min_length=1, max_length=500)]


class Traveller(msgspec.Struct, frozen=True):
    """What is known of somebody. `papers` null: nobody has said."""

    person: PersonName
    papers: bool | None
    expires_on: date | None
    medical: bool


class TravellersQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filters of travellers. `unsaid=true`: of whose papers nobody has said anything."""

    q: Annotated[str, Meta(max_length=100)] | None = None
    unsaid: Literal["true"] | None = None


class Travellers(msgspec.Struct, frozen=True):
    """What is known of some people, by ref."""

    items: list[Traveller]


class ImportIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A list as a file: `csv` its text, or `xlsx` in base64; of it the column `ref` counts. As a
    manifest that is put by hand."""

    csv: Annotated[str, Meta(max_length=1_000_000)] | None = None
    xlsx: bytes | None = None
    move: bool = False
    split: Annotated[list[Ref], Meta(max_length=1000)] = []


class TickedIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was ticked on a printed list. `mark`: as printed on it. `seats`: the numbers ticked.
    `people`: who was written below, by ref. `at`: when the list was ticked, by the clock there."""

    id: UUID
    stage: Literal["boarded", "arrived"]
    at: Moment
    mark: Annotated[str, Meta(min_length=1, max_length=20)] | None = None
    seats: Annotated[list[Annotated[int, Meta(ge=1, le=10_000)]], Meta(max_length=400)] = []
    people: Annotated[list[Ref], Meta(max_length=100)] = []


class Ticked(msgspec.Struct, frozen=True):
    """The reports that were made, by seat and then by ref; `made`: how many are new."""

    made: int
    people: list[Ref]
