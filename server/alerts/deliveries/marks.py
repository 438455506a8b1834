"""Notes that a way out was heard of, to some seconds: one row for all must be written seldom."""

import time
from typing import Any

from server.alerts.deliveries.store import SQL

EVERY_S = 5.0
_noted: dict[tuple[int, str, str], float] = {}


async def heard(con: Any, operation_id: int, channel: str, route: str = "") -> None:
    """Notes a receipt, in the caller's transaction and unless it did so a moment ago."""
    await _note(con, SQL.mark_receipt, operation_id, channel, route)


async def came_in(con: Any, operation_id: int, channel: str, route: str = "") -> None:
    """Notes that something came in this way, as above."""
    await _note(con, SQL.mark_inbound, operation_id, channel, route)


async def _note(con: Any, sql: str, operation_id: int, channel: str, route: str) -> None:
    key, now = (operation_id, sql, f"{channel}:{route}"), time.monotonic()
    if now - _noted.get(key, -EVERY_S) < EVERY_S:
        return
    _noted[key] = now
    await con.execute(sql, channel, route)
