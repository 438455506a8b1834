"""Where a call for help was made: shown to desks for a reason, each reading on record."""

from uuid import UUID

from server.auth import Principal, Scope
from server.checkin.messages import Location
from server.checkin.sms.actions import NO_CALL
from server.checkin.sms.messages import HelpAccess, HelpPosition, Reason
from server.checkin.sms.store import SQL
from server.db import Database, retried
from server.errors import NotFound


@retried
async def locate(
    db: Database, who: Principal, scope: Scope, help_id: UUID, reason: Reason
) -> HelpPosition:
    """Where a call for help was made, and its words. Who read it and why is on record before it is
    shown. Raises NotFound."""
    async with db.transaction(who.operation_id) as con:
        row = await con.fetchrow(SQL.help_place, help_id, scope.area_list())
        if row is None:
            raise NotFound(NO_CALL)
        await con.execute(SQL.note_help_access, help_id, who.actor, reason)
        access = [HelpAccess(**r) for r in await con.fetch(SQL.help_access, help_id)]
    place = None if row["lat"] is None else Location(row["lat"], row["lon"])
    return HelpPosition(help_id, place, row["body"], access)
