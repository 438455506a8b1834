"""Vehicles that are under way and not there in time: noticed on the database's clock, told of once.

Each that departs has a job for the moment it is overdue; a change of its times moves the job. So a
worker that was dead, or whose clock is wrong, tells of it late or on time, and never twice.
"""

from collections.abc import Collection
from datetime import timedelta
from typing import Any
from uuid import UUID

from server import jobs, stream
from server.db import Database, retried
from server.mailing import DESK
from server.relocation.movements import store as movements
from server.relocation.plan.store import SQL
from server.relocation.store import draft

KIND = "movement.overdue"
GRACE = timedelta(minutes=15)
DESK_LINE = "A vehicle of a movement is overdue. Look at the desk."
_LANE = 1


async def retime(
    con: Any, operation_id: int, movement_id: UUID, vehicle_id: UUID | None, leg_id: UUID | None
) -> None:
    """After a change of a vehicle, or of a leg with all of its vehicles: when each is overdue."""
    for row in await con.fetch(SQL.under_way, movement_id, vehicle_id, leg_id):
        key = str(row["vehicle_id"])
        if row["due_at"] is None:
            await jobs.cancel(con, operation_id, KIND, key)
            continue
        about = {"movement_id": str(movement_id), "vehicle_id": key}
        due_at = row["due_at"] + GRACE
        await jobs.enqueue(con, operation_id, KIND, key, about, due_at, _LANE)


@retried
async def look(
    db: Database,
    operation_id: int,
    movement_id: UUID,
    vehicle_id: UUID,
    served: Collection[str],
) -> bool:
    """Tells of a vehicle that is overdue and has not been told of; whether it did."""
    async with db.transaction(operation_id) as con:
        number = await con.fetchval(SQL.fall_overdue, movement_id, vehicle_id, GRACE)
        if number is None:
            return False
        about = {"id": str(vehicle_id), "number": number}
        await movements.add_fact(con, movement_id, "vehicle_overdue", "system", **about)
        if DESK in served:
            await con.execute(SQL.tell_desk, DESK_LINE)
        await stream.append(con, [draft(movement_id)])
        return True
