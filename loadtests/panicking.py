"""For the rows about panics: a whole server, phones that press, a console that watches.

From the press to its event on the console's stream, by one clock, in a process that does nothing
else: server, worker, database, provider and load are processes of their own.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
import msgspec

from loadtests.harness import Bench
from loadtests.pushing import fcm
from server import db
from tests.promises.console import Parser
from tests.promises.crowd import Phone, operator, phones
from tests.promises.places import serving
from tests.support.seed import Station, station

CONNECTIONS = 250  # to a provider that takes 100 ms: at most 2,500 pushes a second
LATENCY_MS = 100
LATEST_S = 30.0  # an event that is not there by then never comes
_TREE = """
    WITH top AS (INSERT INTO tree_node (operation_id, node, label, warden_id)
                 VALUES (current_operation(), 'TOP', 'Top', $1) RETURNING node_id)
    INSERT INTO tree_member (operation_id, node_id, person_id)
    SELECT current_operation(), node_id, p.person_id FROM top, person p
"""
_SLOW = "ALTER DATABASE {} SET commit_{} = {}"


@dataclass
class Scene:
    """A server with its worker, everybody's phone, and the desk's token."""

    url: str
    port: int
    station: Station
    phones: list[Phone]
    desk: str
    http: aiohttp.ClientSession

    async def call(
        self, method: str, path: str, token: str, body: dict[str, Any]
    ) -> tuple[int, Any]:
        """Status and answer of one call."""
        headers = {"authorization": f"Bearer {token}"}
        url = f"{self.url}{path}"
        async with self.http.request(method, url, json=body, headers=headers) as answer:
            said = await answer.read()
        return answer.status, msgspec.json.decode(said) if said else None

    async def post(self, path: str, token: str, body: dict[str, Any]) -> tuple[int, Any]:
        """The same by POST."""
        return await self.call("POST", path, token, body)

    async def fetch(self, sql: str, *args: Any) -> list[Any]:
        """Rows of one statement under the operation."""
        return await self.station.database.fetch(self.station.operation_id, sql, *args)


@asynccontextmanager
async def scene(bench: Bench, people: int, *, commits_ms: int = 0) -> AsyncIterator[Scene]:
    """A station whose one warden answers for all; every commit takes `commits_ms` longer."""
    database = db.Database(await bench.database(), 8)
    await database.open()
    try:
        place = await station(database, people, 24, 4)
        owners = await phones(place, people)
        await place.database.fetch(place.operation_id, _TREE, place.people[0])
        await _settle(database, commits_ms)
        async with fcm() as provider, aiohttp.ClientSession() as http:
            await provider.latency(LATENCY_MS)
            settings = {
                "MUSTER_FCM_URL": provider.fcm_url,
                "MUSTER_FCM_CREDENTIALS": str(provider.credentials),
                "MUSTER_FCM_CONNECTIONS": str(CONNECTIONS),
            }
            async with serving(database.dsn, role="all", **settings) as server:
                desk = await operator(place)
                yield Scene(server.url, server.port, place, owners, desk, http)
    finally:
        await database.close()


async def _settle(database: db.Database, commits_ms: int) -> None:
    """Lets the planner know what is there; then the slow disk, where one is wanted.

    PostgreSQL's own commit_delay: whoever flushes the log sleeps first, and others wait for it.
    """
    con = await asyncpg.connect(database.dsn)
    await con.execute("VACUUM ANALYZE")
    if commits_ms:
        name = await con.fetchval("SELECT current_database()")
        await con.execute(_SLOW.format(name, "delay", commits_ms * 1000))
        await con.execute(_SLOW.format(name, "siblings", 0))
    await con.close()


@dataclass
class Watch:
    """Panics from the press to the console, in ms. `shown` is set whenever one has come."""

    scene: Scene
    pressed: dict[str, float] = field(default_factory=dict)
    took: list[float] = field(default_factory=list)
    shown: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, panic_id: str) -> None:
        """The console is told of a panic."""
        at = self.pressed.pop(panic_id, None)
        if at is not None:
            self.took.append((time.perf_counter() - at) * 1000)
            self.shown.set()

    async def follow(self, watching: asyncio.Event) -> None:
        """The console's stream, from now on, until cancelled."""
        parser = Parser()
        headers = {"authorization": f"Bearer {self.scene.desk}"}
        timeout = aiohttp.ClientTimeout(total=None)
        url = f"{self.scene.url}/v1/stream"
        async with self.scene.http.get(url, headers=headers, timeout=timeout) as stream:
            stream.raise_for_status()
            async for piece in stream.content.iter_any():
                watching.set()
                for message in parser.push(piece):
                    if message.event == "panic" and message.data["what"] == "raised":
                        self.take(message.data["panic"]["id"])

    async def press(self, phone: Phone) -> None:
        """One press; its event is on its way then. Raises AssertionError if it is refused."""
        panic_id = str(uuid4())
        self.pressed[panic_id] = time.perf_counter()
        body = {"id": panic_id, "at": datetime.now(UTC).isoformat()}
        status, answer = await self.scene.post("/v1/panics", phone.token, body)
        if status != 201:
            raise AssertionError(f"a press was answered with {status} {answer}")

    async def in_turn(self, pressers: list[Phone]) -> list[float]:
        """One panic after another, each when the one before is shown; what they took."""
        for phone in pressers:
            self.shown.clear()
            await self.press(phone)
            await asyncio.wait_for(self.shown.wait(), LATEST_S)
            await asyncio.sleep(random.uniform(0.03, 0.13))  # out of step with any poll
        return self._all()

    async def steadily(
        self, pressers: list[Phone], per_s: float, over: asyncio.Event
    ) -> list[float]:
        """So many panics a second, whatever became of those before, until it is over."""
        pressing = []
        for phone in pressers:
            if over.is_set():
                break
            pressing.append(asyncio.create_task(self.press(phone)))
            await asyncio.sleep(random.expovariate(per_s))
        await asyncio.gather(*pressing)
        async with asyncio.timeout(LATEST_S):
            while self.pressed:
                self.shown.clear()
                await self.shown.wait()
        return self._all()

    def _all(self) -> list[float]:
        took, self.took = self.took, []
        return took


@asynccontextmanager
async def watch(here: Scene) -> AsyncIterator[Watch]:
    """A console at work."""
    console, watching = Watch(here), asyncio.Event()
    following = asyncio.create_task(console.follow(watching))
    try:
        await asyncio.wait_for(watching.wait(), LATEST_S)
        yield console
    finally:
        following.cancel()
        await asyncio.wait([following])
