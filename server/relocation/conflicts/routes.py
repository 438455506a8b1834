"""Conflicts over HTTP."""

from collections.abc import Callable

from server.db import Database
from server.paging import Page
from server.relocation.conflicts import actions
from server.relocation.conflicts.messages import ConflictOut, ConflictsQuery, ResolveIn
from server.relocation.movements import store as movements
from server.relocation.plan.known import Plan
from server.web import Call, Endpoint, Reply

OWN = "/v1/movements/{movement_id}/conflicts"


class Conflicts:
    """The handlers."""

    def __init__(self, database: Database, wake: Callable[[int], None]) -> None:
        self._db = database
        self._wake = wake
        self._plan = Plan()

    async def listed(self, call: Call) -> Reply:
        """The conflicts of a movement, newest first."""
        sight = movements.sight_of(call.me, await call.auth.scope(call.me))
        seen = (call.me.operation_id, sight, call.uuid("movement_id"))
        return Reply(200, await actions.listed(self._db, *seen, call.query))

    async def resolve(self, call: Call) -> Reply:
        """A human's decision."""
        scope = await call.auth.scope(call.me)
        ids = (call.uuid("movement_id"), call.uuid("conflict_id"))
        made = await actions.resolve(self._db, self._plan, call.me, scope, *ids, call.body)
        self._wake(call.me.operation_id)
        sight = movements.sight_of(call.me, scope)
        shown = await actions.shown(self._db, call.me.operation_id, sight, *ids)
        return Reply(201 if made else 200, shown)


def endpoints(database: Database, wake: Callable[[int], None]) -> list[Endpoint]:
    """The calls of conflicts."""
    room = Conflicts(database, wake)
    return [
        Endpoint(
            "GET",
            OWN,
            room.listed,
            "Contradictions between reports, with both and who made them",
            "movement.read",
            {200: Page[ConflictOut]},
            query=ConflictsQuery,
        ),
        Endpoint(
            "POST",
            f"{OWN}/{{conflict_id}}/resolve",
            room.resolve,
            "Decide a conflict: the decision is a report of its own",
            "movement.resolve",
            {201: ConflictOut, 200: ConflictOut},
            body=ResolveIn,
        ),
    ]
