"""Rows of movements themselves."""

from typing import Any
from uuid import UUID

import msgspec

from server.auth import Principal, Scope
from server.db import named_sql
from server.errors import Forbidden, NotFound
from server.relocation.movements.messages import MovementOut

SQL = named_sql(__file__)
NO_MOVEMENT = "There is no such movement."


class Sight(msgspec.Struct, frozen=True):
    """What part of an operation's movements a caller sees, as query arguments."""

    areas: list[int] | None
    people: list[int] | None
    actor: str

    def args(self) -> tuple[list[int] | None, list[int] | None, str]:
        """In the order the queries take them."""
        return self.areas, self.people, self.actor


class Locked(msgspec.Struct, frozen=True):
    """What a change of a movement must know, read under its row's lock."""

    state: str
    audience: dict[str, Any]
    created_by: str
    exercise: bool


def sight_of(who: Principal, scope: Scope) -> Sight:
    """The sight of a caller who has a scope."""
    return Sight(scope.area_list(), scope.people_list(), who.actor)


async def one(con: Any, sight: Sight, movement_id: UUID) -> MovementOut:
    """A movement as it stands. Raises NotFound out of sight."""
    rows = await con.fetch(SQL.movements, *sight.args(), None, None, None, 1, movement_id)
    if not rows:
        raise NotFound(NO_MOVEMENT)
    return shown(rows[0])


def shown(row: Any) -> MovementOut:
    """A row of movements."""
    return MovementOut(
        id=row["movement_id"],
        kind=row["kind"],
        reach=row["reach"],
        title=row["title"],
        authority=row["authority"],
        reference=row["reference"],
        exercise=row["exercise"],
        state=row["state"],
        origins=row["origins"],
        population=row["population"],
        created_at=row["created_at"],
        created_by=row["maker"],
        activated_at=row["activated_at"],
        ended_at=row["ended_at"],
        ended_by=row["ender"],
        unsettled=row["unsettled"],
        conflicts=row["conflicts"],
        overdue=row["overdue"],
    )


async def must_see(con: Any, sight: Sight, movement_id: UUID) -> None:
    """Raises NotFound out of sight."""
    if not await con.fetchval(SQL.sees, movement_id, *sight.args()):
        raise NotFound(NO_MOVEMENT)


async def lock(con: Any, movement_id: UUID) -> Locked | None:
    """A movement, held until the commit, or None."""
    row = await con.fetchrow(SQL.lock, movement_id)
    if row is None:
        return None
    return Locked(**{**row, "audience": msgspec.json.decode(row["audience"])})


async def steerable(con: Any, who: Principal, scope: Scope, movement_id: UUID) -> Locked:
    """A movement, held. Raises NotFound unseen, Forbidden if it reaches beyond one's areas."""
    await must_see(con, sight_of(who, scope), movement_id)
    if scope.areas is not None and await con.fetchval(
        SQL.reaches_beyond, movement_id, list(scope.areas), who.actor
    ):
        raise Forbidden("This movement reaches beyond your areas: ask its maker, or an admin.")
    locked = await lock(con, movement_id)
    if locked is None:
        raise NotFound(NO_MOVEMENT)
    return locked


async def add_fact(con: Any, movement_id: UUID, what: str, actor: str, **detail: Any) -> None:
    """A line of the timeline."""
    text = msgspec.json.encode(detail).decode()
    await con.execute(SQL.add_fact, movement_id, what, actor, text)
