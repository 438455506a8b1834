"""The tree over HTTP."""

from server.auth import Authenticator
from server.db import Database
from server.people.tree import actions, health, reading
from server.people.tree.messages import (
    NodeChanged,
    NodeIn,
    SeenQuery,
    TreeChanged,
    TreeHealth,
    TreePage,
    TreeQuery,
    VersionsPage,
    VersionsQuery,
)
from server.web import Call, Endpoint, Reply

_BODY = 4 * 1024 * 1024  # a node may name thousands of members


class TreeRoutes:
    """Handlers of /v1/tree."""

    def __init__(self, db: Database, auth: Authenticator) -> None:
        self._db = db
        self._auth = auth

    async def tree(self, call: Call) -> Reply:
        """The communication tree."""
        scope = await self._auth.scope(call.me)
        return Reply(200, await reading.tree(self._db, call.me, scope, call.query))

    async def versions(self, call: Call) -> Reply:
        """Its versions."""
        scope = await self._auth.scope(call.me)
        return Reply(200, await reading.versions(self._db, call.me, scope, call.query))

    async def health(self, call: Call) -> Reply:
        """What is wrong with it."""
        scope = await self._auth.scope(call.me)
        return Reply(200, await health.health(self._db, call.me, scope))

    async def put(self, call: Call) -> Reply:
        """A node as it shall be."""
        scope = await self._auth.scope(call.me)
        changed, new = await actions.put(self._db, call.me, scope, call.path["node"], call.body)
        self._auth.forget_scopes()
        return Reply(201 if new else 200, changed)

    async def remove(self, call: Call) -> Reply:
        """A node less."""
        scope, node = await self._auth.scope(call.me), call.path["node"]
        version = await actions.remove(self._db, call.me, scope, node, call.query.version)
        self._auth.forget_scopes()
        return Reply(200, TreeChanged(version))

    def endpoints(self) -> list[Endpoint]:
        """The calls of this class."""
        one, read = "/v1/tree/nodes/{node}", "tree.read"
        return [
            Endpoint(
                "GET",
                "/v1/tree",
                self.tree,
                "The communication tree and how it stands, as far as the caller sees it",
                read,
                {200: TreePage},
                query=TreeQuery,
            ),
            Endpoint(
                "GET",
                "/v1/tree/versions",
                self.versions,
                "Versions of the tree, newest first",
                "tree.history",
                {200: VersionsPage},
                query=VersionsQuery,
            ),
            Endpoint(
                "GET",
                "/v1/tree/health",
                self.health,
                "What to mend in the tree before any crisis",
                read,
                {200: TreeHealth},
            ),
            Endpoint(
                "PUT",
                one,
                self.put,
                "Make a node, or change it",
                "tree.write",
                {201: NodeChanged, 200: NodeChanged},
                body=NodeIn,
                body_limit=_BODY,
            ),
            Endpoint(
                "DELETE",
                one,
                self.remove,
                "Remove a node; those below it move to its parent",
                "tree.write",
                {200: TreeChanged},
                query=SeenQuery,
            ),
        ]
