"""The duty desk's own channels: told once, neutrally, and without a secret in any log."""

import asyncio
import json
import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from server.alerts.channels import Push
from server.alerts.channels import duty as duty_channel
from server.alerts.channels.duty import DutyChannel, judged
from server.alerts.deliveries import store
from server.alerts.sender import Sender
from tests.alerts.test_sender import until
from tests.alerts.world import alert, world


class Room:
    """What a chat room behind apprise's json:// was told. `status` is how it answers."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.status = 200
        self.hang_s = 0.0
        self.port = 0

    async def take(self, request: web.Request) -> web.Response:
        self.told.append(await request.json())
        await asyncio.sleep(self.hang_s)
        return web.Response(status=self.status)

    def url(self, path: str = "hunter2") -> str:
        return f"json://127.0.0.1:{self.port}/{path}"


@asynccontextmanager
async def a_room() -> AsyncIterator[Room]:
    own = Room()
    app = web.Application()
    app.router.add_post("/{path}", own.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    own.port = runner.addresses[0][1]
    try:
        yield own
    finally:
        await runner.cleanup()


def push(**more: Any) -> Push:
    about: dict[str, Any] = {
        "delivery_id": uuid.uuid4(), "alert_id": uuid.uuid4(), "address": "desk",
        "severity": "life_safety", "exercise": False, "expires_at": None, "language": None,
        "line": None, "purpose": "duty", **more,
    }  # fmt: skip
    return Push(**about)


async def test_the_desk_is_told_an_id_and_nothing_else() -> None:
    async with a_room() as room:
        own = DutyChannel(room.url())
        real, drill = push(), push(exercise=True)
        assert (await own.send(real)).kind == "accepted"
        assert (await own.send(drill)).kind == "accepted"
        await own.close()
    first, second = room.told
    assert first["message"] == f"Muster: alert {real.alert_id} needs the duty desk."
    assert second["message"].count("EXERCISE") == 4
    assert "EXERCISE" in second["title"]
    assert "EXERCISE" not in first["title"]


async def test_what_the_room_answers_has_its_meaning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(duty_channel, "REQUEST_S", 0.5)
    async with a_room() as room, a_room() as other:
        both = DutyChannel(f"{room.url()}, {other.url()}")
        room.status = 500
        partly = await both.send(push())
        assert partly.kind == "accepted"
        assert "1 of 2" in (partly.reason or "")
        other.status = 403
        assert (await both.send(push())).kind == "transient"
        other.status, other.hang_s = 200, 1.0
        assert (await both.send(push())).kind == "unknown"
        late = push(expires_at=datetime.now(UTC) - timedelta(seconds=1))
        assert (await both.send(late)).kind == "held"
        await both.close()
    logged = caplog.text + "".join(capsys.readouterr())
    assert "hunter2" not in logged


def test_an_address_that_apprise_does_not_know_is_said_without_its_text() -> None:
    for urls in ("nonsense://hunter2@x", "", "json://"):
        with pytest.raises(ValueError, match="MUSTER_DUTY_URLS") as told:
            DutyChannel(urls)
        assert "hunter2" not in str(told.value)
    assert judged([]).kind == "permanent"


async def test_from_the_queue_to_the_desk(database: str) -> None:
    async with world(database) as w, a_room() as room:
        await w.people(1)
        body = alert(exercise=True)
        async with w.client() as api:
            await api.post("/v1/alerts", json=body)
        await w.run_jobs()
        own = DutyChannel(room.url())
        sender = Sender(w.db, own, 4)
        task = asyncio.create_task(sender.run())
        soon = datetime.now(UTC) + timedelta(minutes=5)
        async with w.db.transaction(w.op) as con:
            await store.queue_duty(con, uuid.UUID(body["id"]), 1, None, None)
            await store.queue_duty(con, None, 1, "SMS route a takes nothing.", soon)
        await until(w, "SELECT count(*) FROM delivery WHERE state = 'accepted'", 2)
        await sender.stop_claiming()
        await sender.finish()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    told = sorted(json.dumps(m["message"]) for m in room.told)
    assert "EXERCISE" in told[0]
    assert body["id"] in told[0]
    assert "SMS route a takes nothing." in told[1]
