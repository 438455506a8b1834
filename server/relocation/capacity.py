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

    Nobody boards meanwhile: the caller holds their counts, or holds off all reports.
    """
    wanted = sorted(set(vehicles))
    if not wanted:
        return
    movements, ids = zip(*wanted, strict=True)
    rows = await con.fetch(SQL.overfull, movements, ids)
    over = [_key(r) for r in rows if r["boarded"] > r["seats"]]
    fits = [_key(r) for r in rows if r["boarded"] <= r["seats"]]
    if over:
        found = [(m, rules.capacity_conflict_id(v), _KIND, None, v, None, None) for m, v in over]
        await con.execute(SQL.find_conflicts, *zip(*sorted(found), strict=True))
    if fits:
        gone = [rules.capacity_conflict_id(v) for _, v in fits]
        await con.execute(SQL.explain_vehicles, [m for m, _ in fits], gone, moment)


def _key(row: Any) -> Vehicle:
    return row["movement_id"], row["vehicle_id"]
