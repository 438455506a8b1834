"""What viewers of the stream get of panics: each event by itself, at once, as it then stands."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from server import stream
from server.alerts.panics import store
from server.alerts.panics.reading import shown
from server.alerts.panics.store import SQL
from server.auth import Scope
from server.db import Database
from server.hub import Kind


class Board:
    """Renders over one database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def kinds(self) -> list[Kind]:
        """The hub's kind of this room; without a key, so that none is ever merged with another."""
        return [Kind("panic", key=None, urgent=True, render=self._panic)]

    async def _panic(
        self, operation_id: int, scope: Scope, events: Sequence[stream.Event]
    ) -> dict[str, Any] | None:
        """{panic: PANIC, what}; nothing where it is not in sight. No coordinates."""
        data = events[-1].data
        async with self._db.transaction(operation_id, lane="panic") as con:
            row = await con.fetchrow(SQL.panic, UUID(data["panic_id"]), *store.sight_of(scope))
        if row is None:
            return None
        return {"panic": msgspec.to_builtins(shown(row)), "what": data["what"]}
