"""A person added by hand, under the very rules of the import."""

from typing import Any

from server.auth import Principal, Scope
from server.db import Database, retried
from server.errors import BadInput, Clash, FieldError, NotFound
from server.people import store
from server.people.messages import PersonIn
from server.people.roster import rows, settle, tables
from server.people.roster import store as roster
from server.people.roster.report import Refusal
from server.people.roster.rows import Checked, PersonRow
from server.people.roster.settle import Settled

_PATHS = {"phone": "phones[0]", "phone2": "phones[1]"}


@retried
async def add(db: Database, who: Principal, scope: Scope, wish: PersonIn) -> bool:
    """Adds a person; True if she is new, False if she is on record just so.

    Raises BadInput naming every field, Clash where the ref is another's or says otherwise,
    NotFound where the area or sponsor is outside the caller's scope.
    """
    async with db.transaction(who.operation_id) as con:
        await con.execute(store.SQL.hold_roster)
        operation = await store.operation(con)
        checked = _checked(wish, operation.region)
        settled = await _settle(con, checked)
        await _check_scope(con, scope, settled.people[0])
        merged = (await roster.write(con, settled, {}, lambda _: None))["people"]
        if merged.updated:
            raise Clash(f"{wish.ref} is on record with other details. Choose another ref.")
        await store.audit(con, who.actor, "person.add", "person", added=merged.added)
    return merged.added > 0


def _checked(wish: PersonIn, region: str) -> Checked:
    phones = [*wish.phones, "", ""]
    values = [
        wish.ref,
        wish.name,
        wish.category,
        wish.agency,
        wish.area,
        *phones[:2],
        wish.email,
        wish.language,
        wish.family_of,
    ]
    texts = [value or "" for value in values]
    table = tables.Table(tables.PEOPLE, "", frozenset(), [(1, texts)], [])
    checked = rows.check(table, region, lambda *_: None)
    _refuse(checked.refused)
    return checked


async def _settle(con: Any, checked: Checked) -> Settled:
    person: PersonRow = checked.rows[0]
    known = await roster.known_of(con, person)
    settled = settle.settle({tables.PEOPLE: checked}, known, partial=False)
    _refuse(settled.refused)
    return settled


async def _check_scope(con: Any, scope: Scope, person: PersonRow) -> None:
    area_id = await store.area_id(con, person.area)
    if scope.areas is not None and area_id not in scope.areas:
        raise NotFound("There is no such area among those you may add people to.")
    sponsor = await store.person_by_ref(con, person.family_of) if person.family_of else None
    if sponsor is not None and not scope.sees(sponsor.person_id, sponsor.area_id):
        raise NotFound("There is no such sponsor among those you may see.")


def _refuse(refused: list[Refusal]) -> None:
    """Raises BadInput if anything was refused, a field each."""
    wrong = [
        FieldError(
            _PATHS.get(r.column, r.column), f"{r.reason[:1].upper()}{r.reason[1:]}. {r.remedy}"
        )
        for r in refused
    ]
    if wrong:
        raise BadInput("Correct the fields named in errors and send it again.", errors=wrong)
