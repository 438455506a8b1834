"""What goes over the wire for scores; the kept ones have the same form."""

from datetime import datetime
from uuid import UUID

import msgspec

from server.paging import Page, PageQuery
from server.people.messages import PersonName


class Line(msgspec.Struct, frozen=True):
    """Some people of an alert. `share` of them answered, 0 to 1, rounded down. Seconds from the
    opening to the answer of half and of nine tenths; null while fewer have answered."""

    population: int
    reached: int
    answered: int
    share: float
    median_s: float | None
    p90_s: float | None


class NodeLine(Line, frozen=True, kw_only=True):
    """The people a node answered for, as the tree was when the alert was sent; the duty desk's
    own have no node."""

    node: str | None
    label: str | None
    warden: PersonName | None


class CategoryLine(Line, frozen=True, kw_only=True):
    """The people of one category."""

    category: str


class Score(msgspec.Struct, frozen=True):
    """How an alert went. `final`: kept at the end of an exercise, and never moved since."""

    alert_id: UUID
    title: str
    exercise: bool
    state: str
    opened_at: datetime | None
    closed_at: datetime | None
    as_of: datetime
    final: bool
    total: Line | None
    nodes: list[NodeLine]
    categories: list[CategoryLine]


class Point(msgspec.Struct, frozen=True):
    """One exercise of a node."""

    alert_id: UUID
    closed_at: datetime
    share: float
    median_s: float | None
    p90_s: float | None


class Trend(msgspec.Struct, frozen=True):
    """A node over the exercises of a page, the oldest first."""

    node: str
    label: str | None
    points: list[Point]


class ExercisesPage(Page[Score], frozen=True, kw_only=True):
    """Exercises that have ended, newest first, and how each node went in them."""

    trend: list[Trend]


class ExercisesQuery(PageQuery, frozen=True, kw_only=True):
    """A page of exercises."""
