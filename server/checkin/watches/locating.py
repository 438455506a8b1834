"""Where somebody was last known to be: shown to desks for a reason, each reading on record."""

from typing import Any
from uuid import UUID

from server.auth import Principal, Scope
from server.checkin.watches.actions import NO_WATCH
from server.checkin.watches.messages import Reason, WatchPlace, WatchPosition
from server.checkin.watches.store import SQL
from server.db import Database, retried
from server.errors import Clash, NotFound

_TOO_EARLY = "A position is shown of who is overdue, or dark in an area of risk. Neither is so."


@retried
async def locate(
    db: Database, who: Principal, scope: Scope, watch_id: UUID, reason: Reason
) -> WatchPosition:
    """The last known position of a watch's person; that it was read, by whom and why, stands in the
    watch's timeline before it is shown. Raises NotFound, Clash."""
    async with db.transaction(who.operation_id) as con:
        row = await con.fetchrow(SQL.locate, watch_id, scope.area_list())
        if row is None:
            raise NotFound(NO_WATCH)
        if not row["due"]:
            raise Clash(_TOO_EARLY, code="not_overdue")
        await con.execute(SQL.note_reading, watch_id, row["round"], who.actor, reason)
        return WatchPosition(watch_id, _place(row))


def _place(row: Any) -> WatchPlace | None:
    if row["lat"] is None:
        return None
    return WatchPlace(row["lat"], row["lon"], row["accuracy_m"], row["event_at"], row["age_s"])
