"""FCM's rate, its circuit and its credentials; and that its faults are nobody else's."""

import asyncio
import json
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from clients.simulator.fcm import FcmServer
from clients.simulator.script import Latency
from clients.simulator.webpush import PushService
from server.alerts.channels import Push
from server.alerts.channels import fcm as fcm_channel
from server.alerts.channels.fcm import FAILURES, FcmChannel
from server.alerts.channels.pacing import Bucket, Circuit
from server.alerts.channels.webpush import WebPushChannel
from server.alerts.sender import Sender
from server.vapid import PushHosts
from tests.alerts.test_sender import channel, opened, until
from tests.alerts.test_webpush import CONTACT, KEY
from tests.alerts.world import alert, world


def push(token: str = "sim-token-1") -> Push:
    about: dict[str, Any] = {
        "delivery_id": uuid.uuid4(), "alert_id": uuid.uuid4(), "address": token,
        "severity": "urgent", "exercise": False, "expires_at": None, "language": "en", "line": None,
    }  # fmt: skip
    return Push(**about)


async def test_one_refresh_of_the_credentials_serves_all_who_wait(tmp_path: Path) -> None:
    async with FcmServer() as fcm:
        fcm.script.any_token = True
        own = channel(fcm, tmp_path, 50)
        outcomes = await asyncio.gather(*(own.send(push()) for _ in range(200)))
        assert {o.kind for o in outcomes} == {"accepted"}
        assert fcm.ledger.granted == 1
        await own.close()


class Clock:
    """Time that moves when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_rate_lets_so_many_pass_in_a_second_and_is_shared() -> None:
    clock = Clock()
    bucket = Bucket(8000, 800, clock)

    def passed(seconds: float) -> int:
        count, end = 0, clock.now + seconds
        while clock.now < end:
            wait = bucket.wait_s()
            if wait > 0:
                clock.now += wait
                continue
            bucket.take(1)
            count += 1
        return count

    assert 8_000 <= passed(1.0) <= 8_801, "a burst of a tenth, and then the rate"
    assert 15_900 <= passed(2.0) <= 16_001
    bucket.pace(4000, 400)
    assert 7_900 <= passed(2.0) <= 8_401, "two workers: half each"


def test_a_circuit_counts_a_pause_once_however_many_were_under_way() -> None:
    clock = Clock()
    own = Circuit(clock, 20, 5.0, 60.0)
    for _ in range(19):
        own.failed()
    assert own.wait_s() == 0
    for _ in range(100):
        own.failed()
    assert own.wait_s() == 5.0, "those were sent before it opened"
    clock.now += 5
    own.used()
    assert own.wait_s() > 0, "one is on trial"
    own.failed()
    assert own.wait_s() == 10.0
    clock.now += 10
    own.used()
    own.succeeded()
    assert (own.wait_s(), own.in_row) == (0, 0)


async def test_silence_of_fcm_opens_its_circuit_and_one_message_tries_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcm_channel, "REQUEST_S", 0.3)
    monkeypatch.setattr(fcm_channel, "FIRST_PAUSE_S", 0.5)
    async with FcmServer() as fcm:
        fcm.script.any_token = True
        own = channel(fcm, tmp_path, 50)
        await own.send(push())
        fcm.script.outage = "hang"
        kinds = {o.kind for o in await asyncio.gather(*(own.send(push()) for _ in range(FAILURES)))}
        assert kinds == {"unknown"}
        assert own.held_s() > 0
        assert own.health()[""].why == "circuit"
        assert own.health()[""].failures == FAILURES
        fcm.script.outage = None
        await asyncio.sleep(own.held_s())
        assert own.wait_s() == 0
        assert own.wait_s() > 0, "the others wait for what becomes of it"
        assert (await own.send(push())).kind == "accepted"
        assert own.wait_s() == 0
        assert own.health()[""].why is None
        await own.close()


async def test_messages_that_hang_among_others_that_do_not_open_no_circuit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FCM has answered others since they were sent: it is there, and only they are lost."""
    monkeypatch.setattr(fcm_channel, "REQUEST_S", 0.5)
    async with FcmServer() as fcm:
        fcm.script.any_token = True
        own = channel(fcm, tmp_path, 50)
        await own.send(push())
        fcm.script.outage = "hang"
        hung = [asyncio.create_task(own.send(push())) for _ in range(FAILURES + 2)]
        await asyncio.sleep(0.2)
        fcm.script.outage = None
        assert (await own.send(push())).kind == "accepted"
        assert {(await h).kind for h in hung} == {"unknown"}
        assert own.held_s() == 0
        await own.close()


async def test_a_hung_fcm_delays_no_browser(database: str, tmp_path: Path) -> None:
    async with world(database) as w, FcmServer() as fcm, PushService() as service:
        fcm.script.any_token = True
        fcm.script.outage = "hang"
        await w.people(1200, phones=1200)
        person = await w.person("WEB")
        browser = service.subscribe(KEY.public)
        address = json.dumps(browser.subscription)
        await w.phone(person, address, "webpush")
        body = alert()
        async with w.client() as api:
            assert (await api.post("/v1/alerts", json=body)).status_code == 201
        await w.run_jobs()
        ways: list[FcmChannel | WebPushChannel] = [
            channel(fcm, tmp_path), WebPushChannel(KEY, CONTACT, PushHosts(service.url)),
        ]  # fmt: skip
        senders = [Sender(w.db, way, 20) for way in ways]
        tasks = [asyncio.create_task(senders[0].run())]
        await until(w, "SELECT count(*) >= 500 FROM delivery WHERE state = 'sending'", True)
        tasks.append(asyncio.create_task(senders[1].run()))
        started = time.monotonic()
        await until(w, "SELECT state FROM delivery WHERE channel = 'webpush'", "accepted", 5)
        assert time.monotonic() - started < 5, "and FCM has not answered once"
        assert fcm.stats().deliveries == 0
        for s in senders:
            await s.stop_claiming()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for way in ways:
            await way.close()


async def test_the_rate_is_kept_on_the_wire(database: str, tmp_path: Path) -> None:
    """400 at 200 a second cannot all have gone after a second and a half."""
    async with world(database) as w, FcmServer() as fcm:
        fcm.script.any_token = True
        fcm.script.latency = Latency(median_ms=1)
        await opened(w, 400)
        plain = channel(fcm, tmp_path)
        await plain.close()
        own = FcmChannel(tmp_path / "account.json", fcm.fcm_url, 20, 200)
        sender = Sender(w.db, own, 20)
        task = asyncio.create_task(sender.run())
        started = time.monotonic()
        await until(w, "SELECT count(*) FROM delivery WHERE state = 'accepted'", 400, 30)
        assert time.monotonic() - started > (400 - 20) / 200 - 0.1
        await sender.stop_claiming()
        await sender.finish()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
