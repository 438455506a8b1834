"""The people of an alert: who is accounted for, who is not, how each can be reached."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec

from server import paging
from server.auth import Scope
from server.checkin.messages import AlertPerson, AreaName, PeoplePage, PeopleQuery, ReportedBy
from server.checkin.store import SQL
from server.db import Database
from server.errors import NotFound


async def people(
    database: Database, operation_id: int, alert_id: UUID, scope: Scope, query: PeopleQuery
) -> PeoplePage:
    """One page, by name. Raises NotFound for an alert outside the operation."""
    after_name, after_id = paging.decode(query.cursor, (str, int)) or (None, None)
    areas = None if scope.areas is None else list(scope.areas)
    filters = (query.status, query.area, query.agency, query.category, _literal(query.q))
    async with database.transaction(operation_id) as con:
        if await con.fetchrow(SQL.alert_head, alert_id) is None:
            raise NotFound("There is no such alert.")
        rows = await con.fetch(
            SQL.people_of_alert,
            alert_id,
            areas,
            scope.people_list(),
            *filters,
            after_name,
            after_id,
            query.limit + 1,
        )
        shown = rows[: query.limit]
        reach = await _reach(con, [r["person_id"] for r in shown])
    more = len(rows) > query.limit
    return PeoplePage(
        items=[_person(r, reach.get(r["person_id"], "none")) for r in shown],
        next=_next(alert_id, query, shown[-1]) if more else None,
    )


def _literal(text: str | None) -> str | None:
    """Search text with the wildcards of LIKE taken literally."""
    if text is None:
        return None
    return text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")


async def _reach(con: Any, ids: list[int]) -> dict[int, str]:
    rows = await con.fetch(SQL.reach, ids)
    return {r["person_id"]: r["reach"] for r in rows}


def _next(alert_id: UUID, query: PeopleQuery, last: Any) -> str:
    asked = {k: v for k, v in msgspec.to_builtins(query).items() if v is not None}
    asked["cursor"] = paging.encode((last["name"], last["person_id"]))
    return f"/v1/alerts/{alert_id}/people?{urlencode(asked)}"


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
        reported_by=ReportedBy(by) if by else None,
        reach=reach,  # type: ignore[arg-type]
        sponsor=row["sponsor"],
        phone=row["phone"],
        added=row["added"],
    )
