"""Words about a panic: to the duty desk's channels, to wardens, and again until somebody has it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from server import jobs, stream
from server.alerts.deliveries.store import queue_duty
from server.alerts.panics import rules, store
from server.alerts.panics.rules import Reach
from server.alerts.panics.store import SQL
from server.db import Database, retried
from server.mailing import DESK

LANE = 0
DESK_LINE = "somebody called for help. Look at the console now."
TOLD_FOR = timedelta(hours=1)
REALERT = "panic.realert"


async def tell(
    con: Any, panic_id: UUID, person_id: int, number: int, to: Reach, served: Sequence[str]
) -> int:
    """Queues a word by all the ways at once; how many leaders it goes to.

    Where her own node has nobody but herself, it goes to the node above.
    """
    if to.desk and DESK in served:
        ends = await store.clock(con) + TOLD_FOR
        await queue_duty(con, None, LANE, DESK_LINE, ends, panic_id)
    if not to.leaders:
        return 0
    args = (panic_id, person_id, number, list(served), to.above)
    return int(await con.fetchval(SQL.tell_leaders, *args))


@retried
async def realert(db: Database, operation_id: int, panic_id: UUID, served: Sequence[str]) -> None:
    """Tells of a panic once more, to more than before, if nobody has it and it is time."""
    async with db.transaction(operation_id, lane="panic") as con:
        found = await store.lock(con, panic_id)
        if found is None or found.state != "open" or not found.due:
            return
        number = found.round + 1
        to = rules.reach(number, found.kind)
        leaders = await tell(con, panic_id, found.person_id, number, to, served)
        after = rules.due_after(number + 1)
        due_at = await con.fetchval(SQL.realerted, panic_id, number, after)
        await jobs.enqueue_all(con, operation_id, [job(panic_id, due_at)])
        times = store.now(await store.clock(con))
        detail = {"round": number, "leaders": leaders}
        await store.fact(con, panic_id, "told_again", times, "system", **detail)
        await stream.append(con, [store.draft(panic_id, "told_again")])


def job(panic_id: UUID, due_at: datetime) -> jobs.Draft:
    """The next re-alert."""
    return jobs.Draft(REALERT, str(panic_id), {"panic_id": str(panic_id)}, due_at, LANE)


async def stop(con: Any, operation_id: int, panic_id: UUID) -> None:
    """Nothing more is said of a panic that is over."""
    await con.execute(SQL.stop_telling, panic_id)
    await hush(con, operation_id, panic_id)


async def hush(con: Any, operation_id: int, panic_id: UUID) -> None:
    """No more re-alerts: somebody has it."""
    await jobs.cancel(con, operation_id, REALERT, str(panic_id))
