"""One watch as its caller may see it."""

from uuid import UUID

from server.auth import Scope
from server.checkin.watches import actions, store
from server.checkin.watches.board import shown, some
from server.checkin.watches.messages import WatchOut
from server.db import Database
from server.errors import Forbidden, NotFound
from server.web import Call


async def scope(call: Call) -> Scope:
    """The caller's sight; of a phone whose person is no warden, what is hers."""
    try:
        return await call.auth.scope(call.me)
    except Forbidden:
        if call.me.kind != "device":
            raise
        return Scope(nodes=(), people=frozenset())


def knows_last(call: Call, seen: Scope) -> bool:
    """Desks and wardens see what is last known; a plain phone need not be told of itself."""
    return call.me.kind != "device" or bool(seen.nodes)


async def one(database: Database, call: Call, watch_id: UUID) -> WatchOut:
    """A watch as it stands. Raises NotFound."""
    seen = await scope(call)
    sight = store.seen(call.me, seen)
    rows = await some(database, call.me.operation_id, sight, [watch_id])
    if not rows:
        raise NotFound(actions.NO_WATCH)
    return shown(rows[0], last=knows_last(call, seen))
