"""For the rows about pushes: an open alert to send, and the FCM stand-in as a process."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg

from loadtests.harness import Bench
from server import db
from tests.support.seed import Station, station

# A phone each, woken by FCM, whose token is as long as the stand-in's own.
_PHONES = """
    WITH d AS (
      INSERT INTO device (operation_id, device_id, person_id, platform, sms_id5, sms_key)
      SELECT current_operation(), gen_random_uuid(), u.person, 'sim', lpad(u.n::text, 8, '0'), ''
      FROM unnest($1::int[]) WITH ORDINALITY AS u (person, n) RETURNING device_id)
    INSERT INTO push_address (operation_id, device_id, kind, address)
    SELECT current_operation(), device_id, 'fcm', 'sim:' || replace(device_id::text, '-', '')
    FROM d
"""
_DELIVERIES = """
    INSERT INTO delivery (operation_id, delivery_id, alert_id, person_id, channel, endpoint,
                          round, lane)
    SELECT current_operation(), uuidv7(), $1, d.person_id, 'fcm', d.device_id::text, $2, 2
    FROM device d WHERE d.operation_id = current_operation() ORDER BY d.person_id LIMIT $3
"""
_OPEN = "SELECT EXISTS (SELECT FROM delivery WHERE state IN ('queued', 'sending'))"
_ACCEPTED = "SELECT count(*) FROM delivery WHERE state = 'accepted'"


@dataclass
class Outbox:
    """One open alert of a station with a phone each. Every `fill` is another round of it."""

    database: db.Database
    station: Station
    alert_id: UUID
    rounds: int = 0
    filled: int = 0

    async def fill(self, count: int) -> None:
        """Queues `count` deliveries, due at once."""
        async with self.database.transaction(self.station.operation_id) as con:
            await con.execute(_DELIVERIES, self.alert_id, self.rounds, count)
        self.rounds, self.filled = self.rounds + 1, self.filled + count
        con = await asyncpg.connect(self.database.dsn)
        await con.execute("VACUUM ANALYZE delivery")
        await con.close()

    async def emptied(self) -> None:
        """Returns when nothing waits. Raises AssertionError if not all was accepted."""
        con = await asyncpg.connect(self.database.dsn)
        while await con.fetchval(_OPEN):  # noqa: ASYNC110 - the database has no event
            await asyncio.sleep(0.05)
        accepted = await con.fetchval(_ACCEPTED)
        await con.close()
        if accepted != self.filled:
            raise AssertionError(f"{accepted} of {self.filled} deliveries were accepted")


@asynccontextmanager
async def outbox(bench: Bench, people: int) -> AsyncIterator[Outbox]:
    """A database of its own with an open alert to so many phones."""
    database = db.Database(await bench.database(), 8)
    await database.open()
    try:
        made = await station(database, people, 24, 4)
        async with database.transaction(made.operation_id) as con:
            await con.execute(_PHONES, made.people)
        yield Outbox(database, made, await made.open_rollcall())
    finally:
        await database.close()


@dataclass
class Fcm:
    """A stand-in that runs: MUSTER_FCM_URL and MUSTER_FCM_CREDENTIALS for it."""

    url: str
    fcm_url: str
    credentials: Path

    async def latency(self, milliseconds: float) -> None:
        """How long it takes to answer from now on."""
        await self.script(latency={"median_ms": milliseconds})

    async def script(self, **script: Any) -> None:
        """What it does from now on, in the words of the simulator's Script."""
        async with aiohttp.ClientSession() as session:
            answer = await session.patch(f"{self.url}/_admin/script", data=json.dumps(script))
            answer.raise_for_status()


@asynccontextmanager
async def fcm() -> AsyncIterator[Fcm]:
    """Starts the stand-in, which takes every token; ends it."""
    with TemporaryDirectory() as folder:
        credentials = Path(folder) / "credentials.json"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "clients.simulator.fcm", "--any-token"),
            *("--credentials", str(credentials)),
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout
        try:
            ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
            yield Fcm(ready["url"], ready["fcm_url"], credentials)
        finally:
            process.terminate()
            await process.wait()
