"""What no job is left for is taken up again: an alert never stands still because a row was lost.

A job is written in the transaction that makes it necessary and ends with what it did. Should one
be gone all the same, what must still be done is on record, and a job is made of that.
"""

from datetime import timedelta

import msgspec

from server import log
from server.alerts import rules, store
from server.alerts.store import SQL
from server.db import Database

LOGGER = log.get("alerts")
EVERY_S = 60.0
FORGOTTEN = timedelta(minutes=1)  # an opening has its job from its own commit on


async def sweep(db: Database) -> None:
    """Housekeeping: looks at every operation."""
    for operation_id in await db.operations():
        await sweep_turns(db, operation_id)
        await sweep_openings(db, operation_id)


async def sweep_turns(db: Database, operation_id: int) -> None:
    """Makes the job again that takes the steps of an alert."""
    async with db.transaction(operation_id) as con:
        for row in await con.fetch(SQL.forgotten_turns):
            alert_id, lane = row["alert_id"], rules.SEVERITY_LANE[row["severity"]]
            LOGGER.error("job_missing", kind="alert.escalate", alert=str(alert_id))
            await store.enqueue(con, operation_id, "alert.escalate", alert_id, lane=lane)


async def sweep_openings(db: Database, operation_id: int) -> None:
    """Makes the job again that opens an alert, as it was first told."""
    async with db.transaction(operation_id) as con:
        for row in await con.fetch(SQL.forgotten_openings, FORGOTTEN):
            alert_id, lane = row["alert_id"], rules.SEVERITY_LANE[row["severity"]]
            told = row["opening"]
            LOGGER.error(
                "job_missing", kind="alert.prepare", alert=str(alert_id), known=told is not None
            )
            if told is not None:  # else nobody knows whom its maker may address
                job = msgspec.json.decode(told)
                await store.enqueue(con, operation_id, "alert.prepare", alert_id, lane=lane, **job)
