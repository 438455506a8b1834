"""Colleagues near somebody who calls for help, where the operation wants them told.

    press or position -> a job of the same commit -> who is near -> helpers, words, fact, event

It is a job, and no part of the press: in a city every colleague stands in the squares that are
looked through, and a call for help waits for no reckoning of distances. Who is near is read before
the panic's row is held, so that nothing that comes of the same panic waits for it either.
"""

from typing import Any
from uuid import UUID

import msgspec

from server import jobs, stream
from server.alerts.channels.wording import NEARBY_TEXT
from server.alerts.panics import rules, store, telling
from server.alerts.panics.messages import PanicSettings
from server.alerts.panics.store import SQL
from server.auth import Principal
from server.db import Database, retried
from server.people.store import audit

NEARBY = "panic.nearby"
_TEXTS = msgspec.json.encode(NEARBY_TEXT).decode()


async def enqueue(con: Any, operation_id: int, panic_id: UUID) -> None:
    """Writes the job that looks for colleagues, where they are wanted and none was told yet."""
    if await con.fetchval(SQL.nearby_wanted, panic_id):
        payload = {"panic_id": str(panic_id)}
        about = (operation_id, NEARBY, str(panic_id), payload)
        await jobs.enqueue(con, *about, None, telling.LANE)


async def look(db: Database, operation_id: int, panic_id: UUID, served: list[str]) -> None:
    """Tells those who are near a panic that counts, once; nobody where nobody is."""
    async with db.transaction(operation_id, lane="panic") as con:
        spot = await con.fetchrow(SQL.spot, panic_id)
        if spot is None:
            return
        place = (spot["lat"], spot["lon"])
        squares = rules.squares(*place, spot["nearby_m"])
        about = (spot["person_id"], *squares, *place, spot["nearby_m"], served)
        near = await con.fetch(SQL.near, *about, rules.MOST_NEARBY)
    if near:
        off = {r["person_id"]: rules.rounded(r["distance_m"]) for r in near}
        await tell(db, operation_id, panic_id, off, served)


@retried
async def tell(
    db: Database, operation_id: int, panic_id: UUID, off: dict[int, int], served: list[str]
) -> None:
    """One transaction: who was told and how far off they were, the words, the fact, the event."""
    async with db.transaction(operation_id, lane="panic") as con:
        found = await store.lock(con, panic_id)
        if found is None or not await con.fetchval(SQL.nearby_wanted, panic_id):
            return
        await con.execute(SQL.insert_helpers, panic_id, list(off), list(off.values()))
        others = [r[0] for r in await con.fetch(SQL.untold, panic_id, list(off))]
        await con.execute(SQL.tell, panic_id, others, 0, served, _TEXTS)
        times = store.now(await store.clock(con))
        await store.fact(con, panic_id, "nearby_told", times, "system", colleagues=len(off))
        await stream.append(con, [store.draft(panic_id, "nearby_told")])


async def settings(db: Database, operation_id: int) -> PanicSettings:
    """What an operation wants of its panics."""
    async with db.transaction(operation_id) as con:
        row = await con.fetchrow(SQL.settings)
    return PanicSettings() if row is None else PanicSettings(**row)


@retried
async def put_settings(db: Database, who: Principal, wanted: PanicSettings) -> None:
    """One transaction: the settings, and who set them."""
    async with db.transaction(who.operation_id) as con:
        await con.execute(SQL.put_settings, wanted.nearby_m, wanted.desk_phone, who.actor)
        about = (who.actor, "panic.settings", "operation")
        await audit(con, *about, nearby_m=wanted.nearby_m)
