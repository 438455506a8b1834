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
        await con.execute(SQL.hold_presser, record["person_id"])
    ids = (other["person_id"], person["person_id"])
    moved = [r["panic_id"] for r in await con.fetch(SQL.merged_panics, ids[0])]
    drafts: list[stream.Draft] = []
    placed = set(moved)
    for duress in (False, True):
        live = [await store.live(con, person_id, duress) for person_id in ids]
        if live[0] is not None and live[1] is not None:
            goes_on, told = await _join(con, who, live[0].panic_id, live[1].panic_id)
            drafts += told
            placed.add(goes_on)
    for statement in (SQL.move_panics, SQL.move_pins, SQL.move_told):
        await con.execute(statement, *ids)
    for panic_id in sorted(placed):
        await con.execute(SQL.keep_position, panic_id)
        await nearby.enqueue(con, who.operation_id, panic_id)
    times = store.now(await store.clock(con))
    for panic_id in moved:
        await store.fact(con, panic_id, "person_merged", times, who.actor, was=other["ref"])
        drafts.append(store.draft(panic_id, "person_merged"))
    return drafts


async def _join(
    con: Any, who: Principal, one: UUID, another: UUID
) -> tuple[UUID, list[stream.Draft]]:
    """Lets the later of two live panics go on in the earlier: its presses, positions and words, and
    who near it was told. The earlier, and the events."""
    held = [await store.lock(con, panic_id) for panic_id in (one, another)]
    first, later = sorted((p for p in held if p is not None), key=_pressed)
    kind, moment = _both(first, later), await store.clock(con)
    about = (kind.covert, kind.verified, True, moment, later.raised_by)
    await con.execute(SQL.join_panic, first.panic_id, later.presses, *about)
    for statement in (SQL.move_presses, SQL.move_positions, SQL.move_helpers):
        await con.execute(statement, later.panic_id, first.panic_id)
    ended = (later.panic_id, "resolved", who.operator_id, "passed_on", None)
    await con.execute(SQL.end, *ended)
    await telling.hush(con, who.operation_id, later.panic_id)
    times = store.now(moment)
    into, joined = {"outcome": "passed_on", "into": str(first.panic_id)}, str(later.panic_id)
    await store.fact(con, later.panic_id, "resolved", times, who.actor, **into)
    await store.fact(con, first.panic_id, "joined", times, who.actor, panic=joined)
    told = [store.draft(later.panic_id, "resolved"), store.draft(first.panic_id, "joined")]
    return first.panic_id, told


def _both(first: Locked, later: Locked) -> Kind:
    """What two become, as presses of one would have: openly told once is open, where that was
    vouched for or somebody has it."""
    opened = any(not p.covert and p.verified for p in (first, later))
    had = first.state != "open" and not first.covert
    covert = (first.covert or later.covert) and not opened and not had
    return Kind(covert, first.duress, first.verified or later.verified)


def _pressed(panic: Locked) -> tuple[Any, ...]:
    assert panic.state in LIVE  # noqa: S101 - both were found so under their locks
    return panic.received_at, panic.panic_id
