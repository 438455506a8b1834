"""What desks set: curfews, radio checks, areas of risk. One transaction each."""

from datetime import datetime, time
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from server import stream
from server.auth import Principal, Scope
from server.checkin.watches import actions, rules, store
from server.checkin.watches.messages import CurfewIn, RadioCheckIn
from server.checkin.watches.store import SQL, New
from server.db import Database, confirm, retried
from server.errors import NotFound, refuse_field
from server.people import store as people
from server.web import plausible

NO_CURFEW = "There is no such curfew among those you may see."
NO_ROLL = "There is no such roll among those you may see."


@retried
async def set_curfew(db: Database, who: Principal, scope: Scope, wish: CurfewIn) -> bool:
    """A curfew, from the next time its wall time comes; True if it is new.

    Raises BadInput, Clash.
    """
    body = actions.digest(wish)
    weekdays = sorted(set(wish.weekdays))
    wall = time.fromisoformat(wish.at)
    async with db.transaction(who.operation_id) as con:
        area_id = actions.within(scope, await people.area_id(con, wish.area))
        zone = ZoneInfo(await con.fetchval(SQL.zone))
        now: datetime = await con.fetchval(SQL.clock)
        last_day = rules.last_day_before(wall, zone, now)
        row = (wish.id, area_id, wall, weekdays, wish.window_s, wish.grace_s, wish.note)
        more = (wish.dark_after_h, last_day, body, who.actor)
        if await con.fetchval(SQL.insert_curfew, *row, *more) is not None:
            await people.audit(con, who.actor, "curfew.set", str(wish.id), area=wish.area)
            return True
        known = await con.fetchrow(SQL.curfews, None, wish.id)
        if known is None or known["body_sha256"] != body:
            raise actions.reused()
        await confirm(con)
        return False


@retried
async def end_curfew(db: Database, who: Principal, scope: Scope, curfew_id: UUID) -> None:
    """Ends a curfew, and the watches of it that nobody has missed yet; one that has ended stays as
    it ended. Raises NotFound."""
    async with db.transaction(who.operation_id) as con:
        if await con.fetchval(SQL.end_curfew, curfew_id, scope.area_list()) is None:
            if await con.fetchrow(SQL.curfews, scope.area_list(), curfew_id) is None:
                raise NotFound(NO_CURFEW)
            await confirm(con)
            return
        rows = await con.fetch(SQL.lock_of_curfew, curfew_id)
        now: datetime = await con.fetchval(SQL.clock)
        held = [store.watch_of(r) for r in rows]
        turns = [(w, rules.cancel(w, now)) for w in held]
        await store.record(con, turns, who.actor)
        await people.audit(con, who.actor, "curfew.end", str(curfew_id))
        if held:
            await stream.append(con, [store.draft([w.watch_id for w in held])])


@retried
async def call_roll(db: Database, who: Principal, scope: Scope, wish: RadioCheckIn) -> bool:
    """Begins a radio check; True if it is new. Raises BadInput, Clash."""
    plausible("due_at", wish.due_at)
    if not wish.people and not wish.callsigns:
        raise refuse_field("people", "Name at least one person or callsign.")
    body = actions.digest(wish)
    async with db.transaction(who.operation_id) as con:
        own = (wish.id, who.area_id, wish.note, body, who.actor)
        if await con.fetchval(SQL.insert_roll, *own) is None:
            known = await con.fetchrow(SQL.roll, wish.id)
            if known is None or known["body_sha256"] != body:
                raise actions.reused()
            await confirm(con)
            return False
        made = await store.insert(con, await _roll(con, who, scope, wish))
        await stream.append(con, [store.draft(made)])
        return True


async def _roll(con: Any, who: Principal, scope: Scope, wish: RadioCheckIn) -> New:
    """The watches of a roll: one for each name, its id made of the roll's."""
    refs, signs = sorted(set(wish.people)), sorted(set(wish.callsigns))
    found = await people.people_by_ref(con, refs)
    names: list[tuple[UUID, int | None, str | None]] = []
    for n, ref in enumerate(wish.people):
        person = found.get(ref)
        if person is None or not scope.sees(person.person_id, person.area_id):
            raise refuse_field(f"people[{n}]", "There is no such person among those you may name.")
    names += [(uuid5(wish.id, f"person {r}"), found[r].person_id, None) for r in refs]
    names += [(uuid5(wish.id, f"callsign {s}"), None, s) for s in signs]
    now: datetime = await con.fetchval(SQL.clock)
    return New(
        kind="radio_check",
        names=names,
        counts_from=now,
        due_at=wish.due_at,
        grace_s=wish.grace_s,
        turn_at=rules.first_turn(now, wish.due_at, wish.grace_s),
        now=now,
        actor=who.actor,
        area_id=who.area_id,
        note=wish.note,
        roll_id=wish.id,
    )


@retried
async def set_risk(
    db: Database, who: Principal, scope: Scope, code: str, dark_after_h: int | None
) -> None:
    """Flags an area as one of risk, or no more. Raises NotFound."""
    async with db.transaction(who.operation_id) as con:
        area_id = await people.area_id(con, code)
        if area_id is None or (scope.areas is not None and area_id not in scope.areas):
            raise NotFound("There is no such area among those you may name.")
        if dark_after_h is None:
            await con.execute(SQL.drop_risk, area_id)
        else:
            await con.execute(SQL.put_risk, area_id, dark_after_h, who.actor)
        await people.audit(con, who.actor, "area.risk", code, hours=dark_after_h)
