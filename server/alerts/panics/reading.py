"""Panics as desks read them. Who reads positions is written down with the reason."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from server.alerts.panics import store
from server.alerts.panics.actions import NO_PANIC
from server.alerts.panics.messages import (
    Access,
    Fact,
    LastSeen,
    Nearby,
    Owner,
    PanicDetail,
    PanicExport,
    PanicOut,
    PanicsQuery,
    Position,
)
from server.alerts.panics.store import SQL
from server.auth import Principal, Scope
from server.db import Database
from server.errors import Forbidden, NotFound
from server.paging import Page, page
from server.people.messages import PersonName

PATH = "/v1/panics"
STAFF = frozenset({"admin", "operator"})


def shown(row: Any) -> PanicOut:
    """A row of panic_face with the database's time."""
    last = None
    if row["position_at"] is not None:
        age_s = max(0.0, (row["now"] - row["position_at"]).total_seconds())
        last = LastSeen(row["position_at"], age_s, row["position_accuracy"], row["battery"])
    return PanicOut(
        id=row["panic_id"],
        state=row["state"],
        person=PersonName(row["ref"], row["name"]),
        area=row["area"],
        source=row["source"],
        covert=row["covert"],
        duress=row["duress"],
        verified=row["verified"],
        at=row["at"],
        event_at=row["event_at"],
        received_at=row["received_at"],
        presses=row["presses"],
        owner=None if row["owner_id"] is None else Owner(row["owner_id"], row["owner"]),
        acknowledged_at=row["acknowledged_at"],
        round=row["round"],
        next_alert_at=row["realert_at"],
        outcome=row["outcome"],
        note=row["note"],
        ended_at=row["ended_at"],
        position=last,
    )


async def listed(
    db: Database, operation_id: int, scope: Scope, query: PanicsQuery
) -> Page[PanicOut]:
    """The panics in sight, newest first."""
    from_at, panic_id = query.after(datetime, UUID)
    is_open = None if query.open is None else query.open == "true"
    args = (*store.sight_of(scope), is_open, from_at, panic_id, query.limit + 1)
    async with db.transaction(operation_id, lane="panic") as con:
        rows = await con.fetch(SQL.panics, *args)
    return page(PATH, query, rows, lambda r: (r["received_at"], r["panic_id"]), shown)


async def one(con: Any, scope: Scope, panic_id: UUID) -> PanicOut:
    """One panic in sight. Raises NotFound."""
    row = await con.fetchrow(SQL.panic, panic_id, *store.sight_of(scope))
    if row is None:
        raise NotFound(NO_PANIC)
    return shown(row)


async def get(db: Database, operation_id: int, scope: Scope, panic_id: UUID) -> PanicOut:
    """One panic in sight, as it stands."""
    async with db.transaction(operation_id, lane="panic") as con:
        return await one(con, scope, panic_id)


async def detail(
    db: Database, who: Principal, scope: Scope, panic_id: UUID, reason: str | None
) -> PanicDetail:
    """One panic with its timeline; its positions for a reason, to admins and operators.

    Raises NotFound, or Forbidden where the caller may not be shown positions.
    """
    if reason is not None and who.role not in STAFF:
        raise Forbidden("Only admins and operators are shown positions.")
    async with db.transaction(who.operation_id, lane="panic") as con:
        return await _detail(con, who, scope, panic_id, reason)


async def _detail(
    con: Any, who: Principal, scope: Scope, panic_id: UUID, reason: str | None
) -> PanicDetail:
    face = await one(con, scope, panic_id)
    places = None
    if reason is not None:
        places = [Position(**r) for r in await con.fetch(SQL.positions, panic_id)]
        await con.execute(SQL.note_access, panic_id, who.actor, reason, len(places))
    facts = [_fact(r) for r in await con.fetch(SQL.facts, panic_id)]
    access = nearby = None
    if scope.people is None:
        access = [Access(**r) for r in await con.fetch(SQL.access, panic_id)]
        nearby = [Nearby(**r) for r in await con.fetch(SQL.helpers, panic_id)]
    own = {name: getattr(face, name) for name in PanicOut.__struct_fields__}
    return PanicDetail(**own, facts=facts, positions=places, access=access, nearby=nearby)


def _fact(row: Any) -> Fact:
    return Fact(**{**row, "detail": msgspec.json.decode(row["detail"])})


async def export(db: Database, who: Principal, scope: Scope, panic_id: UUID) -> PanicExport:
    """All that is known of one panic; that its positions were read is on record."""
    async with db.transaction(who.operation_id) as con:
        found = await _detail(con, who, scope, panic_id, "export")
        await store.audit(con, who.actor, "panic.export", panic_id)
        return PanicExport(
            format="muster.panic/1",
            exported_at=await store.clock(con),
            exported_by=who.name or who.actor,
            operation=await con.fetchval(SQL.operation),
            panic=found,
        )
