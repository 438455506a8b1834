"""What panics do to headcounts: need_help while they last, the answers again when they are over.

Raising a panic never waits for a count: the count follows at once, by a job of the same commit.
Answers that come meanwhile know of the panic by themselves (`take_answers()`).
"""

from typing import Any
from uuid import UUID

from server import jobs, stream
from server.alerts import store as alerts
from server.alerts.members.store import Moves
from server.alerts.panics.store import SQL
from server.db import Database, retried

COUNT = "panic.count"


def job(panic_id: UUID) -> jobs.Draft:
    """The one that counts a panic in."""
    return jobs.Draft(COUNT, str(panic_id), {"panic_id": str(panic_id)}, None, 0)


@retried
async def count_in(db: Database, operation_id: int, panic_id: UUID) -> None:
    """Makes a panic's person need_help in every open actual roll call; again changes nothing."""
    async with db.transaction(operation_id) as con:
        await con.execute(SQL.hold_off_openings)
        await con.fetch(SQL.lock_answers, panic_id)
        moves = Moves()
        for alert_id, area, agency, category, was, is_now in await con.fetch(
            SQL.count_in, panic_id
        ):
            if was != is_now:
                moves.add((alert_id, area, agency, category, was), -1)
                moves.add((alert_id, area, agency, category, is_now), 1)
        drafts = await moves.write(con)
        if drafts:
            await stream.append(con, drafts)


async def hold_out_reports(con: Any) -> None:
    """Taken before a panic that counts is ended: its person's answers are read again."""
    await con.execute(alerts.SQL.hold_out_reports)


async def count_out(con: Any, person_id: int) -> list[stream.Draft]:
    """Reads again which answers of a person stand, now that her panic is over; the events."""
    moves = Moves()
    await moves.refold(con, [person_id])
    return await moves.write(con)
