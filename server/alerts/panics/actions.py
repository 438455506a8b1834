"""What a desk does about a panic, and what a phone adds to it: one transaction each."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from server import stream
from server.alerts.panics import counting, nearby, rules, store, telling
from server.alerts.panics.messages import PositionIn
from server.alerts.panics.store import SQL, Locked
from server.auth import Principal, Scope
from server.clock import corrected
from server.db import Database, confirm, retried
from server.errors import Clash, NotFound, refuse_field

NO_PANIC = "There is no such panic."


async def seen(con: Any, scope: Scope, panic_id: UUID) -> Locked:
    """One panic in the caller's sight, held until the commit. Raises NotFound."""
    if await con.fetchrow(SQL.in_sight, panic_id, *store.sight_of(scope)) is None:
        raise NotFound(NO_PANIC)
    found = await store.lock(con, panic_id)
    if found is None:
        raise NotFound(NO_PANIC)
    return found


async def own(con: Any, who: Principal, named: UUID) -> Locked:
    """A panic of the caller's own, by the id of any of its presses, held until the commit."""
    panic_id = await con.fetchval(SQL.panic_of, named, who.person_id)
    found = None if panic_id is None else await store.lock(con, panic_id)
    if found is not None and found.state not in rules.LIVE:  # a merge may have let it go on
        goes_on = await con.fetchval(SQL.panic_of, named, who.person_id)
        found = found if goes_on == panic_id else await store.lock(con, goes_on)
    if found is None or found.duress:  # of which her phone knows nothing
        raise NotFound(NO_PANIC)
    return found


def _operator(who: Principal) -> int:
    assert who.operator_id is not None  # noqa: S101 - the roles that may are operators'
    return who.operator_id


@retried
async def acknowledge(db: Database, who: Principal, scope: Scope, panic_id: UUID) -> bool:
    """The caller has it from now on; False if she had before. Re-alerts end.

    Raises NotFound, or Clash where it is over or somebody else has it.
    """
    async with db.transaction(who.operation_id, lane="panic") as con:
        found = await seen(con, scope, panic_id)
        rules.step(found.state, "acknowledge")
        if found.state == "acknowledged":
            if found.owner_id != _operator(who):
                raise Clash("Somebody else has this panic. Hand it over.", code="panic_owned")
            await confirm(con)
            return False
        await con.execute(SQL.own, panic_id, _operator(who))
        await telling.hush(con, who.operation_id, panic_id)
        await _done(con, who, panic_id, "acknowledged", "acknowledge")
    return True


@retried
async def hand_over(
    db: Database, who: Principal, scope: Scope, panic_id: UUID, operator_id: int
) -> bool:
    """Another operator has it from now on; False if she had before.

    Raises NotFound, Clash, or BadInput (`operator`) for one who cannot see it.
    """
    async with db.transaction(who.operation_id, lane="panic") as con:
        found = await seen(con, scope, panic_id)
        rules.step(found.state, "hand_over")
        await _able(con, found, operator_id)
        if found.owner_id == operator_id:
            await confirm(con)
            return False
        await con.execute(SQL.own, panic_id, operator_id)
        await _done(
            con, who, panic_id, "handed_over", "hand_over", was=found.owner_id, now=operator_id
        )
    return True


async def _able(con: Any, found: Locked, operator_id: int) -> None:
    """Raises BadInput unless an operator may own this panic."""
    row = await con.fetchrow(SQL.operator, operator_id)
    whole = row is not None and row["area_id"] is None
    silent = found.covert or found.duress
    if row is None or (silent and not whole):
        raise refuse_field("operator", "Name an operator who may see this panic, by id.")
    if not whole and not await con.fetchval(SQL.covers, found.panic_id, row["area_id"]):
        raise refuse_field("operator", "Name an operator who may see this panic, by id.")


@retried
async def resolve(
    db: Database, who: Principal, scope: Scope, panic_id: UUID, outcome: str, note: str | None
) -> bool:
    """Ends it with an outcome; False if it ended so before. Who resolves what nobody had, had it.

    Its person's answers stand again as she gave them. Raises NotFound, or Clash.
    """
    return await _finish(db, who, scope, panic_id, ("resolve", outcome, note))


@retried
async def close(
    db: Database, who: Principal, scope: Scope, panic_id: UUID, outcome: str, note: str | None
) -> bool:
    """A human has seen to what its person took back; False if that was so before."""
    return await _finish(db, who, scope, panic_id, ("close", outcome, note))


async def _finish(
    db: Database, who: Principal, scope: Scope, panic_id: UUID, how: tuple[str, str, str | None]
) -> bool:
    verb, outcome, note = how
    async with db.transaction(who.operation_id) as con:
        await counting.hold_out_reports(con)
        found = await seen(con, scope, panic_id)
        after = rules.step(found.state, verb)
        if after == found.state:
            if (found.outcome, found.note) != (outcome, note):
                raise Clash("This panic was ended otherwise.", code="panic_over")
            await confirm(con)
            return False
        if verb == "resolve":
            await con.execute(SQL.end, panic_id, after, _operator(who), outcome, note)
        else:
            await con.execute(SQL.close, panic_id, outcome, note)
        await telling.stop(con, who.operation_id, panic_id)
        counts = await counting.count_out(con, found.person_id) if found.counts else []
        detail = {"outcome": outcome, "note": note}
        await _done(con, who, panic_id, after, verb, counts, **detail)
    return True


async def _done(
    con: Any,
    who: Principal,
    panic_id: UUID,
    what: str,
    verb: str,
    more: Sequence[stream.Draft] = (),
    **detail: Any,
) -> None:
    """The fact, the audit row and, last of all, the events of an act."""
    times = store.now(await store.clock(con))
    await store.fact(con, panic_id, what, times, who.actor, **detail)
    known = {k: v for k, v in detail.items() if k != "note"}
    await store.audit(con, who.actor, f"panic.{verb}", panic_id, **known)
    await stream.append(con, [store.draft(panic_id, what), *more])


@retried
async def positions(
    db: Database, who: Principal, named: UUID, items: Sequence[PositionIn]
) -> tuple[int, bool]:
    """Keeps where the caller's phone was; how many are new, and whether more are wanted.

    What is later than the end of the panic is not kept. Raises NotFound.
    """
    async with db.transaction(who.operation_id, lane="panic") as con:
        found = await own(con, who, named)
        moment = await store.clock(con)
        rows = [_row(i, moment) for i in {i.id: i for i in reversed(items)}.values()]
        args = (found.panic_id, moment, *store.columns(rows))
        kept = len(await con.fetch(SQL.insert_positions, *args))
        if kept:
            await con.execute(SQL.keep_position, found.panic_id)
            await nearby.enqueue(con, who.operation_id, found.panic_id)
            await stream.append(con, [store.draft(found.panic_id, "moved")])
        else:
            await confirm(con)
    return kept, found.state in rules.LIVE


def _row(item: PositionIn, moment: datetime) -> tuple[Any, ...]:
    event_at = corrected(item.at, item.sent_at, moment)
    return (item.id, item.at, event_at, item.lat, item.lon, item.accuracy, item.battery)
