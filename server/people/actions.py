"""The directory: what is read of people and areas."""

from collections.abc import Sequence
from typing import Any

from server.auth import Authenticator, Principal, Scope
from server.db import Database
from server.errors import Forbidden, NotFound
from server.paging import Page, page
from server.people import rules, store
from server.people.messages import (
    AgencyOut,
    AreaName,
    AreaOut,
    DeviceSeen,
    PeopleQuery,
    PersonName,
    PersonOut,
    WideQuery,
)

SQL = store.SQL


async def people_by_ref(
    db: Database, operation_id: int, refs: Sequence[str]
) -> dict[str, store.PersonKey]:
    """Those of `refs` that exist, by ref."""
    async with db.transaction(operation_id) as con:
        return await store.people_by_ref(con, refs)


async def areas(
    db: Database, auth: Authenticator, who: Principal, query: WideQuery
) -> Page[AreaOut]:
    """Areas by code. An area-scoped operator sees her own and below; geography is no secret to
    wardens and phones of the operation."""
    scope = await _scope_or_none(auth, who)
    only = None if scope is None else scope.area_list()
    (after,) = query.after(str)
    async with db.transaction(who.operation_id) as con:
        rows = await store.areas(con, only, after, query.limit + 1)

    def out(area: store.Area) -> AreaOut:
        hidden = only is not None and area.parent_id not in only
        parent = None if hidden else area.parent
        return AreaOut(area.code, area.name, parent, area.kind, area.lat, area.lon)

    return page("/v1/areas", query, rows, lambda a: [a.code], out)


async def agencies(db: Database, who: Principal, query: WideQuery) -> Page[AgencyOut]:
    """Agencies by name."""
    (after,) = query.after(str)
    async with db.transaction(who.operation_id) as con:
        names = await store.agencies(con, after, query.limit + 1)
    return page("/v1/agencies", query, names, lambda n: [n], lambda n: AgencyOut(n, n))


async def people(
    db: Database, who: Principal, scope: Scope, query: PeopleQuery
) -> Page[store.ListedPerson]:
    """People within scope by name. `q` matches name, ref or part of a number, any script.

    Raises NotFound for an area that is unknown or out of scope.
    """
    text, digits = rules.search_text(query.q or "")
    name, ref = query.after(str, str)
    async with db.transaction(who.operation_id) as con:
        below = await _area_in_scope(con, scope, query.area)
        rows = await con.fetch(
            SQL.people,
            scope.areas,
            scope.people_list(),
            below,
            text or None,
            digits,
            name,
            ref,
            query.limit + 1,
        )
    found = [store.row_to(store.ListedPerson, row) for row in rows]
    return page("/v1/people", query, found, lambda p: [p.name, p.ref], lambda p: p)


async def person(db: Database, who: Principal, scope: Scope, ref: str) -> PersonOut:
    """One person in full. Raises NotFound out of scope."""
    async with db.transaction(who.operation_id, snapshot=True) as con:
        found = await store.person_by_ref(con, ref)
        if found is None or not scope.sees(found.person_id, found.area_id):
            raise NotFound("There is no such person among those you may see.")
        household = await store.household(con, found.sponsor_id or found.person_id)
        return PersonOut(
            ref=found.ref,
            name=found.name,
            category=found.category,
            kind=found.kind,
            area=AreaName(found.area, found.area_name),
            agency=found.agency,
            sponsor=found.sponsor,
            language=found.language,
            email=found.email,
            phones=await store.phones(con, found.person_id),
            household=[
                PersonName(r.ref, r.name) for r in household if r.person_id != found.person_id
            ],
            devices=[_device(d) for d in await store.devices(con, found.person_id)],
        )


async def _scope_or_none(auth: Authenticator, who: Principal) -> Scope | None:
    """The caller's scope; None for a phone whose person is no warden."""
    try:
        return await auth.scope(who)
    except Forbidden:
        return None


async def _area_in_scope(con: Any, scope: Scope, code: str | None) -> int | None:
    if code is None:
        return None
    area_id = await store.area_id(con, code)
    if area_id is None or (scope.areas is not None and area_id not in scope.areas):
        raise NotFound("There is no such area among those you may see.")
    return area_id


def _device(device: store.Device) -> DeviceSeen:
    return DeviceSeen(
        platform=device.platform,
        enrolled_at=device.created_at,
        last_seen_at=device.last_seen_at,
        push=device.push,
        silent_since=device.dead_at,
    )
