"""Codes and checkers over HTTP."""

from collections.abc import Callable

from server.db import Database
from server.relocation.codes import actions, bundle
from server.relocation.codes.messages import (
    Bundle,
    BundleQuery,
    Checkers,
    CodeIn,
    CodeOut,
    Codes,
)
from server.relocation.movements import store as movements
from server.vault import Vault
from server.web import Call, Endpoint, Reply

ONE = "/v1/movements/{movement_id}"


class CodesRoom:
    """The handlers."""

    def __init__(self, database: Database, wake: Callable[[int], None], vault: Vault) -> None:
        self._db = database
        self._wake = wake
        self._vault = vault

    async def change(self, call: Call) -> Reply:
        """A person's code, issued or revoked."""
        scope = await call.auth.scope(call.me)
        about = (call.path["ref"], call.body)
        found = await actions.change_code(self._db, self._vault, call.me, scope, *about)
        return Reply(200, found)

    async def own(self, call: Call) -> Reply:
        """The codes of a phone's owner and her family."""
        return Reply(200, Codes(await actions.own_codes(self._db, self._vault, call.me)))

    async def checkers(self, call: Call) -> Reply:
        """Who checks a movement."""
        scope, movement_id = await call.auth.scope(call.me), call.uuid("movement_id")
        async with self._db.transaction(call.me.operation_id) as con:
            await movements.must_see(con, movements.sight_of(call.me, scope), movement_id)
            return Reply(200, Checkers(await actions.checkers(con, movement_id)))

    async def name(self, call: Call) -> Reply:
        """Somebody checks a movement."""
        return await self._name(call, True)

    async def relieve(self, call: Call) -> Reply:
        """Somebody checks it no more."""
        return await self._name(call, False)

    async def _name(self, call: Call, checks: bool) -> Reply:
        scope, movement_id = await call.auth.scope(call.me), call.uuid("movement_id")
        about = (movement_id, call.path["checker"], checks)
        found = await actions.name_checker(self._db, call.me, scope, *about)
        self._wake(call.me.operation_id)
        return Reply(200, Checkers(found))

    async def bundle(self, call: Call) -> Reply:
        """A checker's list."""
        about = (call.uuid("movement_id"), call.query.vehicle)
        return Reply(200, await bundle.bundle(self._db, call.me, *about))


def endpoints(database: Database, wake: Callable[[int], None], vault: Vault) -> list[Endpoint]:
    """The calls of codes and checkers."""
    room = CodesRoom(database, wake, vault)
    checker = f"{ONE}/checkers/{{checker}}"
    return [
        Endpoint(
            "POST",
            "/v1/people/{ref}/code",
            room.change,
            "Issue, re-issue or revoke a person's signed code",
            "code.issue",
            {200: CodeOut},
            body=CodeIn,
        ),
        Endpoint(
            "POST",
            "/v1/self/codes",
            room.own,
            "The codes of a phone's owner and her family",
            "self",
            {200: Codes},
        ),
        Endpoint(
            "GET",
            f"{ONE}/checkers",
            room.checkers,
            "Who checks a movement",
            "checker.read",
            {200: Checkers},
        ),
        Endpoint(
            "PUT",
            checker,
            room.name,
            "Somebody checks a movement, with whatever phone is hers",
            "checker.name",
            {200: Checkers},
        ),
        Endpoint(
            "DELETE",
            checker,
            room.relieve,
            "Somebody checks a movement no more",
            "checker.name",
            {200: Checkers},
        ),
        Endpoint(
            "GET",
            f"{ONE}/bundle",
            room.bundle,
            "All a checker's phone needs where there is no network",
            "checker.list",
            {200: Bundle},
            query=BundleQuery,
        ),
    ]
