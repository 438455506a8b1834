"""What goes over the wire for presences."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from server.paging import Page, PageQuery
from server.people.messages import AreaName, Ref

Kind = Literal["leave", "travel", "visit"]
Moment = Annotated[str, msgspec.Meta(min_length=1, max_length=60)]


class PresenceIn(msgspec.Struct, frozen=True, kw_only=True):
    """Where a person is expected. `from` and `until` are dates of the operation's calendar, until
    inclusive, or RFC 3339 times; a visit names the area, leave has none."""

    id: UUID
    ref: Ref
    kind: Kind
    begins: Moment = msgspec.field(name="from")
    until: Moment
    area: Ref | None = None
    note: Annotated[str, msgspec.Meta(max_length=500)] | None = None


class PresenceOut(msgspec.Struct, frozen=True, kw_only=True):
    """A presence on record. `said_by`: `import`, or who wrote it."""

    id: UUID
    ref: str
    name: str
    kind: str
    area: AreaName | None
    begins: datetime = msgspec.field(name="from")
    until: datetime
    note: str | None
    said_by: str


class PresencePage(Page[PresenceOut], frozen=True):
    """A page of presences."""


class PresenceQuery(PageQuery, frozen=True, kw_only=True):
    """`now`: only those that hold now."""

    now: bool = False
