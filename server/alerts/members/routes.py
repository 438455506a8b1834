"""The calls that change a population."""

from collections.abc import Sequence

from server.alerts.members import adding, merging
from server.alerts.messages import AdditionIn, MergedOut, MergeIn
from server.auth import Authenticator
from server.db import Database
from server.errors import NotFound
from server.people.counted import AlertPerson
from server.web import Call, Endpoint, Reply


class Members:
    """The handlers, over one database."""

    def __init__(self, database: Database, auth: Authenticator, texted: Sequence[str]) -> None:
        self._db = database
        self._texted = texted
        self._auth = auth

    async def add(self, call: Call) -> Reply:
        """Adds one to the population of an alert."""
        scope = await call.auth.scope(call.me)
        alert_id = call.uuid("alert_id")
        member, made = await adding.add(self._db, call.me, scope, alert_id, call.body, self._texted)
        self._auth.forget_scopes()
        return Reply(201 if made else 200, member)

    async def merge(self, call: Call) -> Reply:
        """Makes one of an added person and one of the roster."""
        scope = await call.auth.scope(call.me)
        ref, into = call.path["ref"], call.body.into
        if "\x00" in ref:  # PostgreSQL holds no such text
            raise NotFound(merging.NO_PERSON)
        merged = await merging.merge(self._db, call.me, scope, ref, into)
        self._auth.forget_scopes()
        return Reply(200, merged)


def endpoints(database: Database, auth: Authenticator, texted: Sequence[str]) -> list[Endpoint]:
    """The calls that change a population."""
    room = Members(database, auth, texted)
    return [
        Endpoint(
            "POST",
            "/v1/alerts/{alert_id}/people",
            room.add,
            "Add one more to the population",
            "alert.people",
            {201: AlertPerson, 200: AlertPerson},
            body=AdditionIn,
        ),
        Endpoint(
            "POST",
            "/v1/people/{ref}/merge",
            room.merge,
            "Make one of an added person and one of the roster",
            "person.write",
            {200: MergedOut},
            body=MergeIn,
        ),
    ]
