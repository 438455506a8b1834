"""What operators do with movements: one function a verb, one transaction each."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from server import jobs, stream
from server.auth import Principal, Scope
from server.db import Database, confirm, retried
from server.errors import BadInput, Clash, FieldError, NotFound, refuse_field
from server.people import store as people
from server.relocation import rules
from server.relocation.movements import freezing, store
from server.relocation.movements.messages import AddIn, CloseIn, MovementIn
from server.relocation.movements.store import SQL
from server.relocation.store import SQL as REPORTS
from server.relocation.store import draft, move_stages

ENDED = frozenset({"closed", "cancelled"})
# state and verb -> the state it leads to
TRANSITIONS = {
    ("planned", "activate"): "active",
    ("preparing", "cancel"): "cancelled",
    ("planned", "cancel"): "cancelled",
    ("active", "cancel"): "cancelled",
    ("planned", "close"): "closed",
    ("active", "close"): "closed",
}


def digest(*said: Any) -> bytes:
    """32 bytes that two requests share exactly when they say the same."""
    return hashlib.sha256(msgspec.json.encode(said)).digest()


def led(state: str, verb: str) -> str:
    """Where a verb leads. Raises Clash where it leads nowhere."""
    if (state, verb) in TRANSITIONS:
        return TRANSITIONS[state, verb]
    if state == "preparing":
        raise Clash("Its people are still being listed.", code="movement_preparing")
    raise Clash("This movement has ended. It stays as it ended.", code="movement_ended")


@retried
async def create(db: Database, who: Principal, scope: Scope, wish: MovementIn) -> bool:
    """Puts a movement on record with the job that lists its people; True if it is new.

    Raises BadInput for areas or people that are not the caller's, Clash for a used id.
    """
    if not wish.origins and not wish.people:
        raise refuse_field("origins", "Give the areas people are moved from, or people by ref.")
    body_sha256 = digest(wish)
    async with db.transaction(who.operation_id) as con:
        if await con.fetchval(SQL.known, wish.id) is None:
            await _check(con, scope, wish)
            within = None if scope.areas is None else who.area_id
            audience = {"origins": wish.origins, "people": wish.people, "within": within}
            made = await con.fetchval(
                *(SQL.insert, wish.id, wish.kind, wish.reach, wish.title, wish.authority),
                *(wish.reference, wish.exercise, msgspec.json.encode(audience).decode()),
                *(body_sha256, who.actor),
            )
            if made is not None:
                await con.execute(SQL.insert_origins, wish.id, wish.origins)
                await _note(con, who, wish.id, "created")
                about = {"movement_id": str(wish.id)}
                key = str(wish.id)
                await jobs.enqueue(con, who.operation_id, "movement.list", key, about, lane=1)
                await stream.append(con, [draft(wish.id)])
                return True
        if await con.fetchval(SQL.known, wish.id) != body_sha256:
            raise Clash("This id was used for another movement. Make a new id.", code="id_reused")
        await confirm(con)
        return False


async def _check(con: Any, scope: Scope, wish: MovementIn) -> None:
    """Raises BadInput naming every area and person that is not on record, or not the caller's."""
    rows = await con.fetch(SQL.areas_in_sight, wish.origins, scope.area_list())
    areas = {r["code"] for r in rows}
    errors = [
        FieldError(f"origins[{n}]", "There is no area with this code.")
        for n, code in enumerate(wish.origins)
        if code not in areas
    ]
    errors += await _unknown_people(con, scope, wish.people)
    if errors:
        raise BadInput("Correct the fields named in errors and send it again.", errors=errors)


async def _unknown_people(con: Any, scope: Scope, refs: Sequence[str]) -> list[FieldError]:
    found = await people.people_by_ref(con, refs)
    own = {ref for ref, p in found.items() if scope.sees(p.person_id, p.area_id)}
    return [
        FieldError(f"people[{n}]", "There is no such person among those you may name.")
        for n, ref in enumerate(refs)
        if ref not in own
    ]


async def _note(con: Any, who: Principal, movement_id: UUID, what: str, **detail: Any) -> None:
    """On the timeline and in the audit."""
    await store.add_fact(con, movement_id, what, who.actor, **detail)
    await people.audit(con, who.actor, f"movement.{what}", str(movement_id))


@retried
async def activate(db: Database, who: Principal, scope: Scope, movement_id: UUID) -> None:
    """It begins. Reports that came before count too. Again changes nothing."""
    async with db.transaction(who.operation_id) as con:
        locked = await store.steerable(con, who, scope, movement_id)
        if locked.state == "active":
            return
        await con.execute(SQL.mark, movement_id, led(locked.state, "activate"))
        await _note(con, who, movement_id, "activated")
        await stream.append(con, [draft(movement_id)])


@retried
async def cancel(db: Database, who: Principal, scope: Scope, movement_id: UUID) -> None:
    """It is called off. Reports that came count, also those of while its people were being listed;
    those that still come do too, marked late."""
    async with db.transaction(who.operation_id) as con:
        locked = await store.steerable(con, who, scope, movement_id)
        await con.execute(REPORTS.hold_out_reports)
        if locked.state == "cancelled":
            return
        said = await freezing.take_in(con, movement_id) if locked.state == "preparing" else []
        await con.execute(SQL.mark_ended, movement_id, led(locked.state, "cancel"), who.actor, None)
        await _note(con, who, movement_id, "cancelled")
        await stream.append(con, [*said, draft(movement_id)])


@retried
async def close(
    db: Database, who: Principal, scope: Scope, movement_id: UUID, body: CloseIn
) -> None:
    """The close-out. Everybody has arrived, stays, or is listed by name with why she is left so.

    Raises BadInput for a name that need not or cannot be listed, Clash while somebody is
    unresolved, or where it was signed otherwise.
    """
    settled = sorted(rules.SETTLED)
    async with db.transaction(who.operation_id) as con:
        locked = await store.steerable(con, who, scope, movement_id)
        await con.execute(REPORTS.hold_out_reports)
        if locked.state == "closed":
            if not await con.fetchval(SQL.signed, movement_id, who.actor, body.statement):
                led(locked.state, "close")  # another's signature, or another statement
            return
        state = led(locked.state, "close")
        refs = [u.ref for u in body.unresolved]
        reasons = [u.reason for u in body.unresolved]
        rows = await con.fetch(SQL.mark_unresolved, movement_id, refs, reasons, settled)
        _refuse_names(refs, {r["ref"] for r in rows})
        left = await con.fetchval(SQL.open_ends, movement_id, settled)
        if left:
            raise Clash(
                f"{left} people have neither arrived nor stay. List them in unresolved, with why.",
                code="movement_unresolved",
            )
        await con.execute(SQL.mark_ended, movement_id, state, who.actor, body.statement)
        await _note(con, who, movement_id, "closed", unresolved=len(refs))
        await stream.append(con, [draft(movement_id)])


def _refuse_names(given: Sequence[str], taken: set[str]) -> None:
    wrong = [
        FieldError(f"unresolved[{n}].ref", "She is not in it, or has arrived or stays.")
        for n, ref in enumerate(given)
        if ref not in taken
    ]
    if wrong:
        raise BadInput("Correct the fields named in errors and send it again.", errors=wrong)


@retried
async def add_people(
    db: Database, who: Principal, scope: Scope, movement_id: UUID, body: AddIn
) -> list[str]:
    """Brings people on record, with their family, into a movement; the refs of those who joined.

    Raises NotFound, BadInput for people who are not the caller's, Clash while it is being
    prepared.
    """
    async with db.transaction(who.operation_id) as con:
        await con.execute(SQL.hold_off_merges)
        await con.execute(REPORTS.begin_batch)
        await store.must_see(con, store.sight_of(who, scope), movement_id)
        errors = await _unknown_people(con, scope, body.people)
        if errors:
            raise BadInput("Correct the fields named in errors and send it again.", errors=errors)
        rows = await con.fetch(SQL.movements, None, None, "", None, None, None, 1, movement_id)
        if not rows:
            raise NotFound(store.NO_MOVEMENT)
        if rows[0]["state"] == "preparing":
            led("preparing", "activate")
        return await _join(con, who, movement_id, body.people)


async def _join(con: Any, who: Principal, movement_id: UUID, refs: Sequence[str]) -> list[str]:
    rows = await con.fetch(SQL.list_people, movement_id, list(refs), "added")
    joined = [r["person_id"] for r in rows]
    if not joined:
        return []
    found = await con.fetch(SQL.places, movement_id, joined)
    cell = [(movement_id, r["area_id"], r["agency_id"], r["category"], "listed") for r in found]
    cells = await move_stages(con, Counter(cell))
    await _note(con, who, movement_id, "people_added", people=len(joined))
    await stream.append(con, [draft(movement_id, [c[1:] for c in cells])])
    return [r["ref"] for r in found]
