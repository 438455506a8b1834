"""Presences over HTTP."""

from server.auth import Authenticator
from server.db import Database
from server.people.presence import actions
from server.people.presence.messages import PresenceIn, PresenceOut, PresencePage, PresenceQuery
from server.web import Call, Endpoint, Reply


class PresenceRoutes:
    """Handlers of /v1/presence. A change moves people between branches: scopes are forgotten."""

    def __init__(self, db: Database, auth: Authenticator) -> None:
        self._db = db
        self._auth = auth

    async def add(self, call: Call) -> Reply:
        """A leave, travel or visit."""
        scope = await self._auth.scope(call.me)
        made, new = await actions.add(self._db, call.me, scope, call.body)
        self._auth.forget_scopes()
        return Reply(201 if new else 200, made)

    async def remove(self, call: Call) -> Reply:
        """Taken back."""
        scope = await self._auth.scope(call.me)
        await actions.remove(self._db, call.me, scope, call.uuid("presence_id"))
        self._auth.forget_scopes()
        return Reply(204)

    async def listed(self, call: Call) -> Reply:
        """What is not over."""
        scope = await self._auth.scope(call.me)
        return Reply(200, await actions.listed(self._db, call.me, scope, call.query))

    def endpoints(self) -> list[Endpoint]:
        """The calls of this class."""
        return [
            Endpoint(
                "POST",
                "/v1/presence",
                self.add,
                "Say where somebody is expected: leave, travel, or a visit to an area",
                "presence.write",
                {201: PresenceOut, 200: PresenceOut},
                body=PresenceIn,
            ),
            Endpoint(
                "GET",
                "/v1/presence",
                self.listed,
                "Leave, travel and visits that are not over",
                "presence.read",
                {200: PresencePage},
                query=PresenceQuery,
            ),
            Endpoint(
                "DELETE",
                "/v1/presence/{presence_id}",
                self.remove,
                "Take a leave, travel or visit back",
                "presence.write",
                {204: None},
            ),
        ]
