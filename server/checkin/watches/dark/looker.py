"""The worker's part of dark phones: an alarm for each person, and its end."""

from typing import Any

from server import stream
from server.checkin.watches.dark.store import SQL
from server.db import Database, retried
from server.stream import Draft


async def risky(con: Any) -> list[int]:
    """The operations that have areas of risk, or somebody dark."""
    return [r[0] for r in await con.fetch(SQL.operations)]


@retried
async def sift(db: Database, operation_id: int) -> int:
    """One look at who is dark; how many alarms are new or over."""
    async with db.transaction(operation_id) as con:
        alarms = [str(r[0]) for r in await con.fetch(SQL.sift)]
        if alarms:
            await stream.append(con, [Draft("watch", {"dark": alarms})])
    return len(alarms)
