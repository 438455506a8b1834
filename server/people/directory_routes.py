"""The directory over HTTP."""

from server.auth import Authenticator
from server.db import Database
from server.people import actions, adding
from server.people.messages import (
    AgencyPage,
    AreaPage,
    PeoplePage,
    PeopleQuery,
    PersonIn,
    PersonOut,
    WideQuery,
)
from server.web import Call, Endpoint, Reply


class DirectoryRoutes:
    """Handlers of /v1/areas, /v1/agencies and /v1/people."""

    def __init__(self, db: Database, auth: Authenticator) -> None:
        self._db = db
        self._auth = auth

    async def areas(self, call: Call) -> Reply:
        """Areas by code."""
        return Reply(200, await actions.areas(self._db, self._auth, call.me, call.query))

    async def agencies(self, call: Call) -> Reply:
        """Agencies by name."""
        return Reply(200, await actions.agencies(self._db, call.me, call.query))

    async def people(self, call: Call) -> Reply:
        """People by name."""
        scope = await self._auth.scope(call.me)
        return Reply(200, await actions.people(self._db, call.me, scope, call.query))

    async def person(self, call: Call) -> Reply:
        """One person in full."""
        scope = await self._auth.scope(call.me)
        return Reply(200, await actions.person(self._db, call.me, scope, call.path["ref"]))

    async def add(self, call: Call) -> Reply:
        """Adds a person; 200 where she is on record just so."""
        scope = await self._auth.scope(call.me)
        body: PersonIn = call.body
        new = await adding.add(self._db, call.me, scope, body)
        return Reply(201 if new else 200, await actions.person(self._db, call.me, scope, body.ref))

    def endpoints(self) -> list[Endpoint]:
        """The calls of this class."""
        return [
            Endpoint(
                "GET",
                "/v1/areas",
                self.areas,
                "Areas by code",
                "area.read",
                {200: AreaPage},
                query=WideQuery,
            ),
            Endpoint(
                "GET",
                "/v1/agencies",
                self.agencies,
                "Agencies by name",
                "area.read",
                {200: AgencyPage},
                query=WideQuery,
            ),
            Endpoint(
                "GET",
                "/v1/people",
                self.people,
                "People by name; q matches name, ref and number in any script",
                "person.read",
                {200: PeoplePage},
                query=PeopleQuery,
            ),
            Endpoint(
                "POST",
                "/v1/people",
                self.add,
                "Add a person by hand; the ref makes a repeat safe",
                "person.write",
                {201: PersonOut, 200: PersonOut},
                body=PersonIn,
            ),
            Endpoint(
                "GET",
                "/v1/people/{ref}",
                self.person,
                "One person in full",
                "person.read",
                {200: PersonOut},
            ),
        ]
