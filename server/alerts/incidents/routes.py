"""The calls of incidents."""

from server.alerts import store
from server.alerts.incidents import actions
from server.alerts.incidents.headcount import IncidentHeadcount, headcount
from server.alerts.messages import IncidentIn, IncidentOut, PlainQuery
from server.alerts.store import Sight
from server.db import Database
from server.paging import Page
from server.web import Call, Endpoint, Reply


class Incidents:
    """The handlers, over one database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def _sight(self, call: Call) -> Sight:
        return store.sight_of(call.me, await call.auth.scope(call.me))

    async def post(self, call: Call) -> Reply:
        """Begins an incident."""
        incident, made = await actions.create(self._db, call.me, call.body)
        return Reply(201 if made else 200, incident)

    async def list(self, call: Call) -> Reply:
        """Incidents, newest first."""
        sight = await self._sight(call)
        return Reply(200, await actions.listed(self._db, call.me.operation_id, sight, call.query))

    async def get(self, call: Call) -> Reply:
        """One incident."""
        sight, key = await self._sight(call), call.uuid("incident_id")
        return Reply(200, await actions.get(self._db, call.me.operation_id, sight, key))

    async def headcount(self, call: Call) -> Reply:
        """Everybody in an incident, once."""
        sight, key = await self._sight(call), call.uuid("incident_id")
        return Reply(200, await headcount(self._db, call.me.operation_id, sight, key))

    async def close(self, call: Call) -> Reply:
        """Ends an incident and its alerts."""
        scope = await call.auth.scope(call.me)
        incident = await actions.close(self._db, call.me, scope, call.uuid("incident_id"))
        return Reply(200, incident)


def endpoints(database: Database) -> list[Endpoint]:
    """The calls of incidents."""
    room = Incidents(database)
    one = "/v1/incidents/{incident_id}"
    read, write = "incident.read", "incident.write"
    return [
        Endpoint(
            "POST",
            "/v1/incidents",
            room.post,
            "Begin an incident",
            write,
            {201: IncidentOut, 200: IncidentOut},
            body=IncidentIn,
        ),
        Endpoint(
            "GET",
            "/v1/incidents",
            room.list,
            "Incidents, newest first",
            read,
            {200: Page[IncidentOut]},
            query=PlainQuery,
        ),
        Endpoint("GET", one, room.get, "One incident", read, {200: IncidentOut}),
        Endpoint(
            "GET",
            f"{one}/headcount",
            room.headcount,
            "Everybody in an incident, once",
            read,
            {200: IncidentHeadcount},
        ),
        Endpoint("POST", f"{one}/close", room.close, "End an incident", write, {200: IncidentOut}),
    ]
