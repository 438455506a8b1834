"""What viewers of the stream get of alerts and of deliveries, read as they are when told."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from server import stream
from server.alerts import listing, store
from server.alerts.deliveries.progress import COUNTS
from server.alerts.deliveries.store import SQL as DELIVERIES
from server.alerts.health.routes import shown as alarm_shown
from server.alerts.health.store import SQL as HEALTH
from server.alerts.store import Sight
from server.auth import Scope
from server.db import Database
from server.hub import Kind


class Board:
    """Renders over one database; each render sees what its scope may see."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def alert(
        self, operation_id: int, scope: Scope, events: Sequence[stream.Event]
    ) -> dict[str, Any] | None:
        """{alert: ALERT} as it stands; None where it is not in sight."""
        alert_id = _about(events)
        async with self._db.transaction(operation_id) as con:
            found = await store.alert(con, alert_id)
            if found is None or not await store.sees(con, alert_id, _sight(scope)):
                return None
        return {"alert": msgspec.to_builtins(listing.shown(found))}

    async def alarm(
        self, operation_id: int, scope: Scope, events: Sequence[stream.Event]
    ) -> dict[str, Any] | None:
        """{alarm: ALARM} as it stands; nothing for wardens."""
        if scope.people is not None:
            return None
        alarm_id = UUID(events[-1].data["alarm_id"])
        rows = await self._db.fetch(operation_id, HEALTH.alarm, alarm_id)
        return {"alarm": msgspec.to_builtins(alarm_shown(rows[0]))} if rows else None

    async def delivery(
        self, operation_id: int, scope: Scope, events: Sequence[stream.Event]
    ) -> dict[str, Any] | None:
        """{alert_id, counts} of deliveries to the people in scope; nothing for wardens.

        Each count is of deliveries for which the fact holds: queued is all of them.
        """
        if scope.people is not None:
            return None
        alert_id = _about(events)
        areas = events[-1].data.get("areas")
        if areas is None:  # told by older code, which left the counting to us
            areas = await self._db.fetch(operation_id, DELIVERIES.delivery_counts, alert_id)
        seen = [row[1:] for row in areas if scope.areas is None or row[0] in scope.areas]
        counts = dict(zip(COUNTS, map(sum, zip(*seen, strict=True)), strict=True)) if seen else None
        return counts and {"alert_id": str(alert_id), "counts": counts}


def _alarm_key(event: stream.Event) -> str:
    return str(event.data["alarm_id"])


def _about(events: Sequence[stream.Event]) -> UUID:
    return UUID(events[-1].data["alert_id"])


def _sight(scope: Scope) -> Sight:
    return Sight(scope.area_list(), scope.people_list(), "")


def _key(event: stream.Event) -> str:
    return str(event.data["alert_id"])


def kinds(database: Database) -> list[Kind]:
    """The kinds of event this room renders."""
    own = Board(database)
    return [
        Kind("alert", key=_key, urgent=True, render=own.alert),
        Kind("alarm", key=_alarm_key, urgent=True, render=own.alarm),
        Kind("delivery", key=_key, urgent=False, render=own.delivery),
    ]
