"""Web Push: encrypted for one browser, signed by this server, to listed services only."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.simulator.webpush import Browser, Fault, PushService
from server.alerts.channels import Push
from server.alerts.channels.webpush import WebPushChannel
from server.alerts.sender import Sender
from server.config import Settings
from server.errors import BadInput
from server.vapid import PushHosts, PushKey, open_push_key
from tests.alerts.world import alert, world

KEY = PushKey(b"\x01" * 32)
CONTACT = "mailto:soc@example.org"
DONE = "SELECT count(*) FROM delivery WHERE state IN ('queued', 'sending')"


def message(browser: Browser, **more: object) -> Push:
    """A push to one browser."""
    given_: dict[str, object] = {
        "delivery_id": uuid.uuid4(), "alert_id": uuid.uuid4(),
        "address": json.dumps(browser.subscription), "severity": "urgent", "exercise": False,
        "expires_at": None, "language": "ar", "line": "Operator's own line", **more,
    }  # fmt: skip
    return Push(**given_)  # type: ignore[arg-type]


@asynccontextmanager
async def channel(service: PushService, hosts: str | None = None) -> AsyncIterator[WebPushChannel]:
    own = WebPushChannel(KEY, CONTACT, PushHosts(hosts or service.url))
    try:
        yield own
    finally:
        await own.close()


async def test_a_browser_gets_opaque_ids_and_no_word() -> None:
    async with PushService() as service, channel(service) as own:
        browser = service.subscribe(KEY.public)
        push = message(browser, exercise=True)
        outcome = await own.send(push)
        [received] = browser.received
    assert outcome.kind == "accepted"
    assert received.data == {
        "kind": "alert", "alert_id": str(push.alert_id), "delivery_id": str(push.delivery_id),
        "exercise": "1",
    }  # fmt: skip
    assert (received.urgency, received.ttl) == ("high", 24 * 3600)


async def test_it_waits_no_longer_than_the_alert() -> None:
    async with PushService() as service, channel(service) as own:
        browser = service.subscribe()
        end = datetime.now(UTC) + timedelta(minutes=10)
        await own.send(message(browser, expires_at=end))
        await own.send(message(browser, expires_at=end - timedelta(hours=1)))
    assert 590 <= browser.received[0].ttl <= 600
    assert browser.received[1].ttl == 0


async def test_another_servers_key_is_refused_and_nothing_is_dropped() -> None:
    async with PushService() as service, channel(service) as own:
        outcome = await own.send(message(service.subscribe(PushKey(b"\x02" * 32).public)))
    assert (outcome.kind, outcome.retry_after) == ("transient", 30.0)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(404), "endpoint_dead"), (Fault(410), "endpoint_dead"), (Fault(413), "permanent"),
        (Fault(400), "permanent"), (Fault(429, retry_after=7), "transient"),
        (Fault(500), "transient"), (Fault(503), "transient"),
        (Fault(307, location="http://127.0.0.1:1/inside"), "permanent"),
    ],
)  # fmt: skip
async def test_each_answer_has_its_meaning(fault: Fault, kind: str) -> None:
    async with PushService() as service, channel(service) as own:
        browser = service.subscribe()
        service.faults[browser.path] = fault
        outcome = await own.send(message(browser))
    assert outcome.kind == kind
    if fault.retry_after:
        assert outcome.retry_after == fault.retry_after


async def test_a_service_that_is_gone_is_tried_later_and_holds_up_no_other() -> None:
    async with PushService() as alive:
        async with PushService() as gone:
            lost = gone.subscribe()
        both = f"{alive.url},{gone.url}"
        async with channel(alive, both) as own:
            for _ in range(30):
                assert (await own.send(message(lost))).kind == "transient"
            assert own.held_s() == 0
            assert (await own.send(message(alive.subscribe()))).kind == "accepted"


@pytest.mark.parametrize(
    "keys",
    [{}, {"p256dh": "AAAA", "auth": "AAAA"}, {"p256dh": "!!", "auth": ""}, {"auth": "x" * 22}],
)
async def test_keys_that_are_none_fail_for_good(keys: dict[str, str]) -> None:
    async with PushService() as service, channel(service) as own:
        browser = service.subscribe()
        browser.subscription["keys"] = keys
        assert (await own.send(message(browser))).kind == "permanent"


async def test_a_roll_call_reaches_browsers_and_drops_those_that_ended(database: str) -> None:
    async with world(database) as w, PushService() as service:
        ids = [await w.person(f"W{n}") for n in range(4)]
        browsers = [service.subscribe(KEY.public) for _ in ids]
        for person_id, browser in zip(ids, browsers, strict=True):
            await w.phone(person_id, json.dumps(browser.subscription), "webpush")
        service.faults[browsers[3].path] = Fault(410)
        body = alert()
        async with w.client() as api:
            assert (await api.post("/v1/alerts", json=body)).status_code == 201
        await w.run_jobs()
        async with channel(service) as own:
            sender = Sender(w.db, own, 8)
            task = asyncio.create_task(sender.run())
            async with asyncio.timeout(20):
                while await w.value(DONE):  # noqa: ASYNC110 - the database has no event
                    await asyncio.sleep(0.05)
            await sender.stop_claiming()
            await sender.finish()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        states = await w.sql("SELECT state, count(*) AS n FROM delivery GROUP BY 1 ORDER BY 1")
        assert [tuple(r) for r in states] == [("accepted", 3), ("failed", 1)]
        assert [len(b.received) for b in browsers] == [1, 1, 1, 0]
        dead = await w.sql("SELECT dead_reason FROM push_address WHERE dead_at IS NOT NULL")
        assert len(dead) == 1


def test_only_listed_services_are_spoken_to() -> None:
    hosts = PushHosts("fcm.googleapis.com, *.push.apple.com,http://127.0.0.1:9")
    for good in (
        "https://fcm.googleapis.com/fcm/send/x", "https://web.push.apple.com/a",
        "https://fcm.googleapis.com:443/x", "http://127.0.0.1:9/push/x",
    ):  # fmt: skip
        assert hosts.allows(good), good
    for bad in (
        "http://fcm.googleapis.com/x", "https://fcm.googleapis.com.evil.example/x",
        "https://push.apple.com.evil/x", "https://evilpush.apple.com@10.0.0.1/x",
        "https://fcm.googleapis.com:8443/x", "https://127.0.0.1/x", "https://[::1]/x",
        "http://127.0.0.1:99/x", "https://user@fcm.googleapis.com/x", "file:///etc/passwd", "",
        "https://fcm.googleapis.com:99999999/",
    ):  # fmt: skip
        assert not hosts.allows(bad), bad
    with pytest.raises(BadInput):
        hosts.require("https://10.0.0.1/x", "subscription.endpoint")


@given(endpoint=st.text(max_size=80))
def test_no_address_breaks_the_check(endpoint: str) -> None:
    assert PushHosts("fcm.googleapis.com").allows(endpoint) in (True, False)


def test_the_key_is_made_once_and_kept(tmp_path: object) -> None:
    settings = Settings(data_dir=tmp_path)  # type: ignore[arg-type]
    first = open_push_key(settings)
    assert open_push_key(settings).public == first.public
    file = settings.data_dir / "vapid.key"
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ValueError, match="32 bytes"):
        PushKey(b"short")
