"""What radio rooms do with a convoy: one function a verb, one transaction each.

The watch's row is held first, by whoever does anything about it: two rooms never have it at once.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from server import stream
from server.auth import Principal, Scope
from server.checkin.watches import actions, store
from server.checkin.watches.hand_over import rules
from server.checkin.watches.hand_over.messages import HandOverIn, HeardByIn, SettleIn
from server.checkin.watches.hand_over.rules import Offer
from server.clock import corrected
from server.db import Database, confirm, named_sql, retried
from server.errors import Clash, NotFound, refuse_field
from server.people import store as people
from server.web import plausible

SQL = named_sql(__file__)
NO_OFFER = "There is no such hand-over of this watch."
_OPEN = "It is offered to another room already. Withdraw that first."
_ENDS = {"refuse": "refused", "withdraw": "withdrawn"}


@retried
async def offer(
    db: Database, who: Principal, scope: Scope, watch_id: UUID, wish: HandOverIn
) -> bool:
    """Offers a convoy to the next room; True if it is new. The sender still answers for it.

    Raises NotFound, BadInput, Clash.
    """
    plausible("expect_by", wish.expect_by)
    body = actions.digest(watch_id, wish)
    async with db.transaction(who.operation_id) as con:
        held = await actions.hold(con, who, scope, watch_id)
        known = await con.fetchval(SQL.known, wish.id)
        if known is not None:
            if known != body:
                raise actions.reused()
            await confirm(con)
            return False
        actions.must_answer(scope, held.room_id)
        if held.watch.kind != "journey":
            raise Clash("Only a journey is handed over.", code="not_a_journey")
        if held.watch.ended:
            raise Clash("The watch has ended, and stays so.", code="watch_over")
        to_id = await _room(con, wish.to_area, held.room_id)
        if await con.fetchval(SQL.open_of, watch_id) is not None:
            raise Clash(_OPEN, code="hand_over_open")
        row = (watch_id, held.room_id, to_id, wish.expect_by, wish.note, body, who.actor)
        await con.execute(SQL.insert, wish.id, *row)
        await con.execute(SQL.take, watch_id, held.room_id)  # the sender's, whoever moves meanwhile
        await note(con, watch_id, wish.id, "offered", who.actor, due_at=wish.expect_by)
        await people.audit(con, who.actor, "watch.hand_over", str(watch_id), to=wish.to_area)
        await stream.append(con, [store.draft([watch_id])])
        return True


async def _room(con: Any, code: str | None, holder: int | None) -> int | None:
    """The room of an area, None for the whole operation's. Raises BadInput."""
    area_id = None if code is None else await people.area_id(con, code)
    if code is not None and area_id is None:
        raise refuse_field("to_area", "There is no such area.")
    if area_id == holder:
        raise refuse_field("to_area", "Its radio room holds this watch already. Name another.")
    return area_id


async def note(
    con: Any,
    watch_id: UUID,
    hand_over_id: UUID,
    what: str,
    actor: str,
    *,
    event_at: datetime | None = None,
    due_at: datetime | None = None,
    late: bool = False,
) -> None:
    """Puts into the timeline what happened to a hand-over. Raises UniqueViolationError at the
    second time."""
    await con.execute(SQL.insert_fact, watch_id, hand_over_id, what, event_at, due_at, late, actor)


@retried
async def hear(db: Database, who: Principal, scope: Scope, watch_id: UUID, said: HeardByIn) -> None:
    """The next room has heard the convoy: from now on it answers for it, and the sheet of the
    sender closes. Raises NotFound, Clash."""
    plausible("at", said.at)
    plausible("sent_at", said.sent_at)
    async with db.transaction(who.operation_id) as con:
        found = await _settled(con, who, scope, watch_id, said.hand_over, "hear")
        if found is None:
            return
        now: datetime = await con.fetchval(store.SQL.clock)
        event_at = now if said.at is None else corrected(said.at, said.sent_at, now)
        words = (said.contact, said.note, event_at, who.actor)
        await con.execute(SQL.settle, found.hand_over_id, found.state, *words)
        await con.execute(SQL.take, watch_id, found.to_area_id)
        late = event_at > found.expect_by
        await note(
            *(con, watch_id, found.hand_over_id, "heard", who.actor), event_at=event_at, late=late
        )
        await people.audit(con, who.actor, "watch.heard", str(watch_id), by=said.contact)
        await stream.append(con, [store.draft([watch_id])])


async def refuse(
    db: Database, who: Principal, scope: Scope, watch_id: UUID, said: SettleIn
) -> None:
    """The next room will not take it: the sender goes on. Raises NotFound, Clash."""
    await _end(db, who, scope, watch_id, said, "refuse")


async def withdraw(
    db: Database, who: Principal, scope: Scope, watch_id: UUID, said: SettleIn
) -> None:
    """The sender takes its offer back, and goes on. Raises NotFound, Clash."""
    await _end(db, who, scope, watch_id, said, "withdraw")


@retried
async def _end(
    db: Database, who: Principal, scope: Scope, watch_id: UUID, said: SettleIn, verb: str
) -> None:
    async with db.transaction(who.operation_id) as con:
        found = await _settled(con, who, scope, watch_id, said.hand_over, verb)
        if found is None:
            return
        words = (None, said.note, None, who.actor)
        await con.execute(SQL.settle, found.hand_over_id, found.state, *words)
        await note(con, watch_id, found.hand_over_id, _ENDS[verb], who.actor)
        await people.audit(con, who.actor, f"watch.{verb}", str(watch_id))
        await stream.append(con, [store.draft([watch_id])])


async def _settled(
    con: Any, who: Principal, scope: Scope, watch_id: UUID, hand_over_id: UUID, verb: str
) -> Offer | None:
    """The offer as the verb leaves it; None where the verb was carried out before.

    Raises NotFound, and Clash where it was settled otherwise or is another room's to settle.
    """
    await actions.hold(con, who, scope, watch_id)
    row = await con.fetchrow(SQL.lock, hand_over_id, watch_id)
    if row is None:
        raise NotFound(NO_OFFER)
    was = Offer(**row)
    actions.must_answer(scope, was.from_area_id if verb == "withdraw" else was.to_area_id)
    new = rules.settle(was, verb)
    if new is not None:
        return new
    if was.state != rules.TRANSITIONS[verb]["offered"]:
        detail = f"This hand-over is {was.state} and stays so. Look who holds the watch now."
        raise Clash(detail, code="hand_over_settled")
    await confirm(con)
    return None
