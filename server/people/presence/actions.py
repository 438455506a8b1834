"""What operators and wardens do with presences: one function a verb."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from server.auth import Principal, Scope
from server.db import Database, confirm, retried
from server.errors import Clash, Forbidden, NotFound, refuse_field
from server.paging import Page, page
from server.people import store as people
from server.people.messages import AreaName
from server.people.presence import store
from server.people.presence.messages import PresenceIn, PresenceOut, PresenceQuery
from server.people.presence.store import SQL, Presence
from server.people.roster import moments
from server.people.roster.cells import BadCell

MOST_BY_WARDEN = timedelta(days=31)


class Stay(msgspec.Struct, frozen=True):
    """A wish in ids and UTC."""

    person_id: int
    kind: str
    area_id: int | None
    from_at: datetime
    until_at: datetime
    note: str | None


@retried
async def add(
    db: Database, who: Principal, scope: Scope, wish: PresenceIn
) -> tuple[PresenceOut, bool]:
    """Puts a presence on record; it, and whether it is new.

    Raises BadInput, Forbidden where a warden says more than a visit to her own zone, Clash for
    a used id or where the person has one of that kind from the same instant.
    """
    async with db.transaction(who.operation_id) as con:
        stay = await _stay(con, scope, wish)
        row = (wish.id, *msgspec.structs.astuple(stay), who.actor)
        new = await con.fetchval(SQL.add, *row) is not None
        if new:
            detail = {"kind": wish.kind}
            await people.audit(con, who.actor, "presence.add", str(wish.id), **detail)
        else:
            await confirm(con)
        found = await store.one(con, wish.id)
    if found is None:
        raise Clash(f"{wish.ref} has a {wish.kind} from then on record. Take that back first.")
    if not new and _as_stay(found) != stay:
        raise Clash("This id was used for another presence. Make a new id.", code="id_reused")
    return out(found), new


@retried
async def remove(db: Database, who: Principal, scope: Scope, presence_id: UUID) -> None:
    """Takes a presence back. Raises NotFound for what is not the caller's to say."""
    async with db.transaction(who.operation_id) as con:
        found = await store.one(con, presence_id)
        if found is None or not await _may_remove(con, scope, found):
            raise NotFound("There is no such presence among those you may take back.")
        await con.execute(SQL.remove, presence_id)
        await people.audit(con, who.actor, "presence.remove", str(presence_id), kind=found.kind)


async def listed(
    db: Database, who: Principal, scope: Scope, query: PresenceQuery
) -> Page[PresenceOut]:
    """What is not over, of the people in scope and to the areas in scope, by beginning."""
    from_at, presence_id = query.after(datetime, UUID)
    async with db.transaction(who.operation_id) as con:
        own = await _own_areas(con, scope)
        areas = scope.area_list()
        seen = (areas, scope.people_list(), own)
        rows = await store.listed(con, query.now, *seen, from_at, presence_id, query.limit + 1)
    return page("/v1/presence", query, rows, lambda r: [r.from_at, r.presence_id], out)


def out(found: Presence) -> PresenceOut:
    """A presence as it is answered."""
    area = None if found.area is None else AreaName(found.area, found.area_name or "")
    return PresenceOut(
        id=found.presence_id,
        ref=found.ref,
        name=found.name,
        kind=found.kind,
        area=area,
        begins=found.from_at,
        until=found.until_at,
        note=found.note,
        said_by=found.said_by,
    )


def _as_stay(p: Presence) -> Stay:
    return Stay(p.person_id, p.kind, p.area_id, p.from_at, p.until_at, p.note)


async def _own_areas(con: Any, scope: Scope) -> list[int]:
    return [] if scope.nodes is None else await store.areas_of_nodes(con, scope.nodes)


async def _stay(con: Any, scope: Scope, wish: PresenceIn) -> Stay:
    """The wish under the rules of presence.csv and of the caller's scope. Raises BadInput."""
    zone = ZoneInfo((await people.operation(con)).timezone)
    from_at, until_at = _moment("from", wish.begins, zone), _moment("until", wish.until, zone)
    if until_at <= from_at:
        raise refuse_field("until", "It is not after from. A date lasts until 24:00.")
    if wish.kind == "visit" and wish.area is None:
        raise refuse_field("area", "Name the area she visits.")
    if wish.kind == "leave" and wish.area is not None:
        raise refuse_field("area", "Leave has no area. Leave it out, or make the kind travel.")
    area_id = None if wish.area is None else await people.area_id(con, wish.area)
    if wish.area is not None and area_id is None:
        raise refuse_field("area", "There is no such area among those you may name.")
    person = await people.person_by_ref(con, wish.ref)
    if person is None:
        raise refuse_field("ref", "There is no such person among those you may name.")
    await _check_scope(con, scope, wish, person, area_id)
    if scope.people is not None and until_at - from_at > MOST_BY_WARDEN:
        raise refuse_field("until", "A warden says at most 31 days. Ask the duty desk for more.")
    return Stay(person.person_id, wish.kind, area_id, from_at, until_at, wish.note or None)


async def _check_scope(
    con: Any, scope: Scope, wish: PresenceIn, person: people.Person, area_id: int | None
) -> None:
    """Whoever visits an area may be from anywhere; all else is said of people in sight."""
    if scope.people is not None:
        if wish.kind != "visit":
            raise Forbidden("A warden attaches visitors to her zone. The rest is the duty desk's.")
        if area_id not in await _own_areas(con, scope):
            raise refuse_field("area", "There is no such area among those you may name.")
        return
    if scope.areas is None:
        return
    if area_id is not None and area_id not in scope.areas:
        raise refuse_field("area", "There is no such area among those you may name.")
    if wish.kind != "visit" and person.area_id not in scope.areas:
        raise refuse_field("ref", "There is no such person among those you may name.")


async def _may_remove(con: Any, scope: Scope, found: Presence) -> bool:
    if scope.people is not None:
        return found.kind == "visit" and found.area_id in await _own_areas(con, scope)
    if scope.areas is None:
        return True
    return found.home_id in scope.areas or found.area_id in scope.areas


def _moment(field: str, text: str, zone: ZoneInfo) -> datetime:
    try:
        return (moments.begins if field == "from" else moments.ends)(text.strip(), zone)
    except BadCell as error:
        raise refuse_field(
            field, f"{error.reason[:1].upper()}{error.reason[1:]}. {error.remedy}"
        ) from None
