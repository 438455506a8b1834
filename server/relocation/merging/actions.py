"""What becomes of movements when two records turn out to be one person: a job of the same commit.

Reports are never changed: those of the other record are read with hers from then on.
"""

from collections import Counter
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from server import stream
from server.db import Database, named_sql, retried
from server.relocation import actions, capacity, rules, store
from server.relocation.movements.store import add_fact
from server.relocation.store import SQL as REPORTS
from server.relocation.store import Cell, Person, Thing

SQL = named_sql(__file__)
REASON = "Two records turned out to be one person."


@retried
async def follow(
    db: Database, operation_id: int, other_id: int, person_id: int, was: str, actor: str
) -> None:
    """Gives the person who remains what the other record has in every movement. Again changes
    nothing. `was`: the other's ref."""
    async with db.transaction(operation_id) as con:
        await con.execute(SQL.hold_movements, other_id)
        await con.execute(REPORTS.hold_out_reports)
        moment: datetime = await con.fetchval(SQL.clock)
        held = [r["movement_id"] for r in await con.fetch(SQL.hold_movements, other_id)]
        drafts: list[stream.Draft] = []
        for movement_id in held:
            drafts += await _join(con, movement_id, (other_id, person_id), moment, actor)
            await add_fact(con, movement_id, "person_merged", actor, was=was)
        for statement in (SQL.move_functions, SQL.move_papers, SQL.move_checks):
            await con.execute(statement, other_id, person_id)
        if drafts:
            await stream.append(con, drafts)


async def _join(
    con: Any, movement_id: UUID, ids: tuple[int, int], moment: datetime, actor: str
) -> list[stream.Draft]:
    """Makes one of two in a movement; the events."""
    other_id, person_id = ids
    left, own = (movement_id, other_id), (movement_id, person_id)
    was = (await store.hold_standings(con, [left, own]))[left]
    entered = await con.fetchrow(SQL.put_in_place, movement_id, *ids)
    await con.execute(SQL.take_out, *left)
    for statement in (SQL.move_household, SQL.move_conflicts, SQL.move_codes, SQL.move_medical):
        await con.execute(statement, movement_id, *ids)
    await _seats(con, movement_id, ids, actor)
    cells = await store.move_stages(con, _cells(movement_id, was, entered))
    counts = {(movement_id, *t): -n for t, n in rules.counted(was.standing).items()}
    moved = await store.move_counts(con, Counter[Thing](counts))
    drafts = await _read_again(con, own, moment)
    await capacity.check(con, [t[:2] for t in moved if t[2] == "boarded"], moment)
    things = {t[1] for t in moved}
    return [store.draft(movement_id, [c[1:] for c in cells], sorted(things)), *drafts]


def _cells(movement_id: UUID, was: Person, entered: Any) -> Counter[Cell]:
    """One less where the other stood; one more who is listed, where the person entered."""
    cells: Counter[Cell] = Counter()
    cells[movement_id, was.area_id, was.agency_id, was.category, was.standing.stage] -= 1
    if entered is not None:
        cells[(movement_id, *entered, "listed")] += 1
    return Counter({cell: n for cell, n in cells.items() if n})


async def _read_again(con: Any, own: store.Who, moment: datetime) -> list[stream.Draft]:
    """Where all the reports of both leave the person."""
    people = await store.hold_standings(con, [own])
    standing, found = rules.fold((await store.all_of_theirs(con, [own]))[own])
    still = [c.conflict_id for c in found]
    args = ([own[0]], [own[1]], [None], still, moment)
    await con.execute(REPORTS.explain_conflicts, *args)
    conflicts = [(*own, c) for c in found]
    return await actions.settle(con, people, {own: standing}, conflicts, moment)


async def _seats(con: Any, movement_id: UUID, ids: tuple[int, int], actor: str) -> None:
    """The other's seats are the person's, but on legs where she has one. Under a seal it is an
    amendment."""
    rows = await con.fetch(SQL.seats, movement_id, list(ids))
    seated = {r["leg_id"] for r in rows if r["person_id"] == ids[1]}
    for row in (r for r in rows if r["person_id"] == ids[0]):
        leg_id, vehicle_id, seat = row["leg_id"], row["vehicle_id"], row["seat"]
        stays = leg_id not in seated
        changes = [("taken_off", ids[0])] + ([("put_on", ids[1])] if stays else [])
        for what, person_id in changes if row["sealed"] else []:
            key = uuid5(movement_id, f"merge {ids[0]} {leg_id}")
            about = (movement_id, vehicle_id, what, seat, REASON, actor)
            await con.execute(SQL.amend, key, person_id, *about)
        await con.execute(SQL.leave_seat, movement_id, leg_id, ids[0])
        if stays:
            given = (vehicle_id, seat, row["by_hand"], actor)
            await con.execute(SQL.take_seat, movement_id, leg_id, ids[1], *given)
