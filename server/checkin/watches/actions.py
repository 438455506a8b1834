"""What people do with watches: one function a verb, one transaction each.

A word about a watch is never refused for being late. It is on record with its three times, and
what it means is decided by `rules`.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from server import stream
from server.auth import Principal, Scope
from server.checkin.watches import rules, store
from server.checkin.watches.messages import DoneIn, ExtendIn, WatchIn
from server.checkin.watches.rules import Turn, Watch
from server.checkin.watches.store import SQL, New
from server.clock import corrected
from server.db import Database, confirm, retried
from server.errors import Clash, NotFound, refuse_field
from server.people import store as people
from server.web import plausible

NO_WATCH = "There is no such watch among those you may see."
_OTHERS = (
    "Another radio room answers for this watch. Tell that room, or wait until it is heard here."
)
_REUSED = "This id was used for another request. Make a new id."


class Held(msgspec.Struct, frozen=True):
    """A watch whose row is held, and the area whose radio room answers for it; None: the whole
    operation's desk."""

    watch: Watch
    room_id: int | None


def digest(*said: Any) -> bytes:
    """32 bytes that two requests share exactly when they say the same."""
    return hashlib.sha256(msgspec.json.encode(said)).digest()


def reused() -> Clash:
    """The refusal of an id that says something else."""
    return Clash(_REUSED, code="id_reused")


@retried
async def begin(db: Database, who: Principal, wish: WatchIn, person_id: int) -> bool:
    """Puts a watch on record; True if it is new.

    Raises BadInput for what can't be meant, Clash for an id that was used otherwise.
    """
    plausible("due_at", wish.due_at)
    if (wish.kind == "interval") != (wish.interval_s is not None):
        raise refuse_field("interval_s", "Give it for the kind interval, and for no other.")
    body = digest(person_id, wish)
    async with db.transaction(who.operation_id, lane="report") as con:
        known = await con.fetchval(SQL.known, wish.id)
        now: datetime = await con.fetchval(SQL.clock)
        made = [] if known else await store.insert(con, _new(wish, who, person_id, now, body))
        if made:
            await stream.append(con, [store.draft(made)])
            return True
        if await con.fetchval(SQL.known, wish.id) != body:
            raise reused()
        await confirm(con)
        return False


def _new(wish: WatchIn, who: Principal, person_id: int, now: datetime, body: bytes) -> New:
    """A deadline that is over already, uploaded late, is looked at at once."""
    return New(
        kind=wish.kind,
        names=[(wish.id, person_id, None)],
        counts_from=rules.covered_from(wish.kind, now, wish.due_at),
        due_at=wish.due_at,
        grace_s=wish.grace_s,
        turn_at=rules.first_turn(now, wish.due_at, wish.grace_s),
        now=now,
        actor=who.actor,
        interval_s=wish.interval_s,
        note=wish.note,
        route=wish.route,
        vehicle=wish.vehicle,
        contacts=wish.contacts,
        companions=wish.companions,
        body=body,
    )


async def done(db: Database, who: Principal, scope: Scope, watch_id: UUID, said: DoneIn) -> None:
    """It went well: the end, or of an interval the beginning of the next. Raises NotFound."""
    await _say(db, who, scope, watch_id, said, rules.report)


async def extend(
    db: Database, who: Principal, scope: Scope, watch_id: UUID, said: ExtendIn
) -> None:
    """Another deadline. Raises NotFound, BadInput."""
    plausible("due_at", said.due_at)

    def extended(watch: Watch, event_at: datetime, _: datetime) -> Turn:
        return rules.extend(watch, said.due_at, event_at)

    await _say(db, who, scope, watch_id, said, extended)


@retried
async def _say(
    db: Database,
    who: Principal,
    scope: Scope,
    watch_id: UUID,
    said: DoneIn | ExtendIn,
    means: Callable[[Watch, datetime, datetime], Turn],
) -> None:
    plausible("at", said.at)
    plausible("sent_at", said.sent_at)
    due_at = said.due_at if isinstance(said, ExtendIn) else None
    body = digest(type(said).__name__, due_at, said.at)
    async with db.transaction(who.operation_id, lane="report") as con:
        held = await hold(con, who, scope, watch_id)
        known = None if said.id is None else await con.fetchrow(SQL.said, said.id)
        if known is not None:
            if (known["watch_id"], known["body_sha256"]) != (watch_id, body):
                raise reused()
            await confirm(con)
            return
        must_answer(scope, held.room_id)
        watch = held.watch
        now: datetime = await con.fetchval(SQL.clock)
        event_at = now if said.at is None else corrected(said.at, said.sent_at, now)
        turn = means(watch, event_at, now)
        if said.id is None and _says_nothing_new(watch, turn):
            await confirm(con)
            return
        await _put(con, watch, turn, said.id, who.actor, body)
        await stream.append(con, [store.draft([watch_id])])


async def _put(
    con: Any, watch: Watch, turn: Turn, word_id: UUID | None, actor: str, body: bytes
) -> None:
    """What somebody said of a watch that is held goes on record, and does what it means."""
    [fact] = turn.facts
    await store.record(con, [(watch, msgspec.structs.replace(turn, facts=()))], actor)
    row = (watch.watch_id, word_id, fact.what, fact.round, fact.event_at, fact.due_at, fact.late)
    await con.execute(SQL.insert_said, *row, actor, body)


async def say_by_text(
    con: Any, watch_id: UUID, word_id: UUID, at: datetime, actor: str, due_at: datetime | None
) -> tuple[Watch, Watch]:
    """A text with the watch's own code: done, or with `due_at` extended, as of `at`; the watch
    before and after. The caller's transaction, and the caller tells viewers (`store.draft`)."""
    watch = store.watch_of(await con.fetchrow(SQL.lock, watch_id, None, None, actor))
    now: datetime = await con.fetchval(SQL.clock)
    turn = rules.report(watch, at, now) if due_at is None else rules.extend(watch, due_at, at)
    await _put(con, watch, turn, word_id, actor, digest(watch_id, due_at, at))
    return watch, turn.watch


def _says_nothing_new(watch: Watch, turn: Turn) -> bool:
    """A repeat without an id: it asks for what is so already."""
    [fact] = turn.facts
    return (watch.state == "done" and fact.what == "done") or (
        fact.what == "extended" and fact.due_at == watch.due_at
    )


async def hold(con: Any, who: Principal, scope: Scope, watch_id: UUID) -> Held:
    """A watch in sight, held to the commit. Raises NotFound."""
    row = await con.fetchrow(SQL.lock, watch_id, *store.seen(who, scope))
    if row is None:
        raise NotFound(NO_WATCH)
    return Held(store.watch_of(row), row["room_id"])


def must_answer(scope: Scope, room_id: int | None) -> None:
    """An operator of an area speaks for her own radio room alone; people speak for themselves, a
    desk of the whole operation for every room. Raises Clash."""
    if scope.areas is not None and room_id not in scope.areas:
        raise Clash(_OTHERS, code="other_room")


@retried
async def cancel(db: Database, who: Principal, scope: Scope, watch_id: UUID) -> None:
    """The desk ends a watch; of one that has ended nothing changes. Raises NotFound."""
    async with db.transaction(who.operation_id) as con:
        held = await hold(con, who, scope, watch_id)
        must_answer(scope, held.room_id)
        watch = held.watch
        turn = rules.cancel(watch, await con.fetchval(SQL.clock))
        if not turn.facts:
            await confirm(con)
            return
        await store.record(con, [(watch, turn)], who.actor)
        await people.audit(con, who.actor, "watch.cancel", str(watch_id))
        await stream.append(con, [store.draft([watch_id])])


def within(scope: Scope, area_id: int | None, path: str = "area") -> int:
    """An area a caller may name. Raises BadInput."""
    if area_id is None or (scope.areas is not None and area_id not in scope.areas):
        raise refuse_field(path, "There is no such area among those you may name.")
    return area_id
