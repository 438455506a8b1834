"""Hand-overs of convoys over HTTP."""

from collections.abc import Callable
from typing import Any

import msgspec

from server.checkin.watches import reading
from server.checkin.watches.hand_over import actions
from server.checkin.watches.hand_over.actions import SQL
from server.checkin.watches.hand_over.messages import HandOverIn, HeardByIn, SettleIn
from server.checkin.watches.messages import HandOverOut, WatchOut
from server.db import Database
from server.web import Call, Endpoint, Reply


class HandOvers:
    """The handlers. `wake`: something new is on record for viewers of an operation."""

    def __init__(self, database: Database, wake: Callable[[int], None]) -> None:
        self._db = database
        self._wake = wake

    async def offer(self, call: Call) -> Reply:
        """A convoy is offered to the next radio room."""
        watch_id, scope = call.uuid("watch_id"), await call.auth.scope(call.me)
        made = await actions.offer(self._db, call.me, scope, watch_id, call.body)
        self._wake(call.me.operation_id)
        return Reply(201 if made else 200, await reading.one(self._db, call, watch_id))

    async def hear(self, call: Call) -> Reply:
        """The next room has heard it."""
        return await self._settle(call, actions.hear)

    async def refuse(self, call: Call) -> Reply:
        """The next room will not take it."""
        return await self._settle(call, actions.refuse)

    async def withdraw(self, call: Call) -> Reply:
        """The sender takes its offer back."""
        return await self._settle(call, actions.withdraw)

    async def _settle(self, call: Call, verb: Any) -> Reply:
        watch_id, scope = call.uuid("watch_id"), await call.auth.scope(call.me)
        await verb(self._db, call.me, scope, watch_id, call.body)
        self._wake(call.me.operation_id)
        rows = await self._db.fetch(call.me.operation_id, SQL.face, call.body.hand_over)
        return Reply(200, msgspec.json.decode(rows[0]["face"], type=HandOverOut))


def endpoints(database: Database, wake: Callable[[int], None]) -> list[Endpoint]:
    """The calls of this room."""
    room = HandOvers(database, wake)
    own, steer, shown = "/v1/watches/{watch_id}", "watch.steer", {200: HandOverOut}
    return [
        Endpoint(
            "POST",
            f"{own}/hand-over",
            room.offer,
            "Offer a convoy to the next radio room; the sender answers for it until it is heard",
            steer,
            {201: WatchOut, 200: WatchOut},
            body=HandOverIn,
        ),
        Endpoint(
            "POST",
            f"{own}/heard",
            room.hear,
            "The next radio room has heard the convoy, and answers for it from now on",
            steer,
            shown,
            body=HeardByIn,
        ),
        Endpoint(
            "POST",
            f"{own}/refuse",
            room.refuse,
            "The next radio room will not take the convoy",
            steer,
            shown,
            body=SettleIn,
        ),
        Endpoint(
            "POST",
            f"{own}/withdraw",
            room.withdraw,
            "Take back the offer of a convoy",
            steer,
            shown,
            body=SettleIn,
        ),
    ]
