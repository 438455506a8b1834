"""The calls of texts that come in: gateways bring them, desks see them and close calls for help."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from server import log
from server.checkin.sms.actions import NO_CALL, Inbox, close_help
from server.checkin.sms.board import shown_call, shown_text
from server.checkin.sms.intake import text_of
from server.checkin.sms.locating import locate
from server.checkin.sms.messages import (
    HelpCall,
    HelpCallsQuery,
    HelpCloseIn,
    HelpPosition,
    HelpPositionQuery,
    TextIn,
    TextsQuery,
)
from server.checkin.sms.store import SQL
from server.db import Database
from server.errors import NotFound, refuse_field
from server.gateways import Doors, of_gateway
from server.paging import Page, page
from server.texting import SmsRoute
from server.web import Call, Endpoint, Reply

LOGGER = log.get("texts")
PATH = "/v1/inbound/sms/{route}"
TAKEN = 200  # not 204: Kannel asks again for what is neither 200 nor 202, then drops the text
NO_WORD = b"<Response/>"  # Twilio texts back what it reads here
_PLAIN = [(b"content-type", b"text/plain; charset=utf-8")]
_TWIML = [(b"content-type", b"text/xml")]


class Texts:
    """The handlers, over one database and the configured routes."""

    def __init__(self, database: Database, doors: Doors[SmsRoute], inbox: Inbox) -> None:
        self._db = database
        self._doors = doors
        self._inbox = inbox

    async def take(self, call: Call) -> Reply:
        """Takes one text: on record before the answer. Raises Unauthenticated."""
        route, request = of_gateway(self._doors, call)
        text = text_of(route, request)
        if text is None:
            LOGGER.info("no_text", route=route.name)
        else:
            await self._inbox.take(route, text)
        if route.kind == "twilio":
            return Reply(TAKEN, NO_WORD, _TWIML)
        return Reply(TAKEN, b"", _PLAIN)

    async def list(self, call: Call) -> Reply:
        """Texts that came in, newest first."""
        query = call.query
        areas = (await call.auth.scope(call.me)).area_list()
        after = query.after(datetime, UUID)
        wanted = (areas, query.state, query.unverified == "true")
        bare = call.me.role == "auditor"
        rows = await self._db.fetch(
            call.me.operation_id, SQL.texts_in, *wanted, *after, query.limit + 1, bare
        )
        key = ("received_at", "inbound_id")
        cut = page("/v1/inbound", query, rows, lambda r: [r[k] for k in key], shown_text)
        return Reply(200, cut)

    async def calls(self, call: Call) -> Reply:
        """Calls for help by text, newest first."""
        query = call.query
        areas = (await call.auth.scope(call.me)).area_list()
        after = query.after(datetime, UUID)
        still = None if query.open is None else query.open == "true"
        wanted = (areas, still, query.unverified == "true")
        rows = await self._db.fetch(
            call.me.operation_id, SQL.help_calls, *wanted, *after, query.limit + 1
        )
        key = ("raised_at", "help_id")
        cut = page("/v1/help-calls", query, rows, lambda r: [r[k] for k in key], shown_call)
        return Reply(200, cut)

    async def position(self, call: Call) -> Reply:
        """Where a call for help was made, for a reason."""
        scope, why = await call.auth.scope(call.me), call.query.reason
        if why is None:
            raise refuse_field("reason", "Say why: respond, verify, hand_over or review.")
        found = await locate(self._db, call.me, scope, call.uuid("help_id"), why)
        return Reply(200, found)

    async def close(self, call: Call) -> Reply:
        """Closes a call for help; the same again changes nothing."""
        scope = await call.auth.scope(call.me)
        help_id, body = call.uuid("help_id"), call.body
        made = await close_help(self._db, call.me, scope, help_id, body.outcome, body.note)
        args = (help_id, scope.area_list())
        rows = await self._db.fetch(call.me.operation_id, SQL.help_call, *args)
        if not rows:
            raise NotFound(NO_CALL)
        return Reply(201 if made else 200, shown_call(rows[0]))


def endpoints(
    database: Database, doors: Doors[SmsRoute], wake: Callable[[int], None]
) -> list[Endpoint]:
    """The calls of this room. Gateways bring texts by POST; Kannel by GET too."""
    room = Texts(database, doors, Inbox(database, wake))
    words = "A gateway brings a text that came in"
    return [
        Endpoint("GET", PATH, room.take, words, None, {TAKEN: "text/plain"}),
        Endpoint(
            "POST",
            PATH,
            room.take,
            words,
            None,
            {TAKEN: "text/plain"},
            body=bytes,
            decode=bytes,
            lenient=True,
        ),
        Endpoint(
            "GET",
            "/v1/inbound",
            room.list,
            "Texts that came in, and what was made of each",
            "inbound.read",
            {200: Page[TextIn]},
            query=TextsQuery,
        ),
        Endpoint(
            "GET",
            "/v1/help-calls",
            room.calls,
            "Calls for help by text",
            "help.read",
            {200: Page[HelpCall]},
            query=HelpCallsQuery,
        ),
        Endpoint(
            "GET",
            "/v1/help-calls/{help_id}/position",
            room.position,
            "Where a call for help was made; each reading is noted",
            "help.locate",
            {200: HelpPosition},
            query=HelpPositionQuery,
        ),
        Endpoint(
            "POST",
            "/v1/help-calls/{help_id}/close",
            room.close,
            "Close a call for help",
            "help.close",
            {201: HelpCall, 200: HelpCall},
            body=HelpCloseIn,
        ),
    ]
