"""Codes issued and revoked, and checkers named: one function a verb, one transaction each."""

import base64
import io
import secrets
from typing import Any
from uuid import UUID

import segno

from server import stream
from server.auth import Principal, Scope
from server.db import Database, retried
from server.errors import Clash, NotFound, refuse_field
from server.people import store as people
from server.people.messages import PersonName
from server.relocation.codes import keys, rules
from server.relocation.codes.keys import SQL
from server.relocation.codes.messages import Checker, CodeIn, CodeOut
from server.relocation.movements import store as movements
from server.relocation.store import draft
from server.vault import Vault

MOST = 65535
NOBODY = "There is no such person."


@retried
async def change_code(
    db: Database, vault: Vault, who: Principal, scope: Scope, ref: str, wish: CodeIn
) -> CodeOut:
    """Issues, re-issues or revokes a person's code. Raises NotFound for whom the caller does not
    see, BadInput where the lost code is not named."""
    if wish.do != "issue" and wish.counter is None:
        raise refuse_field("counter", "Name the code that is lost: an earlier one is good no more.")
    async with db.transaction(who.operation_id) as con:
        person = (await people.people_by_ref(con, [ref])).get(ref)
        if person is None or not scope.sees(person.person_id, person.area_id):
            raise NotFound(NOBODY)
        last = await _held(con, person.person_id)
        named = last is not None and last["counter"] == wish.counter
        good = last is not None and last["revoked_at"] is None
        if named and good:
            await con.execute(SQL.revoke, person.person_id, who.actor)
            await people.audit(con, who.actor, "code.revoked", ref)
        if last is None or (wish.do == "reissue" and named) or (wish.do == "issue" and not good):
            await _add(con, who, person.person_id, ref, last)
        [found] = await _household(con, vault, who, person.person_id, ref)
        return found


async def _held(con: Any, person_id: int) -> Any:
    """A person's last code or None, held until the commit; she has a handle from here on."""
    await con.execute(SQL.hold_handle, person_id, secrets.token_bytes(8))
    await con.fetchval(SQL.handle, person_id)
    return await con.fetchrow(SQL.last_code, person_id)


async def _add(con: Any, who: Principal, person_id: int, ref: str, last: Any) -> None:
    counter = 1 if last is None else last["counter"] + 1
    if counter > MOST:
        raise Clash("No more codes can be issued to her.", code="codes_used_up")
    await con.execute(SQL.add_code, person_id, counter, who.actor)
    await people.audit(con, who.actor, "code.issued", ref)


@retried
async def own_codes(db: Database, vault: Vault, who: Principal) -> list[CodeOut]:
    """The codes of a phone's owner and her family, made where there is none. One that was revoked
    stays so: a warden or a desk issues the next."""
    async with db.transaction(who.operation_id) as con:
        for row in await con.fetch(SQL.household, who.person_id):
            if await _held(con, row["person_id"]) is None:
                await _add(con, who, row["person_id"], row["ref"], None)
        return await _household(con, vault, who, who.person_id)


async def _household(
    con: Any, vault: Vault, who: Principal, person_id: int | None, only: str | None = None
) -> list[CodeOut]:
    """The last codes of a person and her family, or of her alone, signed anew."""
    key_id, key = await keys.signing(con, vault, who.operation_id)
    found = []
    for row in await con.fetch(SQL.household, person_id):
        if only not in (None, row["ref"]):
            continue
        last = await con.fetchrow(SQL.last_code, row["person_id"])
        handle = await con.fetchval(SQL.handle, row["person_id"])
        named = rules.Named(key_id, handle, last["counter"])
        code = None if last["revoked_at"] else rules.write(key, named)
        found.append(_shown(PersonName(row["ref"], row["name"]), last, code))
    return found


def _shown(person: PersonName, last: Any, code: str | None) -> CodeOut:
    svg = png = None
    if code is not None:
        drawn = segno.make_qr(code, error="m", boost_error=False)
        svg = drawn.svg_inline(border=4, omitsize=True, light="#fff")
        out = io.BytesIO()
        drawn.save(out, kind="png", scale=8, border=4)
        png = base64.b64encode(out.getvalue()).decode()
    return CodeOut(person, last["counter"], last["issued_at"], last["revoked_at"], code, svg, png)


@retried
async def name_checker(
    db: Database, who: Principal, scope: Scope, movement_id: UUID, ref: str, checks: bool
) -> list[Checker]:
    """Somebody checks a movement, or does so no more. Again changes nothing. Raises NotFound."""
    async with db.transaction(who.operation_id) as con:
        await movements.steerable(con, who, scope, movement_id)
        person = (await people.people_by_ref(con, [ref])).get(ref)
        if person is None or not scope.sees(person.person_id, person.area_id):
            raise NotFound(NOBODY)
        sql = SQL.name_checker if checks else SQL.end_checker
        if await con.fetchval(sql, movement_id, person.person_id, who.actor):
            what = "checker_named" if checks else "checker_ended"
            await movements.add_fact(con, movement_id, what, who.actor, ref=ref)
            await people.audit(con, who.actor, f"movement.{what}", str(movement_id))
            await stream.append(con, [draft(movement_id)])
        return await checkers(con, movement_id)


async def checkers(con: Any, movement_id: UUID) -> list[Checker]:
    """Who checks a movement, by name."""
    rows = await con.fetch(SQL.checkers, movement_id)
    return [Checker(PersonName(r[0], r[1]), r[2], r[3]) for r in rows]
