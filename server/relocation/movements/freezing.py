"""Who is in a movement is listed once: nothing reported meanwhile is lost.

Three transactions, each repeatable, as the opening of an alert: `list_people` writes people and
cells while reports go on, which are only recorded; `learn` lets the planner know; `finish` holds
off reports for an instant and reads what was said of its people since.
"""

from collections import Counter
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from server import log, stream
from server.db import Database, retried
from server.errors import Unavailable
from server.relocation import actions, rules
from server.relocation.movements import store
from server.relocation.movements.store import SQL
from server.relocation.store import SQL as REPORTS
from server.relocation.store import add, all_of_theirs, draft, hold_standings, move_stages

LOGGER = log.get("relocation")


async def freeze(db: Database, operation_id: int, movement_id: UUID) -> None:
    """Lists the people of a movement and takes in what was said of them already."""
    await list_people(db, operation_id, movement_id)
    await learn(db, operation_id)
    await finish(db, operation_id, movement_id)


@retried
async def list_people(db: Database, operation_id: int, movement_id: UUID) -> None:
    """Writes people and cells once; a repeat finds them and does nothing."""
    async with db.transaction(operation_id) as con:
        await con.execute(SQL.hold_off_merges)
        locked = await store.lock(con, movement_id)
        if locked is None or locked.state != "preparing":
            return
        if await con.fetchval(SQL.has_people, movement_id):
            return
        asked = locked.audience
        await con.execute(SQL.list_areas, movement_id, asked["origins"], asked["within"])
        await con.execute(SQL.list_people, movement_id, asked["people"], None)
        await con.execute(SQL.fill_cells, movement_id)


async def learn(db: Database, operation_id: int) -> None:
    """Has the fresh people counted by the planner, unless that must be waited for."""
    try:
        async with db.transaction(operation_id) as con:
            await con.execute(SQL.learn_shortly)
            await con.execute(SQL.learn)
    except (asyncpg.LockNotAvailableError, Unavailable) as error:
        LOGGER.warning("people_not_learned", kind=type(error).__name__)


@retried
async def finish(db: Database, operation_id: int, movement_id: UUID) -> None:
    """From here on each report moves its person at once."""
    async with db.transaction(operation_id) as con:
        locked = await store.lock(con, movement_id)
        if locked is None or locked.state != "preparing":
            return
        await con.execute(REPORTS.hold_out_reports)
        drafts = await take_in(con, movement_id)
        await con.execute(SQL.mark, movement_id, "planned")
        await store.add_fact(con, movement_id, "people_listed", "system")
        await stream.append(con, [*drafts, draft(movement_id)])
    LOGGER.info("movement_listed", movement=str(movement_id))


async def take_in(con: Any, movement_id: UUID) -> list[stream.Draft]:
    """What was reported while people were being listed, while reports are held off; the events."""
    moment: datetime = await con.fetchval(SQL.clock)
    who = [(movement_id, r[0]) for r in await con.fetch(SQL.reported, movement_id)]
    if not who:
        return []
    joined = await add(con, who, "reported")
    await move_stages(con, Counter(cell for _, cell in joined))
    people = await hold_standings(con, who)
    folded = {w: rules.fold(said) for w, said in (await all_of_theirs(con, who)).items()}
    stands = {w: standing for w, (standing, _) in folded.items()}
    conflicts = [(*w, c) for w, (_, found) in folded.items() for c in found]
    # what a merge found meanwhile, before all was read
    ids, persons = zip(*who, strict=True)
    still = [c.conflict_id for _, _, c in conflicts]
    await con.execute(REPORTS.explain_conflicts, ids, persons, [None] * len(who), still, moment)
    return await actions.settle(con, people, stands, conflicts, moment)
