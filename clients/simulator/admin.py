"""The stand-in's side door: scripts, counters, and phones in other processes.

GET /_admin/script    PUT (a whole script)    PATCH (some of its fields)
GET /_admin/stats     GET /_admin/log?after=SEQ&limit=N
POST /_admin/reset    POST /_admin/expire (all access tokens)
POST /_admin/service_account {"project"}  ->  the credentials
POST /_phones/register {"project","tokens","group"?}    POST /_phones/unregister
GET /_phones/stream?group=NAME  ->  pushes as JSON lines, an empty line as heartbeat
"""

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import msgspec

from .answers import Answer, as_json
from .script import Script
from .wire import Connection, Request

if TYPE_CHECKING:
    from .fcm import FcmServer

Query = dict[str, list[str]]


class Registration(msgspec.Struct):
    """The body of POST /_phones/register."""

    project: str
    tokens: list[str]
    group: str | None = None


class Tokens(msgspec.Struct):
    """The body of POST /_phones/unregister."""

    tokens: list[str]


class Project(msgspec.Struct):
    """The body of POST /_admin/service_account."""

    project: str


class Admin:
    """Routes the side door of one stand-in."""

    def __init__(self, fcm: "FcmServer") -> None:
        self._fcm = fcm
        self._routes: dict[str, Callable[[bytes, Query], object]] = {
            "GET /_admin/script": lambda _b, _q: fcm.script,
            "PUT /_admin/script": self._put_script,
            "PATCH /_admin/script": self._patch_script,
            "GET /_admin/stats": lambda _b, _q: fcm.stats(),
            "GET /_admin/log": self._log,
            "POST /_admin/reset": lambda _b, _q: fcm.reset(),
            "POST /_admin/expire": lambda _b, _q: {"expired": fcm.accounts.expire()},
            "POST /_admin/service_account": self._service_account,
            "POST /_phones/register": self._register,
            "POST /_phones/unregister": self._unregister,
        }

    def handle(self, request: Request, connection: Connection) -> None:
        """Answers one request; bad input is 400 {"error"}."""
        target = urlsplit(request.target)
        query = parse_qs(target.query)
        if target.path == "/_phones/stream":
            group = self._fcm.hub.group(query.get("group", [""])[0])
            group.attach(connection.take())
            return
        route = self._routes.get(f"{request.method} {target.path}")
        if route is None:
            connection.reply(as_json({"error": "no such thing here"}, 404))
            return
        connection.reply(_answer(route, request.body, query))

    def _put_script(self, body: bytes, _query: Query) -> Script:
        self._fcm.script = msgspec.json.decode(body, type=Script)
        return self._fcm.script

    def _patch_script(self, body: bytes, _query: Query) -> Script:
        changes = msgspec.json.decode(body, type=dict[str, object])
        self._fcm.script = self._fcm.script.patched(changes)
        return self._fcm.script

    def _log(self, _body: bytes, query: Query) -> object:
        after = int(query.get("after", ["0"])[0])
        limit = int(query.get("limit", ["1000"])[0])
        return {"items": self._fcm.ledger.after(after, limit)}

    def _service_account(self, body: bytes, _query: Query) -> object:
        project = msgspec.json.decode(body, type=Project).project
        return self._fcm.service_account(project)

    def _register(self, body: bytes, _query: Query) -> object:
        wanted = msgspec.json.decode(body, type=Registration)
        hub = self._fcm.hub
        sink = None if wanted.group is None else hub.group(wanted.group)
        return {"registered": hub.register(wanted.project, wanted.tokens, sink)}

    def _unregister(self, body: bytes, _query: Query) -> object:
        tokens = msgspec.json.decode(body, type=Tokens).tokens
        return {"unregistered": self._fcm.hub.unregister(tokens)}


def _answer(route: Callable[[bytes, Query], object], body: bytes, query: Query) -> Answer:
    try:
        return as_json(route(body, query))
    except (msgspec.MsgspecError, ValueError) as error:
        return as_json({"error": str(error)}, 400)
