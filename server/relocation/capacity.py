"""More people on board than seats: a fact is never refused, it is queued for a human."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from server.relocation import rules
from server.relocation.store import SQL

Vehicle = tuple[UUID, UUID]  # movement, vehicle
_KIND = "over_capacity"


async def check(con: Any, vehicles: Iterable[Vehicle], moment: datetime) -> None:
    """Puts on record which of these vehicles hold more than their seats, or no more do.

    What a human decided stands for as many too many as there were then: more are a new conflict.
    Nobody boards meanwhile: the caller holds their counts, or holds off all reports.
    """
    wanted = sorted(set(vehicles))
    if not wanted:
        return
    movements, ids = zip(*wanted, strict=True)
    rows = await con.fetch(SQL.overfull, movements, ids)
    over = [r for r in rows if r["excess"] > r["decided"]]
    fits = [r for r in rows if r["excess"] <= r["decided"]]
    if over:
        found = [(r[0], _conflict(r), _KIND, None, r[1], None, None) for r in over]
        await con.execute(SQL.find_conflicts, *zip(*sorted(found), strict=True))
    if fits:
        gone = [_conflict(r) for r in fits]
        await con.execute(SQL.explain_vehicles, [r["movement_id"] for r in fits], gone, moment)
    empty = [r for r in rows if r["excess"] <= 0 < r["decided"]]
    if empty:
        own = [r["vehicle_id"] for r in empty]
        await con.execute(SQL.forget_excess, [r["movement_id"] for r in empty], own)


def _conflict(row: Any) -> UUID:
    return rules.capacity_conflict_id(row["vehicle_id"], row["decisions"])
