"""What callers send and get of movements themselves."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from server.paging import PageQuery
from server.people.messages import PersonName, Ref

Kind = Literal["relocation", "evacuation", "medical_evacuation", "return"]
Reach = Literal["inside", "outside"]
State = Literal["preparing", "planned", "active", "closed", "cancelled"]
Line = Annotated[str, Meta(min_length=1, max_length=200)]
Reason = Annotated[str, Meta(min_length=1, max_length=500)]
Code = Annotated[str, Meta(min_length=1, max_length=200)]


class MovementIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A movement to prepare: of the people of `origins` (area codes, and all below), visitors
    where they visit, and of `people`, named by ref; with their family. `reach`: of the country.
    `authority`: who ordered it; `reference`: of the order."""

    id: UUID
    kind: Kind
    reach: Reach
    title: Line
    authority: Line
    exercise: bool
    reference: Line | None = None
    origins: Annotated[list[Code], Meta(max_length=500)] = []
    people: Annotated[list[Ref], Meta(max_length=5000)] = []


class MovementOut(msgspec.Struct, frozen=True):
    """A movement on record. In the caller's sight: `population`, 0 while it is being prepared;
    `unsettled`, who has neither arrived nor stays; `conflicts`, that wait for a human. `overdue`:
    vehicles that the desk was told of and that have not arrived."""

    id: UUID
    kind: Kind
    reach: Reach
    title: str
    authority: str
    reference: str | None
    exercise: bool
    state: State
    origins: list[str]
    population: int
    created_at: datetime
    created_by: str | None
    activated_at: datetime | None
    ended_at: datetime | None
    ended_by: str | None
    unsettled: int
    conflicts: int
    overdue: int


class MovementsQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filters of movements."""

    state: State | None = None


class Unresolved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody of whom it is not known that she arrived or stays, and why it is left so."""

    ref: Ref
    reason: Reason


class CloseIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The close-out, signed by the operator who sends it. `statement`: what is signed."""

    statement: Reason
    unresolved: Annotated[list[Unresolved], Meta(max_length=10_000)] = []


class AddIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """People on record who join a movement after its freezing. Adding one twice adds her once."""

    people: Annotated[list[Ref], Meta(min_length=1, max_length=500)]


class Added(msgspec.Struct, frozen=True):
    """Who joined; whoever was in it already is left out."""

    people: list[str]


class Fact(msgspec.Struct, frozen=True):
    """One line of the timeline."""

    at: datetime
    what: str
    by: str | None
    detail: dict[str, Any]


class Timeline(msgspec.Struct, frozen=True):
    """What was done with a movement, in order."""

    items: list[Fact]


class LeftOpen(msgspec.Struct, frozen=True):
    """Somebody listed by name at the close-out."""

    person: PersonName
    stage: str
    reason: str
