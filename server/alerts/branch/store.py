"""Rows of a call-down list. Every function takes the connection of a transaction."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from server.alerts.branch.messages import BranchPhone, Standing, TextSeen
from server.db import named_sql

SQL = named_sql(__file__)


async def phones(con: Any, ids: Sequence[int]) -> dict[int, list[BranchPhone]]:
    """Numbers by person, the first tried first."""
    found: dict[int, list[BranchPhone]] = defaultdict(list)
    for row in await con.fetch(SQL.phones, list(ids)):
        text = None if row["state"] is None else TextSeen(row["state"], row["at"])
        found[row["person_id"]].append(BranchPhone(row["phone"], row["updated_at"], text))
    return found


async def standing(
    con: Any, alerts: Sequence[UUID], ids: Sequence[int]
) -> dict[int, list[Standing]]:
    """Where people stand in alerts, by person."""
    found: dict[int, list[Standing]] = defaultdict(list)
    for row in await con.fetch(SQL.standing, list(alerts), list(ids)):
        fields = {name: row[name] for name in Standing.__struct_fields__}
        found[row["person_id"]].append(Standing(**fields))
    return found


async def known(con: Any, ids: Sequence[int], texted: Sequence[str]) -> dict[int, Any]:
    """The rows of `known` by person."""
    rows = await con.fetch(SQL.known, list(ids), list(texted))
    return {row["person_id"]: row for row in rows}
