"""The worker's part of dark phones: an alarm for each person, and its end."""

from typing import Any

from server import stream
from server.checkin.watches.dark.store import SQL
from server.db import Database, retried
from server.stream import Draft

AT_ONCE = 500  # alarms in an event: a whole operation may fall dark as an area is flagged


async def risky(con: Any) -> list[int]:
    """The operations that have areas of risk, or somebody dark."""
    return [r[0] for r in await con.fetch(SQL.operations)]


@retried
async def sift(db: Database, operation_id: int) -> int:
    """One look at who is dark; how many alarms are new or over. None where another is looking."""
    async with db.transaction(operation_id) as con:
        if not await con.fetchval(SQL.alone):
            return 0
        alarms = [str(r[0]) for r in await con.fetch(SQL.sift)]
        told = [alarms[n : n + AT_ONCE] for n in range(0, len(alarms), AT_ONCE)]
        if told:
            await stream.append(con, [Draft("watch", {"dark": some}) for some in told])
    return len(alarms)
