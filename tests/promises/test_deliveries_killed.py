"""Promise 3: no notification is lost mid-send.

The worker gets SIGKILL at each step of a delivery: claimed and not sent, handed over and not
answered, taken by the provider with the answer lost, taken and answered but not on record. Each
notification reaches the provider at least once under its own id, at most 1 % of them twice.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from clients.simulator.fcm import FcmServer
from clients.simulator.script import Latency, Script
from tests.promises import chaos
from tests.promises.crowd import eventually, phones
from tests.promises.places import LONG
from tests.support.http import Site, site
from tests.support.live import LiveServer

PEOPLE = 20_000 if LONG else 5_000
SLOW = Latency(median_ms=100)
FEW = "2"  # connections to the provider: what is in flight at a kill is what may come twice
_UNSENT = "SELECT count(*) FROM delivery WHERE state IN ('queued', 'sending')"
_LEASES_END = "UPDATE delivery SET attempted_at = now() - interval '1 hour' WHERE state = 'sending'"
_ROWS = "SELECT delivery_id::text AS id, state, attempts FROM delivery"
_CLAIM = "SELECT pg_get_functiondef('claim_deliveries'::regproc)"


@dataclass
class Scene:
    """An open roll call whose pushes wait for a worker, and the provider that waits for them."""

    own: Site
    dsn: str
    fcm: FcmServer
    credentials: Path

    def worker(self, **env: str) -> LiveServer:
        """A worker process, started."""
        made = LiveServer(
            self.dsn,
            role="worker",
            MUSTER_FCM_CREDENTIALS=str(self.credentials),
            MUSTER_FCM_URL=self.fcm.fcm_url,
            **env,
        )
        return made.start()

    def taken(self) -> int:
        """How many messages the provider has taken so far."""
        return sum(self.fcm.ledger.accepted.values())

    async def rows(self, sql: str) -> list[Any]:
        place = self.own.station
        found: list[Any] = await place.database.fetch(place.operation_id, sql)
        return found


@asynccontextmanager
async def scene(database: str, tmp_path: Path) -> AsyncIterator[Scene]:
    async with site(database, people=PEOPLE) as own, FcmServer(Script(any_token=True)) as fcm:
        await phones(own.station, PEOPLE)
        fcm.service_account("muster-sim", tmp_path / "fcm.json")
        desk = await own.operator()
        body = {
            "id": str(uuid4()), "kind": "rollcall", "audience": {"all": True}, "exercise": False,
            "title": "Are you safe?", "body": "Answer.",
        }  # fmt: skip
        assert (await desk.call("POST", "/v1/alerts", body)).status_code == 201
        await own.work()
        yield Scene(own, database, fcm, tmp_path / "fcm.json")


async def begun(own: Scene, messages: int = 1) -> None:
    """So many more messages have been taken: the worker has its access token and is at it."""
    before = own.taken()
    await eventually(lambda: own.taken() >= before + messages)


async def while_it_sends(own: Scene, _: AsyncExitStack) -> None:
    """Killed among claims, requests and records, wherever it is."""
    await begun(own, 10)


async def while_the_provider_is_silent(own: Scene, _: AsyncExitStack) -> None:
    """Requests are under way, and the provider has taken none of them."""
    await begun(own)
    own.fcm.script.outage = "hang"
    asked = own.fcm.stats().requests
    await eventually(lambda: own.fcm.stats().requests >= asked + int(FEW))


async def when_the_answer_is_lost(own: Scene, _: AsyncExitStack) -> None:
    """The provider has taken them, and nobody has heard of it."""
    await begun(own)
    own.fcm.script.outage = "lost_hang"
    await begun(own, int(FEW))


async def before_it_is_on_record(own: Scene, held: AsyncExitStack) -> None:
    """Taken and answered, but the outcome cannot be written: the table is held."""
    await begun(own)
    con = await asyncpg.connect(own.dsn)
    await con.execute("BEGIN; LOCK TABLE delivery IN SHARE ROW EXCLUSIVE MODE")
    await begun(own, 6)
    held.push_async_callback(con.close, timeout=5)


Step = Callable[[Scene, AsyncExitStack], Awaitable[None]]
STEPS: tuple[Step, ...] = (
    while_it_sends,
    while_the_provider_is_silent,
    when_the_answer_is_lost,
    before_it_is_on_record,
)


async def kill_at(own: Scene, step: Step) -> None:
    """Lets a worker get to a step and kills it there. Then its leases run out."""
    own.fcm.script.latency = SLOW
    worker = await asyncio.to_thread(own.worker, MUSTER_FCM_CONNECTIONS=FEW)
    async with AsyncExitStack() as held:  # what a step holds is let go when the worker is dead
        try:
            await step(own, held)
        finally:
            await asyncio.to_thread(worker.kill)
    own.fcm.script.outage = None
    await asyncio.sleep(0.3)  # its connections to the database end
    await own.rows(_LEASES_END)


async def send_the_rest(own: Scene) -> None:
    """A worker that nobody kills, until nothing is left to send or nothing moves any more."""
    own.fcm.script.latency = Latency()
    worker = await asyncio.to_thread(own.worker)
    try:
        left, still = -1, 0
        while left != 0 and still < 20:
            await asyncio.sleep(0.25)
            [row] = await own.rows(_UNSENT)
            still = still + 1 if row[0] == left else 0
            left = row[0]
    finally:
        status, _ = await asyncio.to_thread(worker.terminate)
    assert status == 0


async def check(own: Scene) -> None:
    """Every delivery was taken by the provider, few twice, each try on record before it."""
    rows = {r["id"]: r for r in await own.rows(_ROWS)}
    taken, tried = own.fcm.ledger.accepted, own.fcm.ledger.attempts
    assert len(rows) == PEOPLE
    assert not taken.keys() - rows.keys(), "an id that is on no record"
    lost = rows.keys() - taken.keys()
    assert not lost, f"{len(lost)} notifications never reached the provider"
    twice = sum(1 for times in taken.values() if times > 1)
    print(f"{len(taken)} taken, {twice} of them more than once")
    assert twice <= PEOPLE // 100
    assert all(tried[key] <= row["attempts"] for key, row in rows.items())
    assert {row["state"] for row in rows.values()} == {"accepted"}


async def test_a_worker_killed_at_each_step_loses_nothing(database: str, tmp_path: Path) -> None:
    async with scene(database, tmp_path) as own:
        for step in STEPS:
            await kill_at(own, step)
        await send_the_rest(own)
        await check(own)


async def test_with_a_flag_in_place_of_a_lease_they_would_be_lost(
    database: str, tmp_path: Path
) -> None:
    """The mechanism taken away: what a dead worker had claimed stays claimed."""
    async with scene(database, tmp_path) as own:
        con = await asyncpg.connect(database)
        text = await con.fetchval(_CLAIM)
        await con.close()
        flagged = text.replace("d.state IN ('queued', 'sending')", "d.state = 'queued'")
        assert flagged != text
        await chaos.run(database, flagged)
        await kill_at(own, while_it_sends)
        await send_the_rest(own)
        with pytest.raises(AssertionError, match="never reached the provider"):
            await check(own)
