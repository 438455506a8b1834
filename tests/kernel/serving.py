"""A hub behind real HTTP on loopback, and the plainest client that can be cut anywhere."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import asyncpg
import uvicorn
from starlette.routing import Route, Router

from server import auth
from server.auth import Authenticator
from server.db import Database
from server.hub import Hub, Kind, endpoints
from server.web import Shell
from tests.kernel.watching import KINDS, Viewer, running

_OPERATOR = """
    WITH o AS (INSERT INTO operator (operation_id, name, role, area_id)
               VALUES ($1, 'Test', $2, $3) RETURNING operator_id)
    INSERT INTO credential (operation_id, token_sha256, kind, operator_id)
    SELECT $1, $4, 'operator', operator_id FROM o
"""


async def new_token(
    database: Database, operation_id: int, role: str = "operator", area_id: int | None = None
) -> str:
    """The token of a new operator."""
    token = auth.new_token()
    con = await asyncpg.connect(database.dsn)
    await con.execute(_OPERATOR, operation_id, role, area_id, auth.digest(token))
    await con.close()
    return token


@dataclass
class Site:
    """One server process's worth: hub, authenticator, address."""

    hub: Hub
    auth: Authenticator
    port: int
    http: uvicorn.Server


@asynccontextmanager
async def serving(database: Database, kinds: Iterable[Kind] = KINDS) -> AsyncIterator[Site]:
    """A site that is closed in order: streams first, then what is left of HTTP."""
    async with running(Hub(database, kinds)) as hub:
        own = Authenticator(database)
        shell = Shell(endpoints(hub, own), own)
        config = uvicorn.Config(
            Router([Route("/v1/stream", endpoint=shell)]),
            port=0,
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=2,
        )
        http = uvicorn.Server(config)
        config.load()
        http.lifespan = config.lifespan_class(config)
        await http.startup()
        ticking = asyncio.create_task(http.main_loop())
        port = http.servers[0].sockets[0].getsockname()[1]
        try:
            yield Site(hub, own, port, http)
        finally:
            http.should_exit = True
            await ticking
            await hub.close()
            await http.shutdown()


class Line:
    """One HTTP connection to a stream, read in whatever pieces one likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self.status = 0
        self.headers: dict[str, str] = {}
        self._chunk = 0

    async def start(self) -> None:
        """Reads the status line and the headers."""
        self.status = int((await self._reader.readline()).split()[1])
        while (line := (await self._reader.readline()).strip()) != b"":
            name, _, value = line.decode().partition(": ")
            self.headers[name.lower()] = value

    async def read(self, most: int = 65536) -> bytes:
        """A piece of the body; empty at its end. Raises OSError when cut."""
        if self._chunk == 0:
            size = await self._reader.readline()
            self._chunk = int(size or b"0", 16)
            if self._chunk == 0:
                return b""
        data = await self._reader.read(min(most, self._chunk))
        self._chunk -= len(data)
        if self._chunk == 0:
            await self._reader.readexactly(2)
        return data

    def cut(self) -> None:
        """Ends the connection without a word."""
        self.writer.transport.abort()


@asynccontextmanager
async def line(
    port: int, token: str | None, query: str = "", *, method: str = "GET", **headers: str
) -> AsyncIterator[Line]:
    """A request for the stream whose answer has begun."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    own = {"Host": "test", **({"Authorization": f"Bearer {token}"} if token else {})}
    fields = own | {name.replace("_", "-"): value for name, value in headers.items()}
    text = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    writer.write(f"{method} /v1/stream{query} HTTP/1.1\r\n{text}\r\n".encode())
    made = Line(reader, writer)
    try:
        await made.start()
        yield made
    finally:
        made.cut()


async def follow(port: int, token: str, viewer: Viewer, *, piece: int = 65536) -> None:
    """One connection of a console, from `viewer.last` on, until it ends or is cut."""
    with suppress(OSError, asyncio.IncompleteReadError):
        async with line(port, token, Last_Event_ID=str(viewer.last)) as stream:
            assert stream.status == 200, stream.status
            while data := await stream.read(random.randint(1, piece)):
                viewer.push(data)
