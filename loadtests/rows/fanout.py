"""Fan-out to many consoles: the hub's whole path against a raw broadcast of the same bytes.

One server process holds 500 streams and 500 plain connections. In turn, messages go through
the hub (feed, queues, HTTP) and are written straight to the plain connections; the next message
goes out once the one before has been taken by all. `python -m loadtests.rows.fanout DSN`
is that server: it reads `hub N` or `raw N` and says when N messages have gone.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import asyncpg
import uvloop
from starlette.routing import Route, Router

from loadtests.harness import Bench, Figure
from server import db, launch, log
from server.app import http_server
from server.auth import Authenticator, digest, new_token
from server.feed import Feed, Message, join
from server.hub import Hub, endpoints
from server.supervise import settled
from server.web import Shell

VIEWERS = 500
MESSAGES = 200
ROUNDS = 5
BODY = b'{"alert_id":"018f9a4e-5a64-7c1e-9a55-0123456789ab","cells":[' + b",".join(
    b'{"area":"A%d","agency":"Agency 1","category":"national","status":"safe","count":%d}' % (n, n)
    for n in range(8)
) + b'],"counts":{"safe":412,"need_help":3,"away":20,"unaccounted":65}}'  # fmt: skip
_TOKEN = """
    WITH o AS (INSERT INTO operator (operation_id, name, role) VALUES ($1, 'Bench', 'admin')
               RETURNING operator_id)
    INSERT INTO credential (operation_id, token_sha256, kind, operator_id)
    SELECT $1, $2, 'operator', operator_id FROM o
"""


class Taker(asyncio.Protocol):
    """A console that only counts what it gets."""

    def __init__(self, request: bytes) -> None:
        self.taken = 0
        self._request = request

    def connection_made(self, transport: Any) -> None:
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self.taken += len(data)


class Plain(asyncio.Protocol):
    """The server's end of a plain connection."""

    def __init__(self, all_of_them: list[Any]) -> None:
        self._all = all_of_them

    def connection_made(self, transport: Any) -> None:
        self._all.append(transport)


async def measure(bench: Bench) -> list[Figure]:
    """sse_vs_raw: messages a second to 500 viewers, through the hub and without it."""
    dsn, token = await bench.database(), new_token()
    con = await asyncpg.connect(dsn)
    operation_id = await con.fetchval("SELECT add_operation('BENCH', 'Bench', 'UTC', 'KE')")
    await con.execute(_TOKEN, operation_id, digest(token))
    await con.close()
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtests.rows.fanout", dsn,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert server.stdin
    assert server.stdout
    http, plain = (int(word) for word in (await server.stdout.readline()).split())
    request = f"GET /v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
    takers = {"hub": await _connect(http, request.encode()), "raw": await _connect(plain, b"")}
    rates: dict[str, list[float]] = {"hub": [], "raw": []}
    for _ in range(ROUNDS):
        for way, rate in rates.items():
            rate.append(await _round(server, way, takers[way]))
    server.stdin.close()
    await asyncio.wait_for(server.wait(), 30)
    hub, raw = (statistics.median(rates[way]) for way in ("hub", "raw"))
    return [Figure("sse_vs_raw", hub, "messages/s", raw)]


async def _connect(port: int, request: bytes) -> list[Taker]:
    loop = asyncio.get_running_loop()
    takers = []
    for _ in range(VIEWERS):
        _, taker = await loop.create_connection(lambda: Taker(request), "127.0.0.1", port)
        takers.append(taker)
    await asyncio.sleep(1)
    return takers


async def _round(server: asyncio.subprocess.Process, way: str, takers: list[Taker]) -> float:
    before = [taker.taken for taker in takers]
    assert server.stdin
    assert server.stdout
    started = time.monotonic()
    server.stdin.write(f"{way} {MESSAGES}\n".encode())
    size = int(await asyncio.wait_for(server.stdout.readline(), 120))
    wanted = [b + size for b in before]
    await _until(lambda: all(t.taken >= w for t, w in zip(takers, wanted, strict=True)), 0.001)
    return MESSAGES * VIEWERS / (time.monotonic() - started)


async def _until(true: Callable[[], bool], pause: float = 0) -> None:
    while not true():  # noqa: ASYNC110
        await asyncio.sleep(pause)


class Broadcaster:
    """The server's side: sends messages one way or the other."""

    def __init__(self, hub: Hub, plain: list[Any]) -> None:
        self._hub = hub
        self._plain = plain

    async def send(self, way: str, count: int) -> int:
        """Sends `count` messages to all; returns how many bytes that was for each."""
        feed = next(iter(self._hub._feeds()))
        size = 0
        for _ in range(count):
            piece = self._next(feed)
            size += len(piece)
            await (self._by_hub(feed) if way == "hub" else self._by_hand(piece))
        return size

    def _next(self, feed: Feed) -> bytes:
        """The bytes of the next message as they are on the wire."""
        data = join([Message(feed.at + 1, "headcount", BODY)], feed.at)
        feed.at += 1
        return b"%x\r\n%b\r\n" % (len(data), data)

    async def _by_hub(self, feed: Feed) -> None:
        feed._hand_out([Message(feed.at, "headcount", BODY)])
        await _until(lambda: all(w.taken >= feed.at and not w.busy_since for w in feed.watchers))

    async def _by_hand(self, piece: bytes) -> None:
        for transport in self._plain:
            transport.write(piece)
        await asyncio.sleep(0)
        await _until(lambda: all(t.get_write_buffer_size() < 1 << 16 for t in self._plain))


async def serve(dsn: str) -> None:
    """The server process."""
    log.configure()
    database = db.Database(dsn, 8)
    await database.open()
    hub, auth = Hub(database, []), Authenticator(database)
    running = asyncio.create_task(hub.run())
    listener = launch.bind("127.0.0.1", 0)
    http = http_server(Router([Route("/v1/stream", endpoint=Shell(endpoints(hub, auth), auth))]))
    serving = asyncio.create_task(http.serve(sockets=[listener]))
    plain: list[Any] = []
    loop = asyncio.get_running_loop()
    beside = await loop.create_server(lambda: Plain(plain), "127.0.0.1", 0)
    settled()
    print(listener.getsockname()[1], beside.sockets[0].getsockname()[1], flush=True)
    broadcaster = Broadcaster(hub, plain)
    while line := await asyncio.to_thread(sys.stdin.readline):
        way, count = line.split()
        print(await broadcaster.send(way, int(count)), flush=True)
    await hub.close()
    http.should_exit = True
    await serving
    running.cancel()
    await database.close()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
