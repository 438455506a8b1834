"""Deliveries reach FCM: once each when all is well, never lost when it is not."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from clients.simulator.fcm import FcmServer
from server.alerts.channels.fcm import FcmChannel
from server.alerts.sender import Sender
from tests.alerts.world import World, alert, world

DONE = "SELECT count(*) FROM delivery WHERE state IN ('queued', 'sending')"


def channel(fcm: FcmServer, folder: Path, connections: int = 20) -> FcmChannel:
    file = folder / "account.json"
    file.write_text(json.dumps(fcm.service_account("muster-test")))
    return FcmChannel(file, fcm.fcm_url, connections)


@asynccontextmanager
async def sending(w: World, *channels: FcmChannel) -> AsyncIterator[None]:
    """A sender for each channel, stopped in order at the end."""
    senders = [Sender(w.db, c, 20) for c in channels]
    tasks = [asyncio.create_task(s.run()) for s in senders]
    try:
        yield
    finally:
        for s in senders:
            await s.stop_claiming()
        for s in senders:
            await s.finish()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(w: World, question: str, answer: Any, within_s: float = 15.0) -> None:
    async with asyncio.timeout(within_s):
        while await w.value(question) != answer:  # noqa: ASYNC110 - the database has no event
            await asyncio.sleep(0.05)


async def opened(w: World, people: int, **more: Any) -> str:
    """An open alert to so many phones."""
    await w.people(people, phones=people)
    body = alert(**more)
    async with w.client() as api:
        assert (await api.post("/v1/alerts", json=body)).status_code == 201
    await w.run_jobs()
    return str(body["id"])


async def test_each_phone_is_pushed_once(database: str, tmp_path: Path) -> None:
    async with world(database) as w, FcmServer() as fcm:
        fcm.script.any_token = True
        await opened(w, 300)
        async with sending(w, channel(fcm, tmp_path), channel(fcm, tmp_path)):
            await until(w, DONE, 0)
        assert await w.value("SELECT count(*) FROM delivery WHERE state = 'accepted'") == 300
        assert fcm.stats().deliveries == 300
        assert fcm.stats().requests == 300, "two workers never send one delivery twice"
