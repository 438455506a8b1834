"""Positions expire: exact for 72 hours, coarse until 30 days after the end, then gone (promise 16).

Of every domain, in one place: whoever adds a table with degrees adds its steps here, or a test
fails. Each step takes what is due by the database's clock, a batch a transaction, and finds nothing
more to do when it is run again.
"""

from server.db import Database, named_sql, retried

SQL = named_sql(__file__)
EVERY_S = 600.0
BATCH = 1000
STEPS = (
    "coarsen_positions",
    "drop_positions",
    "coarsen_checkins",
    "drop_checkins",
    "drop_answers",
    "coarsen_trails",
    "drop_trails",
    "coarsen_calls",
    "drop_calls",
    "clear_texts",
    "forget_messages",
    "coarsen_messages",
    "drop_messages",
    "drop_moves",
    "clear_messages",
    "coarsen_jobs",
    "drop_jobs_places",
)


async def expire(db: Database) -> None:
    """Housekeeping: takes every step in every operation, until nothing is due."""
    for operation_id in await db.operations():
        for name in STEPS:
            while await take(db, operation_id, name) == BATCH:
                pass


@retried
async def take(db: Database, operation_id: int, name: str) -> int:
    """One batch of one step; how many rows it was. What is held elsewhere waits for the next."""
    async with db.transaction(operation_id) as con:
        return len(await con.fetch(SQL.blocks[name], BATCH))
