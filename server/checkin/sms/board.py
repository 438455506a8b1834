"""Calls for help as desks see them: in lists, and live."""

from typing import Any
from uuid import UUID

import msgspec

from server.auth import Scope
from server.checkin.sms.messages import HelpCall, TextIn
from server.checkin.sms.store import SQL
from server.db import Database
from server.hub import Kind
from server.people.messages import PersonName
from server.stream import Event


def shown_text(row: Any) -> TextIn:
    """A row of texts_in."""
    return TextIn(
        id=row["inbound_id"],
        source=row["source"],
        route=row["route"],
        sender=row["sender"],
        recipient=row["recipient"],
        body=row["body"],
        at=row["at"],
        received_at=row["received_at"],
        repeated=row["repeated"],
        state=row["state"],
        said=row["said"],
        person=_person(row),
        alert_id=row["alert_id"],
        watch_id=row["watch_id"],
        movement_id=row["movement_id"],
        detail=row["detail"],
        answered=row["answered"],
        understood_at=row["understood_at"],
    )


def shown_call(row: Any) -> HelpCall:
    """A row of help_calls."""
    return HelpCall(
        id=row["help_id"],
        kind=row["kind"],
        verified=row["verified"],
        sender=row["sender"],
        person=_person(row),
        area=row["area"],
        body=row["body"],
        placed=row["placed"],
        raised_at=row["raised_at"],
        repeated=row["repeated"],
        last_at=row["last_at"],
        closed_at=row["closed_at"],
        closed_by=row["closed_by"],
        outcome=row["outcome"],
        note=row["note"],
    )


def _person(row: Any) -> PersonName | None:
    return None if row["ref"] is None else PersonName(row["ref"], row["name"])


class Faces:
    """Renders calls for help for viewers of the stream."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def kinds(self) -> list[Kind]:
        """The hub's kinds of this room: told at once, the newest word on each."""
        return [Kind("help_call", lambda e: str(e.data["help_id"]), True, self._call)]

    async def _call(
        self, operation_id: int, scope: Scope, events: list[Event]
    ) -> dict[str, Any] | None:
        """{help_call: CALL} as it stands; nothing for wardens, who have no lists of them."""
        if scope.people is not None:
            return None
        args = (UUID(events[-1].data["help_id"]), scope.area_list())
        rows = await self._db.fetch(operation_id, SQL.help_call, *args)
        return {"help_call": msgspec.to_builtins(shown_call(rows[0]))} if rows else None
