"""What becomes of panics when two records turn out to be one person."""

from typing import Any
from uuid import UUID

from server import stream
from server.alerts.panics import nearby, store, telling
from server.alerts.panics.rules import LIVE, Kind
from server.alerts.panics.store import SQL, Locked
from server.auth import Principal


async def follow(con: Any, who: Principal, other: Any, person: Any) -> list[stream.Draft]:
    """Gives the other record's panics, presses and PINs to the person who remains; the events.

    Of two that are live, in the open or under duress, the later one goes on in the earlier, as a
    further press would have. Whoever calls this counts the person's answers again after it.
    """
    for record in (other, person):
        await con.execute(SQL.begin, record["person_id"])
    ids = (other["person_id"], person["person_id"])
    moved = [r["panic_id"] for r in await con.fetch(SQL.merged_panics, ids[0])]
    drafts: list[stream.Draft] = []
    for duress in (False, True):
        live = [await store.live(con, person_id, duress) for person_id in ids]
        if live[0] is not None and live[1] is not None:
            drafts += await _join(con, who, live[0].panic_id, live[1].panic_id)
    await con.execute(SQL.move_panics, *ids)
    await con.execute(SQL.move_pins, *ids)
    times = store.now(await store.clock(con))
    for panic_id in moved:
        await con.execute(SQL.keep_position, panic_id)
        await nearby.enqueue(con, who.operation_id, panic_id)
        await store.fact(con, panic_id, "person_merged", times, who.actor, was=other["ref"])
        drafts.append(store.draft(panic_id, "person_merged"))
    return drafts


async def _join(con: Any, who: Principal, one: UUID, another: UUID) -> list[stream.Draft]:
    """Lets the later of two live panics go on in the earlier: its presses, positions and words."""
    held = [await store.lock(con, panic_id) for panic_id in (one, another)]
    first, later = sorted((p for p in held if p is not None), key=_pressed)
    kind = Kind(first.covert and later.covert, first.duress, first.verified or later.verified)
    moment = await store.clock(con)
    about = (kind.covert, kind.verified, True, moment)
    await con.execute(SQL.join_panic, first.panic_id, later.presses, *about)
    await con.execute(SQL.move_presses, later.panic_id, first.panic_id)
    await con.execute(SQL.move_positions, later.panic_id, first.panic_id)
    ended = (later.panic_id, "resolved", who.operator_id, "passed_on", None)
    await con.execute(SQL.end, *ended)
    await telling.hush(con, who.operation_id, later.panic_id)
    times = store.now(moment)
    into, joined = {"outcome": "passed_on", "into": str(first.panic_id)}, str(later.panic_id)
    await store.fact(con, later.panic_id, "resolved", times, who.actor, **into)
    await store.fact(con, first.panic_id, "joined", times, who.actor, panic=joined)
    return [store.draft(later.panic_id, "resolved"), store.draft(first.panic_id, "joined")]


def _pressed(panic: Locked) -> tuple[Any, ...]:
    assert panic.state in LIVE  # noqa: S101 - both were found so under their locks
    return panic.received_at, panic.panic_id
