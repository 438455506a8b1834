"""What callers send and get of codes, of checkers and of their lists."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from server.people.messages import PersonName, Ref
from server.relocation.plan.messages import LegOut, PointOut, VehicleOut

Counter = Annotated[int, Meta(ge=1, le=65535)]


class CodeIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """issue: her code, a first one where she has none. reissue, revoke: `counter` of the code that
    is lost or was seen by others; it is good no more. Said again it changes nothing."""

    do: Literal["issue", "reissue", "revoke"]
    counter: Counter | None = None


class CodeOut(msgspec.Struct, frozen=True):
    """A person's code: the text, and drawn as QR for a screen and for paper (PNG in base64).
    `code` null: revoked, and no other issued. `counter`: of the last."""

    person: PersonName
    counter: int
    issued_at: datetime
    revoked_at: datetime | None
    code: str | None
    svg: str | None
    png: str | None


class Codes(msgspec.Struct, frozen=True):
    """One's own code and those of one's family."""

    items: list[CodeOut]


class Checker(msgspec.Struct, frozen=True):
    """Who checks a movement, with whatever phone is hers."""

    person: PersonName
    named_at: datetime
    named_by: str | None


class Checkers(msgspec.Struct, frozen=True):
    """Who checks a movement."""

    items: list[Checker]


class BundleQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`vehicle`: a number: only who sits there or is aboard."""

    vehicle: Annotated[int, Meta(ge=1, le=9999)] | None = None


class BundleKey(msgspec.Struct, frozen=True):
    """A key that codes are verified with: the uncompressed point of P-256 in base64url, as
    WebCrypto imports it with the format `raw`."""

    id: int
    public: str


class Listed(msgspec.Struct, frozen=True):
    """Somebody on a checker's list. `handle` (base64url) as in her code. `counter`: of the one code
    of hers that is good; each lower one is revoked, and null says that all are."""

    handle: str | None
    counter: int | None
    ref: Ref
    name: str
    category: str
    household: Ref
    stage: str
    vehicle_no: int | None
    point: UUID | None
    seats: list[int]


class Bundle(msgspec.Struct, frozen=True):
    """All that a checker's phone needs without a network. After `expires_at` it must say that its
    list is old; what it reports is taken all the same."""

    movement: UUID
    title: str
    exercise: bool
    state: str
    as_of: datetime
    expires_at: datetime
    keys: list[BundleKey]
    people: list[Listed]
    legs: list[LegOut]
    vehicles: list[VehicleOut]
    points: list[PointOut]
