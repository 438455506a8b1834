"""The plan of a movement over HTTP."""

from collections.abc import Callable
from typing import Any

from server.db import Database
from server.errors import NotFound
from server.relocation.movements import store as movements
from server.relocation.plan import actions, store
from server.relocation.plan.messages import (
    FunctionIn,
    FunctionOut,
    Functions,
    LegIn,
    LegOut,
    PointIn,
    PointOut,
    VehicleIn,
    VehicleOut,
)
from server.web import Call, Endpoint, Reply, plausible

ONE = "/v1/movements/{movement_id}"


class Plans:
    """The handlers."""

    def __init__(self, database: Database, wake: Callable[[int], None]) -> None:
        self._db = database
        self._wake = wake

    async def point(self, call: Call) -> Reply:
        """A point as it is to be."""
        found = store.points
        return await self._put(
            call, "point_id", actions.put_point, lambda c, m, k: found(c, m, [k])
        )

    async def leg(self, call: Call) -> Reply:
        """A leg as it is to be."""
        plausible("departs_at", call.body.departs_at)
        plausible("arrives_at", call.body.arrives_at)
        return await self._put(call, "leg_id", actions.put_leg, store.legs)

    async def vehicle(self, call: Call) -> Reply:
        """A vehicle as it is to be."""
        plausible("departed_at", call.body.departed_at)
        plausible("arrived_at", call.body.arrived_at)
        found = store.vehicles
        return await self._put(
            call, "vehicle_id", actions.put_vehicle, lambda c, m, k: found(c, m, [k])
        )

    async def function(self, call: Call) -> Reply:
        """Critical work as it is to be."""
        return await self._put(call, "function_id", actions.put_function, store.functions)

    async def _put(self, call: Call, name: str, verb: Any, read: Any) -> Reply:
        movement_id, key = call.uuid("movement_id"), call.uuid(name)
        scope = await call.auth.scope(call.me)
        made = await verb(self._db, call.me, scope, movement_id, key, call.body)
        self._wake(call.me.operation_id)
        async with self._db.transaction(call.me.operation_id) as con:
            [value] = await read(con, movement_id, key)
        return Reply(201 if made else 200, value)

    async def functions(self, call: Call) -> Reply:
        """The critical work of the people who move, and what is uncovered."""
        scope = await call.auth.scope(call.me)
        if scope.people is not None:
            raise NotFound(movements.NO_MOVEMENT)
        movement_id = call.uuid("movement_id")
        async with self._db.transaction(call.me.operation_id) as con:
            await movements.must_see(con, movements.sight_of(call.me, scope), movement_id)
            kept = await store.functions(con, movement_id, areas=scope.area_list())
            return Reply(200, Functions(kept))


def endpoints(database: Database, wake: Callable[[int], None]) -> list[Endpoint]:
    """The calls of a plan."""
    room = Plans(database, wake)
    puts: list[tuple[str, Any, str, Any, Any]] = [
        ("points/{point_id}", room.point, "A point of a movement", PointIn, PointOut),
        ("legs/{leg_id}", room.leg, "A leg of a movement", LegIn, LegOut),
        ("vehicles/{vehicle_id}", room.vehicle, "A vehicle of a leg", VehicleIn, VehicleOut),
        (
            "functions/{function_id}",
            room.function,
            "Critical work, its keeper and deputies",
            FunctionIn,
            FunctionOut,
        ),
    ]
    own = [
        Endpoint("PUT", f"{ONE}/{path}", handler, text, "movement.plan", {201: out, 200: out}, body)
        for path, handler, text, body, out in puts
    ]
    return [
        *own,
        Endpoint(
            "GET",
            f"{ONE}/functions",
            room.functions,
            "Which critical work goes on, and what is uncovered",
            "movement.functions",
            {200: Functions},
        ),
    ]
