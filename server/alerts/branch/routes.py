"""The call of the call-down list."""

from collections.abc import Sequence

from server.alerts.branch import reading
from server.alerts.branch.messages import BranchList, BranchQuery
from server.db import Database
from server.web import Call, Endpoint, Reply


class Branch:
    """The handler, over one database. `texted`: prefixes of numbers an SMS route serves."""

    def __init__(self, database: Database, texted: Sequence[str]) -> None:
        self._db = database
        self._texted = texted

    async def get(self, call: Call) -> Reply:
        """A warden's people, in the order to call."""
        scope = await call.auth.scope(call.me)
        found = await reading.branch(self._db, call.me, scope, call.query, self._texted)
        return Reply(200, found)


def endpoints(database: Database, texted: Sequence[str]) -> list[Endpoint]:
    """The calls of this room."""
    return [
        Endpoint(
            "GET",
            reading.PATH,
            Branch(database, texted).get,
            "A warden's call-down list: her people, the silent first, and what is known of each",
            "branch.read",
            {200: BranchList},
            query=BranchQuery,
        )
    ]
