"""The people of an alert: who is accounted for, who is not, how each can be reached."""

from typing import Any
from uuid import UUID

from server import paging
from server.auth import Scope
from server.checkin.messages import AlertPerson, AreaName, PeopleQuery, ReportedBy
from server.checkin.store import SQL
from server.db import Database
from server.errors import NotFound


async def people(
    database: Database, operation_id: int, alert_id: UUID, scope: Scope, query: PeopleQuery
) -> paging.Page[AlertPerson]:
    """One page, by name. Raises NotFound for an alert outside the operation."""
    areas = None if scope.areas is None else list(scope.areas)
    filters = (query.status, query.area, query.agency, query.category, _literal(query.q))
    seen = (alert_id, areas, scope.people_list())
    async with database.transaction(operation_id) as con:
        if await con.fetchrow(SQL.alert_head, alert_id) is None:
            raise NotFound("There is no such alert.")
        rows = await con.fetch(
            SQL.people_of_alert, *seen, *filters, *query.after(str, int), query.limit + 1
        )
        reach = await _reach(con, [r["person_id"] for r in rows])
    return paging.page(
        f"/v1/alerts/{alert_id}/people",
        query,
        rows,
        key=lambda r: (r["name"], r["person_id"]),
        item=lambda r: _person(r, reach.get(r["person_id"], "none")),
    )


def _literal(text: str | None) -> str | None:
    """Search text with the wildcards of LIKE taken literally."""
    if text is None:
        return None
    return text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")


async def _reach(con: Any, ids: list[int]) -> dict[int, str]:
    rows = await con.fetch(SQL.reach, ids)
    return {r["person_id"]: r["reach"] for r in rows}


def _person(row: Any, reach: str) -> AlertPerson:
    by = row["reporter"]
    return AlertPerson(
        ref=row["ref"],
        name=row["name"],
        category=row["category"],
        area=AreaName(row["area_code"], row["area_name"]),
        agency=row["agency"],
        status=row["status"],
        event_at=row["event_at"],
        received_at=row["received_at"],
        late=row["late"],
        note=row["note"],
        reported_by=ReportedBy(by, row["reporter_name"]) if by else None,
        reach=reach,  # type: ignore[arg-type]
        sponsor=row["sponsor"],
        phone=row["phone"],
        added=row["added"],
    )
