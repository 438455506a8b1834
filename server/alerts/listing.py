"""Lists of this room, a page at a time."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import msgspec

from server.alerts import store
from server.alerts.messages import AlertOut, AlertsQuery
from server.alerts.store import SQL, Alert, Sight
from server.db import Database
from server.paging import Page, page


def shown(alert: Alert, kind: str = "session") -> AlertOut:
    """An alert as a kind of caller gets it: phones are not told operators' names."""
    maker = None if kind == "device" else alert.maker
    return msgspec.convert({**store.fields(alert), "created_by": maker}, AlertOut)


async def alerts(
    db: Database,
    operation_id: int,
    sight: Sight,
    query: AlertsQuery,
    show: Callable[[Alert], AlertOut],
) -> Page[AlertOut]:
    """The alerts in sight, newest first."""
    created_at, alert_id = query.after(datetime, UUID)
    args = (query.state, *sight.args(), created_at, alert_id, query.limit + 1)
    rows = await db.fetch(operation_id, SQL.alerts, *args)
    found = [store.as_alert(r) for r in rows]
    return page("/v1/alerts", query, found, lambda a: (a.created_at, a.alert_id), show)
