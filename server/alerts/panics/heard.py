"""What a satellite messenger tells of a panic: the SOS itself, where its device is, and that the
SOS was taken back.

Taking an SOS back needs no PIN, and anybody may hold the device: it is a fact of the timeline, and
the panic stays as it is until a human ends it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from server import jobs, stream
from server.alerts.deliveries.store import queue_duty
from server.alerts.panics import store
from server.alerts.panics.press import Place, Press
from server.alerts.panics.pressing import Caller, press
from server.alerts.panics.store import SQL, Stamp
from server.alerts.panics.telling import DESK_LINE, LANE, TOLD_FOR
from server.db import Database, retried
from server.jobs import Handler, Job
from server.mailing import DESK

RAISE, HEARD, STRANGER = "panic.satellite", "panic.heard", "panic.stranger"
SOON = timedelta(seconds=1)  # a press that is on its way has come by then, or is asked for again
Spot = tuple[float, float, float | None]


class Heard(msgspec.Struct, frozen=True):
    """One message of a device: where it was, in degrees and metres, or that its SOS is over."""

    id: UUID
    at: datetime
    cancel: bool = False
    place: Spot | None = None


class Sos(msgspec.Struct, frozen=True):
    """An SOS as the reading of satellite messages hands it on (kind `panic.satellite`)."""

    press_id: UUID
    person_id: int
    actor: str
    at: datetime
    verified: bool
    place: Spot | None = None
    later: tuple[Heard, ...] = ()


class Words(msgspec.Struct, frozen=True):
    """What is no SOS (kind `panic.heard`)."""

    person_id: int
    actor: str
    items: tuple[Heard, ...]


class SatelliteJobs:
    """Handlers over one database; each may run twice, for a lease can expire."""

    def __init__(self, database: Database, served: Sequence[str]) -> None:
        self._db = database
        self._served = served

    async def sos(self, job: Job) -> None:
        """Raises a panic or joins the open one, with what the device said after it."""
        told = msgspec.convert(job.payload, Sos, strict=False)
        caller = Caller(told.person_id, told.actor, "satellite", told.verified)
        place = None if told.place is None else Place(*told.place)
        one = Press(press_id=told.press_id, at=told.at, place=place)
        await press(self._db, job.operation_id, caller, [one], self._served)
        await join(self._db, job.operation_id, told.person_id, told.actor, told.later)

    async def heard(self, job: Job) -> None:
        """Joins words to the panics they belong to; waits for an SOS of hers that is under way."""
        told = msgspec.convert(job.payload, Words, strict=False)
        async with self._db.transaction(job.operation_id, lane="panic") as con:
            if await con.fetchval(SQL.press_waits, told.person_id):
                due_at = await store.clock(con) + SOON
                key = str(told.items[0].id)
                again = (HEARD, key, job.payload, due_at, LANE)
                await jobs.enqueue(con, job.operation_id, *again)
                return
        await join(self._db, job.operation_id, told.person_id, told.actor, told.items)

    async def stranger(self, job: Job) -> None:
        """Tells the duty desk's own channels of an SOS of nobody known."""
        if DESK not in self._served:
            return
        async with self._db.transaction(job.operation_id, lane="panic") as con:
            ends = await store.clock(con) + TOLD_FOR
            await queue_duty(con, None, LANE, DESK_LINE, ends)


@retried
async def join(
    db: Database, operation_id: int, person_id: int, actor: str, items: Sequence[Heard]
) -> None:
    """Places join the trail of every panic of hers that lasts at their time; that an SOS was taken
    back stands on its timeline. What is of no panic is left. Again changes nothing."""
    if not items:
        return
    async with db.transaction(operation_id, lane="panic") as con:
        moment = await store.clock(con)
        drafts = []
        for panic in await con.fetch(SQL.panics_of, person_id, max(i.at for i in items)):
            own = [i for i in items if panic["began_at"] <= i.at]
            if await _places(con, panic["panic_id"], own, moment):
                drafts.append(store.draft(panic["panic_id"], "moved"))
            if await _taken_back(con, panic, [i for i in own if i.cancel], actor, moment):
                drafts.append(store.draft(panic["panic_id"], "cancelled_on_device"))
        if drafts:
            await stream.append(con, drafts)


async def _places(con: Any, panic_id: UUID, items: Sequence[Heard], moment: datetime) -> bool:
    rows = [(i.id, i.at, min(i.at, moment), *i.place, None) for i in items if i.place is not None]
    if not rows:
        return False
    kept = await con.fetch(SQL.insert_positions, panic_id, moment, *store.columns(rows))
    if kept:
        await con.execute(SQL.keep_position, panic_id)
    return bool(kept)


async def _taken_back(
    con: Any, panic: Any, items: Sequence[Heard], actor: str, moment: datetime
) -> bool:
    """Whether any of these is new. Nothing is told of one under duress."""
    known = {r["message"] for r in await con.fetch(SQL.known_cancels, panic["panic_id"])}
    ended_at = panic["ended_at"]
    new = [i for i in items if str(i.id) not in known and (ended_at is None or i.at <= ended_at)]
    if panic["duress"]:
        return False
    for item in new:
        times = Stamp(item.at, min(item.at, moment), moment)
        detail = {"source": "satellite", "message": str(item.id)}
        await store.fact(con, panic["panic_id"], "cancelled_on_device", times, actor, **detail)
    return bool(new)


def handlers(database: Database, served: Sequence[str]) -> dict[str, Handler]:
    """The kinds of job of satellite messengers."""
    own = SatelliteJobs(database, served)
    return {RAISE: own.sos, HEARD: own.heard, STRANGER: own.stranger}
