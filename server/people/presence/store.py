"""Rows of presences. Every function takes the connection of a transaction."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from server.db import named_sql
from server.people.roster.rows import PresenceRow
from server.people.roster.store import Merged

SQL = named_sql(__file__)


class Presence(msgspec.Struct, frozen=True):
    """A presence on record. `home_id`: the person's own area; `area_id`: where to."""

    presence_id: UUID
    person_id: int
    ref: str
    name: str
    home_id: int
    kind: str
    area_id: int | None
    area: str | None
    area_name: str | None
    from_at: datetime
    until_at: datetime
    note: str | None
    said_by: str


async def take(con: Any, rows: Sequence[PresenceRow], absent: Collection[str]) -> Merged:
    """Writes imported presences; what is on record just so stays. `absent`: columns not there."""
    columns = [
        [r.ref for r in rows],
        [r.kind for r in rows],
        [r.area or None for r in rows],
        [r.from_at for r in rows],
        [r.until_at for r in rows],
        [r.note for r in rows],
    ]
    written = [r["added"] for r in await con.fetch(SQL.take, *columns, sorted(absent))]
    added = sum(written)
    return Merged(added, len(written) - added, len(rows) - len(written))


async def one(con: Any, presence_id: UUID) -> Presence | None:
    """A presence by id."""
    row = await con.fetchrow(SQL.one, presence_id)
    return None if row is None else Presence(**dict(row))


async def listed(con: Any, *filters: Any) -> list[Presence]:
    """Those that are not over: see the query."""
    return [Presence(**dict(row)) for row in await con.fetch(SQL.listed, *filters)]


async def areas_of_nodes(con: Any, nodes: Sequence[int]) -> list[int]:
    """The areas whose visitors belong to some nodes and all below."""
    return [r["area_id"] for r in await con.fetch(SQL.areas_of_nodes, list(nodes))]
