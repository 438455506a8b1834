"""The PIN that takes a panic back, and the one that only seems to.

Both are always asked, whatever the first one says, and what follows is the same statements: the
worker alone learns from a job which of the two it was, and raises the silent panic.
"""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import argon2
import msgspec

from server import jobs, stream
from server.alerts.panics import rules, store, telling
from server.alerts.panics.actions import own
from server.alerts.panics.store import SQL
from server.auth import Principal, Scope
from server.db import Database, retried
from server.errors import Clash, Forbidden, NotFound, refuse_field
from server.people.attempts import Attempts
from server.people.rules import storable
from server.people.store import audit

SETTLE = "panic.pin_given"
WRONG_AT_ONCE = 5
WRONG_REFILL_S = 60.0
AT_ONCE = 2  # argon2 takes memory and a processor for some 50 ms
_HASHER = argon2.PasswordHasher()


class Given(msgspec.Struct, frozen=True):
    """What a PIN was: right, or right for duress; neither is wrong."""

    normal: bool
    duress: bool

    @property
    def right(self) -> bool:
        """Whether it opens what it was asked for."""
        return self.normal or self.duress


class Pins:
    """The PINs of all persons, over one database. Wrong ones are counted for each of them."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._attempts = Attempts(WRONG_AT_ONCE, WRONG_REFILL_S)
        self._room = asyncio.Semaphore(AT_ONCE)

    async def put(self, who: Principal, pin: str, duress_pin: str, old: str | None) -> None:
        """Sets both PINs. Raises BadInput where they are alike, Forbidden for a wrong old one."""
        if pin == duress_pin:
            raise refuse_field("duress_pin", "Choose another one than the PIN.")
        known = await self._known(who)
        given = Given(normal=False, duress=False)
        if known is not None:
            given = await self._ask(who, known, old or "")
        async with self._room:
            hashes = await asyncio.to_thread(_hashes, pin, duress_pin)
        was = None if known is None else known[0]
        await put(self._db, who, hashes, was, given.duress)

    async def reset(self, who: Principal, scope: Scope, ref: str) -> None:
        """Forgets both PINs of a person who forgot hers; she sets others without the old one.

        A desk of the whole operation may. Raises NotFound, Forbidden.
        """
        if not scope.whole:
            raise Forbidden("Ask a desk of the whole operation.")
        await reset(self._db, who, ref)

    async def verify(self, who: Principal, pin: str) -> None:
        """Asks whether a PIN opens the app. The duress PIN does all the same.

        Raises Clash (`pin_not_set`), Forbidden (`pin_wrong`), TooMany, as taking back does.
        """
        given = await self._ask(who, await self._set(who), pin)
        await verify(self._db, who, given.duress)

    async def cancel(self, who: Principal, named: UUID, pin: str) -> tuple[UUID, str]:
        """Takes the caller's own panic back; its id and state. The duress PIN does all the same.

        Raises NotFound, Clash (`pin_not_set`), Forbidden (`pin_wrong`), TooMany.
        """
        async with self._db.transaction(who.operation_id, lane="panic") as con:
            await own(con, who, named)
        known = await self._set(who)
        try:
            given = await self._ask(who, known, pin)
        except Forbidden:
            await wrong_pin(self._db, who, named)
            raise
        return await cancel(self._db, who, named, given.duress)

    async def _set(self, who: Principal) -> tuple[str, str]:
        """Both PINs. Raises Clash where there are none."""
        known = await self._known(who)
        if known is None:
            raise Clash("Set a PIN first, or tell the desk.", code="pin_not_set")
        return known

    async def _known(self, who: Principal) -> tuple[str, str] | None:
        async with self._db.transaction(who.operation_id, lane="panic") as con:
            row = await con.fetchrow(SQL.pins, who.person_id)
        return None if row is None else (row["pin_hash"], row["duress_hash"])

    async def _ask(self, who: Principal, known: tuple[str, str], pin: str) -> Given:
        """Which PIN it is. Raises Forbidden for neither, TooMany after too many of those."""
        key = f"pin:{who.operation_id}:{who.person_id}"
        self._attempts.check(key)
        async with self._room:
            given = await asyncio.to_thread(_verified, known, pin)
        if not given.right:
            self._attempts.failed(key)
            raise Forbidden("This is not the PIN.", code="pin_wrong")
        return given


def _hashes(pin: str, duress_pin: str) -> tuple[str, str]:
    return _HASHER.hash(pin), _HASHER.hash(duress_pin)


def _verified(known: tuple[str, str], pin: str) -> Given:
    """Asks both, always, in the same order: the time says nothing."""
    return Given(_is(known[0], pin), _is(known[1], pin))


def _is(kept: str, pin: str) -> bool:
    try:
        return _HASHER.verify(kept, pin)
    except argon2.exceptions.VerificationError:
        return False


@retried
async def put(
    db: Database, who: Principal, hashes: tuple[str, str], was: str | None, duress: bool
) -> None:
    """One transaction: both PINs, the audit row, and the job that settles what the old one was."""
    async with db.transaction(who.operation_id) as con:
        if await con.fetchval(SQL.put_pins, who.person_id, *hashes, who.actor, was) is None:
            raise Forbidden("This is not the PIN.", code="pin_wrong")
        await audit(con, who.actor, "pin.set", f"device:{who.device_id}")
        await _settle(con, who, duress, None)


@retried
async def reset(db: Database, who: Principal, ref: str) -> None:
    """One transaction: the PINs are gone, and who had them forgotten is on record."""
    async with db.transaction(who.operation_id) as con:
        were = await con.fetchval(SQL.drop_pins, ref) if storable(ref) else None
        if were is None:
            raise NotFound("There is no such person.")
        await audit(con, who.actor, "pin.reset", ref)


@retried
async def verify(db: Database, who: Principal, duress: bool) -> None:
    """One transaction: the job that settles which PIN it was, whichever it was."""
    async with db.transaction(who.operation_id, lane="panic") as con:
        await _settle(con, who, duress, None)


@retried
async def cancel(db: Database, who: Principal, named: UUID, duress: bool) -> tuple[UUID, str]:
    """One transaction: the panic is taken back, and the job that settles which PIN it was."""
    async with db.transaction(who.operation_id, lane="panic") as con:
        found = await own(con, who, named)
        moment = await store.clock(con)
        await _settle(con, who, duress, found.panic_id)
        if found.state not in rules.LIVE:
            return found.panic_id, found.state
        after = rules.step(found.state, "cancel")
        await con.execute(SQL.end, found.panic_id, after, None, None, None)
        await telling.stop(con, who.operation_id, found.panic_id)
        within = rules.in_countdown(found.event_at, moment)
        times = store.now(moment)
        await store.fact(
            con, found.panic_id, "cancelled", times, who.actor, within_countdown=within
        )
        await stream.append(con, [store.draft(found.panic_id, "cancelled")])
    return found.panic_id, after


@retried
async def wrong_pin(db: Database, who: Principal, named: UUID) -> None:
    """Notes on the timeline that somebody tried; a desk should know."""
    async with db.transaction(who.operation_id, lane="panic") as con:
        found = await own(con, who, named)
        times = store.now(await store.clock(con))
        await store.fact(con, found.panic_id, "wrong_pin", times, who.actor)
        await stream.append(con, [store.draft(found.panic_id, "wrong_pin")])


async def _settle(con: Any, who: Principal, duress: bool, panic_id: UUID | None) -> None:
    """Writes the job that tells the two PINs apart; the same row for either but for one word."""
    press_id = str(uuid4())
    payload = {
        "press_id": press_id,
        "person_id": who.person_id,
        "actor": who.actor,
        "after": None if panic_id is None else str(panic_id),
        "duress": duress,
    }
    await jobs.enqueue(con, who.operation_id, SETTLE, press_id, payload, None, telling.LANE)
