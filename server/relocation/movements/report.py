"""What a movement comes to: for its close-out, and for whoever asks how it went."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from server.db import Database
from server.people.messages import PersonName
from server.relocation import board
from server.relocation.messages import Board
from server.relocation.movements import store
from server.relocation.movements.messages import Fact, LeftOpen, Timeline
from server.relocation.movements.store import SQL, Sight

WHY = {
    "push": "Her phone can be reached; nothing was heard of her.",
    "sms": "She can be reached by text; nothing was heard of her.",
    "email": "She can be reached by e-mail; nothing was heard of her.",
    "warden": "No phone of hers can be reached. Her warden answers for her.",
    "none": "No phone of hers can be reached, and no warden answers for her.",
}


class NotReached(msgspec.Struct, frozen=True):
    """Somebody of whom nothing was ever heard, and why, as far as it is known."""

    person: PersonName
    area: str
    category: str
    reach: str
    why: str


class Report(msgspec.Struct, frozen=True):
    """The timeline, the board, conflicts by kind and state, who was not reached and why, and who
    was listed by name at the close-out."""

    timeline: list[Fact]
    board: Board
    conflicts: dict[str, dict[str, int]]
    not_reached: list[NotReached]
    unresolved: list[LeftOpen]
    statement: str | None
    signed_by: str | None


async def report(
    db: Database, operation_id: int, sight: Sight, movement_id: UUID, texted: Sequence[str]
) -> Report:
    """The whole of it. Raises NotFound out of sight."""
    found = await board.board(db, operation_id, sight, movement_id)
    seen = (movement_id, sight.areas, sight.people)
    async with db.transaction(operation_id, snapshot=True) as con:
        facts = await con.fetch(SQL.facts, *seen)
        conflicts = await con.fetch(SQL.conflicts_by_kind, *seen)
        silent = await con.fetch(SQL.not_reached, *seen, list(texted))
        named = await con.fetch(SQL.unresolved, *seen)
        statement = await con.fetchval(SQL.statement, movement_id)
    return Report(
        timeline=[_fact(r) for r in facts],
        board=found,
        conflicts=_by_kind(conflicts),
        not_reached=[_silent(r) for r in silent],
        unresolved=[LeftOpen(PersonName(r[0], r[1]), r[2], r[3]) for r in named],
        statement=statement,
        signed_by=found.movement.ended_by if statement else None,
    )


async def timeline(db: Database, operation_id: int, sight: Sight, movement_id: UUID) -> Timeline:
    """The timeline alone. Raises NotFound out of sight."""
    async with db.transaction(operation_id) as con:
        await store.must_see(con, sight, movement_id)
        rows = await con.fetch(SQL.facts, movement_id, sight.areas, sight.people)
        return Timeline([_fact(r) for r in rows])


def _fact(row: Any) -> Fact:
    return Fact(row["at"], row["what"], row["who"], msgspec.json.decode(row["detail"]))


def _by_kind(rows: Sequence[Any]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row["kind"], {})[row["state"]] = row["conflicts"]
    return found


def _silent(row: Any) -> NotReached:
    person = PersonName(row["ref"], row["name"])
    why = WHY[row["reach"]]
    if row["expected"] == "elsewhere":
        why = "She was expected elsewhere."
    return NotReached(person, row["area"], row["category"], row["reach"], why)
