"""The people of an alert: who is accounted for, who is not, how each can be reached."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from server import paging
from server.auth import Scope
from server.checkin.messages import PeopleQuery
from server.checkin.store import SQL
from server.db import Database
from server.errors import NotFound
from server.people.counted import AlertPerson, Reach, alert_person


async def people(
    database: Database,
    operation_id: int,
    alert_id: UUID,
    scope: Scope,
    query: PeopleQuery,
    texted: Sequence[str] = (),
) -> paging.Page[AlertPerson]:
    """One page, by name. Raises NotFound for an alert outside the operation or the scope."""
    areas = scope.area_list()
    filters = (query.status, query.area, query.agency, query.category, _literal(query.q))
    seen = (alert_id, areas, scope.people_list())
    async with database.transaction(operation_id) as con:
        known = await con.fetchrow(SQL.alert_head, alert_id) is not None
        if not known or not (scope.whole or await con.fetchval(SQL.in_sight, *seen)):
            raise NotFound("There is no such alert.")
        rows = await con.fetch(
            SQL.people_of_alert,
            *seen,
            *filters,
            *query.after(str, int),
            query.limit + 1,
            query.expected,
        )
        reach = await _reach(con, [r["person_id"] for r in rows], texted)
    return paging.page(
        f"/v1/alerts/{alert_id}/people",
        query,
        rows,
        key=lambda r: (r["name"], r["person_id"]),
        item=lambda r: alert_person(r, reach.get(r["person_id"], "none")),
    )


def _literal(text: str | None) -> str | None:
    """Search text with the wildcards of LIKE taken literally."""
    if text is None:
        return None
    return text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")


async def _reach(con: Any, ids: list[int], texted: Sequence[str]) -> dict[int, Reach]:
    rows = await con.fetch(SQL.reach, ids, list(texted))
    return {r["person_id"]: r["reach"] for r in rows}
