"""The API process, composed: the only place, with `worker`, that knows every room."""

import asyncio
import socket
from collections.abc import Iterable
from contextlib import nullcontext
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

import server.alerts.board
import server.alerts.panics.board
import server.alerts.panics.routes
import server.alerts.routes
import server.checkin.board
import server.checkin.routes
import server.checkin.satellite.routes
import server.checkin.sms.board
import server.checkin.sms.routes
import server.checkin.watches.board
import server.checkin.watches.hand_over.routes
import server.checkin.watches.routes
import server.hub
import server.people.routes
import server.people.tree.board
import server.relocation.board
import server.relocation.routes
from server import errors, log, openapi, web
from server.alerts.deliveries.progress import Progress
from server.alerts.health.alarms import EVERY_S as ALARMS_S
from server.alerts.health.alarms import Alarms
from server.auth import Authenticator, keep_last_seen
from server.checkin.actions import collector as checkin_reports
from server.config import Settings
from server.db import Database
from server.gateways import Doors
from server.hub import Hub
from server.mailing import served
from server.relocation.actions import collector as stage_reports
from server.satellites import satellite_routes
from server.supervise import Supervisor, every, settled, stop_on_signals
from server.system import System
from server.texting import sms_routes
from server.vapid import open_push_key
from server.vault import open_vault
from server.web import Endpoint, Shell

LOGGER = log.get("app")
STATIC = Path(__file__).parent / "static"
DRAIN_S = 4


class Api:
    """Everything an API process holds, from the pool to the ASGI application."""

    def __init__(self, settings: Settings, dsn: str) -> None:
        self.db = Database(dsn, settings.pool_size)
        self.auth = Authenticator(self.db)
        kinds = [
            *server.checkin.board.Faces(self.db).kinds(),
            *server.alerts.board.kinds(self.db),
            *server.alerts.panics.board.Board(self.db).kinds(),
            *server.people.tree.board.kinds(),
            *server.checkin.sms.board.Faces(self.db).kinds(),
            *server.checkin.watches.board.Faces(self.db).kinds(),
            *server.relocation.board.Faces(self.db).kinds(),
        ]
        self.hub = Hub(self.db, kinds)
        self.checkins = checkin_reports(self.db, self.hub.wake)
        self.progress = Progress(self.db)
        self.stages = stage_reports(self.db, self.hub.wake)
        vault = open_vault(settings)
        texts = Doors(sms_routes(settings), settings.public_url)
        satellites = Doors(satellite_routes(settings), settings.public_url)
        self.endpoints: list[Endpoint] = [
            *server.checkin.routes.endpoints(self.db, self.checkins, served(settings)),
            *server.checkin.sms.routes.endpoints(self.db, texts, self.hub.wake),
            *server.checkin.satellite.routes.endpoints(self.db, satellites, self.hub.wake),
            *server.checkin.watches.hand_over.routes.endpoints(self.db, self.hub.wake),
            *server.checkin.watches.routes.endpoints(self.db, self.hub.wake),
            *server.people.routes.endpoints(self.db, self.auth, settings, vault),
            *server.alerts.routes.endpoints(self.db, self.auth, settings, self.progress),
            *server.alerts.panics.routes.endpoints(self.db, served(settings), self.hub.wake),
            *server.relocation.routes.endpoints(
                self.db, self.stages, self.hub.wake, served(settings), vault
            ),
            *server.hub.endpoints(self.hub, self.auth),
            *System(self.db, settings, open_push_key(settings), self.document).endpoints(),
        ]
        self._document = msgspec.json.encode(openapi.document(self.endpoints, settings.public_url))
        self.asgi = build_router(self.endpoints, self.auth)

    def document(self) -> bytes:
        """The served OpenAPI document."""
        return self._document

    async def open(self) -> None:
        """Opens the pools."""
        await self.db.open()

    async def close(self) -> None:
        """Ends streams, answers what was taken, closes the pools."""
        await self.hub.close()
        await self.idle()
        await self.progress.stop()
        await self.db.close()

    async def idle(self) -> None:
        """Returns when every report that was taken has been answered."""
        await asyncio.gather(self.checkins.idle(), self.stages.idle())


def build_router(endpoints: Iterable[Endpoint], auth: Authenticator) -> ASGIApp:
    """The endpoints, then the clients' pages, then a 404 in our form.

    A path without a parameter is found by a look into a table, however many there are; the others
    one after the other.
    """
    ordered = groupby(sorted(endpoints, key=lambda e: e.path), key=lambda e: e.path)
    shells = {path: Shell(list(own), auth) for path, own in ordered}
    named = [Route(path, endpoint=shell) for path, shell in shells.items() if "{" in path]
    pages = [Mount(f"/{name}", app=Pages(STATIC / name)) for name in ("console", "phone")]
    routes = [*named, *pages, Route("/", endpoint=_to_console)]
    router = Router(routes=routes, default=_nothing_here, redirect_slashes=False)

    async def found(scope: Scope, receive: Receive, send: Send) -> None:
        await shells.get(scope.get("path", ""), router)(scope, receive, send)

    return found


async def _to_console(request: Any) -> Any:
    return RedirectResponse("/console/", status_code=307)


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    problem = errors.NotFound("There is nothing at this address.")
    await web.answer_problem(problem, send, "-")


class Pages:
    """A built client: hashed files cached for good, its page never, all under the strict CSP."""

    def __init__(self, folder: Path) -> None:
        self._files = StaticFiles(directory=folder, html=True, check_dir=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one file. Raises nothing: what is missing is our 404."""
        hashed = "/assets/" in scope["path"]
        cache = b"public, max-age=31536000, immutable" if hashed else b"no-cache"

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = [(b"cache-control", cache), *web.SECURITY_HEADERS]
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        try:
            await self._files(scope, receive, dressed)
        except Exception as error:
            status = getattr(error, "status_code", 500)
            if status not in (404, 405):
                LOGGER.exception("page_failed")
            await _nothing_here(scope, receive, send)


class _Protocol(HttpToolsProtocol):
    """HTTP whose refusal of what is no HTTP is a problem like every other."""

    def send_400_response(self, msg: str) -> None:
        problem = errors.Malformed("This is no HTTP request. Look at the client and the network.")
        body = msgspec.json.encode(problem.body())
        head = (
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\n"
            b"cache-control: no-store\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
        )
        self.transport.write(head % len(body) + body)
        self.transport.close()


class _Server(uvicorn.Server):
    """uvicorn without signal handlers of its own: the supervisor decides when to stop."""

    def capture_signals(self) -> Any:
        return nullcontext()


def http_server(asgi: ASGIApp, trusted: str = "127.0.0.1,::1") -> uvicorn.Server:
    """The HTTP server, not yet listening. Keep-alive outlasts usual proxies' idle time.

    `trusted`: addresses and networks of proxies whose X-Forwarded-For is believed.
    """
    config = uvicorn.Config(
        asgi,
        loop="uvloop",
        http=_Protocol,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=trusted,  # stated, so that no foreign variable widens it
        date_header=True,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=DRAIN_S,
        backlog=4096,
        h11_max_incomplete_event_size=None,
    )
    return _Server(config)


async def run_api(settings: Settings, dsn: str, listener: socket.socket) -> bool:
    """Serves until a signal; True if the end was orderly.

    The end is a list: streams closed, listening stopped and requests drained, reports answered,
    pools closed; all within 10 s.
    """
    supervisor = Supervisor()
    stop_on_signals(supervisor)
    api = Api(settings, dsn)
    await api.open()
    http = http_server(api.asgi, settings.trusted_proxies)
    serving = asyncio.create_task(http.serve(sockets=[listener]), name="http")

    async def refuse_new() -> None:
        http.should_exit = True

    async def drained() -> None:
        await serving

    supervisor.on_stop("refuse new requests", refuse_new, 1)
    supervisor.on_stop("close streams", api.hub.close, 2)
    supervisor.on_stop("drain requests", drained, DRAIN_S + 1)
    supervisor.on_stop("answer reports", api.idle, 5)
    supervisor.on_stop("tell progress", api.progress.stop, 1)
    supervisor.on_stop("close pools", api.db.close, 4)
    supervisor.run("hub", api.hub.run())
    alarms = Alarms(api.db, settings.duty_urls is not None)
    supervisor.run("alarms", every("alarms", ALARMS_S, alarms.look))
    supervisor.run("last seen", keep_last_seen(api.auth))
    serving.add_done_callback(lambda _: supervisor.stop("http server ended"))
    settled()
    return await supervisor.until_stopped()
