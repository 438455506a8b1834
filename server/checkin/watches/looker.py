"""The worker's part of watches: what is due by the database's clock, in batches.

    which operations -> a batch held, which others pass over -> state, facts, words, event; commit

A worker that dies leaves a whole batch or none of it; two never hold the same watch. Whatever was
due while nobody looked is done at the next look, once.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import msgspec

from server import log, stream
from server.checkin.watches import rules, store, words
from server.checkin.watches.dark import looker as sifting
from server.checkin.watches.hand_over import looker as offers
from server.checkin.watches.rules import Turn, Watch
from server.checkin.watches.store import SQL, Line, New
from server.db import Database, retried

LOGGER = log.get("watches")
BATCH = 500
CURFEWS_S = 15.0
DARK_S = 30.0

Taken = tuple[Watch, Turn]


class Looker:
    """One worker's look at watches. `texted`: what is served beside push."""

    def __init__(self, database: Database, texted: Sequence[str] = ()) -> None:
        self._db = database
        self._texted = texted

    async def turn(self) -> bool:
        """One batch of each operation that has watches or hand-overs due. True if there may be
        more."""
        async with self._db.connection() as con:
            due = [r[0] for r in await con.fetch(SQL.operations_due)]
            offering = await offers.due(con)
        sizes: list[int] = []

        async def one(operation_id: int) -> None:
            sizes.append(await look(self._db, operation_id, self._texted))

        async def offered(operation_id: int) -> None:
            await offers.look(self._db, operation_id, self._texted)

        await _each(due, one)
        await _each(offering, offered)
        return BATCH in sizes

    async def dark(self) -> None:
        """Raises an alarm for each person that is dark, and ends those that are over."""
        async with self._db.connection() as con:
            risky = await sifting.risky(con)

        async def one(operation_id: int) -> None:
            await sifting.sift(self._db, operation_id)

        await _each(risky, one)

    async def curfews(self) -> None:
        """Makes the watches of the curfews that begin to count."""
        async with self._db.connection() as con:
            found = [r[0] for r in await con.fetch(SQL.operations_with_curfews)]

        async def one(operation_id: int) -> None:
            await expand(self._db, operation_id)

        await _each(found, one)


async def _each(operations: Sequence[int], work: Callable[[int], Awaitable[None]]) -> None:
    """Does something for each operation; one in which it fails holds up no other. Raises the last
    failure when all have had their turn."""
    failed: Exception | None = None
    for operation_id in operations:
        try:
            await work(operation_id)
        except Exception as error:
            LOGGER.exception("look_failed", operation=operation_id)
            failed = error
    if failed is not None:
        raise failed


@retried
async def look(
    db: Database, operation_id: int, texted: Sequence[str] = (), most: int = BATCH
) -> int:
    """Looks at a batch of what is due; how many it was."""
    async with db.transaction(operation_id) as con:
        rows = await con.fetch(SQL.claim, most)
        if not rows:
            return 0
        claimed = [(store.watch_of(r), r["heard_at"]) for r in rows]
        leaders = await _leaders(con, [w.person_id for w, _ in claimed if w.person_id is not None])
        now = rows[0]["now"]
        taken = [(w, _turn(w, now, heard, leaders)) for w, heard in claimed]
        await store.record(con, taken)
        await _tell(con, taken, leaders, texted)
        told = [t.watch.watch_id for _, t in taken if t.facts]
        if told:
            await stream.append(con, [store.draft(told)])
    return len(rows)


def _turn(
    watch: Watch, now: datetime, heard_at: datetime | None, leaders: dict[int, "Leaders"]
) -> Turn:
    own = leaders.get(watch.person_id or 0)
    return rules.look(watch, now, heard_at, above=own is not None and bool(own.above))


class Leaders(msgspec.Struct, frozen=True):
    """Who answers for a person, and who leads the node above."""

    leaders: list[int]
    above: list[int]


async def _leaders(con: Any, people: Sequence[int]) -> dict[int, Leaders]:
    rows = await con.fetch(SQL.leaders, sorted(set(people)))
    return {r["person_id"]: Leaders(r["leaders"], r["above"]) for r in rows}


async def _tell(
    con: Any, taken: Sequence[Taken], leaders: dict[int, Leaders], texted: Sequence[str]
) -> None:
    """Queues the words of a batch: to the people themselves, to who answers for them, to the desk.

    Who has nobody to answer for her is the duty desk's at once.
    """
    nobody = Leaders([], [])
    remind, missed, lead, above, desk = [], [], [], [], []
    for _, turn in taken:
        own, key = turn.watch.person_id, turn.watch.watch_id
        line = leaders.get(own or 0, nobody)
        if turn.remind and own is not None:
            remind.append(Line(key, own, words.REMIND))
        if turn.tell == 1 and own is not None:
            missed.append(Line(key, own, words.MISSED))
            lead += [Line(key, person, words.LEAD) for person in line.leaders]
        if turn.tell == 2:
            above += [Line(key, person, words.LEAD) for person in line.above]
        if turn.tell == rules.DESK or (turn.tell == 1 and not line.leaders):
            desk.append(key)
    within = rules.LEAD + timedelta(minutes=5)
    await store.tell(con, remind, store.REMIND, texted, within)
    await store.tell(con, missed, store.MISSED, texted)
    await store.tell(con, lead, store.LEADERS, texted)
    await store.tell(con, above, store.ABOVE, texted)
    await store.tell_desk(con, desk, texted)


@retried
async def expand(db: Database, operation_id: int) -> int:
    """Makes what the operation's curfews ask for now, by its time zone as it is now; how many
    watches."""
    made = 0
    async with db.transaction(operation_id) as con:
        zone = ZoneInfo(await con.fetchval(SQL.zone))
        curfews = await con.fetch(SQL.lock_curfews)
        now: datetime = await con.fetchval(SQL.clock)
        told: list[UUID] = []
        for curfew in curfews:
            told += await _expand_one(con, curfew, zone, now)
        made = len(told)
        if told:
            await stream.append(con, [store.draft(told)])
    return made


async def _expand_one(con: Any, curfew: Any, zone: ZoneInfo, now: datetime) -> list[UUID]:
    window = timedelta(seconds=curfew["window_s"])
    wall, last_day = curfew["wall"], curfew["last_day"]
    made: list[UUID] = []
    for day, due_at in rules.curfews_due(wall, curfew["weekdays"], window, zone, last_day, now):
        people = [r[0] for r in await con.fetch(SQL.people_of_curfew, curfew["area_id"])]
        begins_at, key = due_at - window, curfew["curfew_id"]
        if people:
            new = New(
                kind="curfew",
                names=[(uuid5(key, f"{day}:{p}"), p, None) for p in people],
                counts_from=begins_at,
                due_at=due_at.astimezone(UTC),
                grace_s=curfew["grace_s"],
                turn_at=rules.first_turn(begins_at, due_at, curfew["grace_s"]),
                now=now,
                actor=curfew["created_by"],
                note=curfew["note"],
                curfew_id=key,
                day=day,
            )
            made += await store.insert(con, new)
        await con.execute(SQL.pass_day, key, day)
    return made
