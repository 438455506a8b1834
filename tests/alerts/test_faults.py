"""What FCM can do to a delivery, and what becomes of it: in the words of channels.md."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clients.simulator.fcm import FcmServer
from clients.simulator.hub import Push as Arrived
from clients.simulator.script import Latency, TokenFault
from server.alerts import outcomes, sender
from server.alerts.channels import Push
from server.alerts.channels import fcm as fcm_channel
from server.alerts.channels.fcm import payload
from server.errors import Unavailable
from tests.alerts.test_sender import channel, opened, sending, until
from tests.alerts.world import World, alert, world

REST = "SELECT count(*) FROM delivery WHERE state IN ('queued', 'sending')"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits cut short, so that what takes minutes is seen in seconds."""
    monkeypatch.setattr(outcomes, "UNKNOWN_WAIT_S", 0.2)
    monkeypatch.setattr(fcm_channel, "REQUEST_S", 0.5)


@pytest.fixture
async def provider() -> AsyncIterator[FcmServer]:
    async with FcmServer() as made:
        made.script.any_token = True
        yield made


def one_fault(fcm: FcmServer, person: int, fault: Any, times: int | None = None) -> str:
    token = f"sim-token-{person}"
    fcm.script.tokens[token] = TokenFault(fault, times)
    return token


async def outcome(w: World) -> tuple[str, str, bool]:
    """State and reason of the one delivery, and whether its address is called dead."""
    (row,) = await w.sql(
        "SELECT d.state, coalesce(d.error, '') AS error, a.dead_at IS NOT NULL AS dead"
        " FROM delivery d, push_address a"
    )
    return row["state"], row["error"], row["dead"]


@pytest.mark.usefixtures("hasty")
async def test_each_fault_of_one_phone_has_its_meaning(
    database: str, tmp_path: Path, provider: FcmServer
) -> None:
    """fault -> the state it leads to, a word of the reason, and whether the token is dead."""
    meanings: dict[str, tuple[str, str, bool]] = {
        "unregistered": ("failed", "UNREGISTERED", True),
        "invalid_token": ("failed", "400", False),
        "apns_unregistered": ("failed", "400", False),
        "sender_mismatch": ("failed", "another Firebase project", False),
        "no_project": ("queued", "404", False),
        "not_found_page": ("queued", "404", False),
        "no_permission": ("queued", "403", False),
        "third_party_auth": ("queued", "401 THIRD_PARTY_AUTH_ERROR", False),
        "quota": ("queued", "429 QUOTA_EXCEEDED", False),
        "quota_project": ("queued", "429", False),
        "unavailable": ("queued", "503", False),
        "internal": ("queued", "500", False),
        "bad_gateway": ("queued", "502", False),
        "garbage": ("unknown", "could not be read", False),
        "empty": ("unknown", "could not be read", False),
        "hang": ("unknown", "no answer", False),
        "reset": ("unknown", "no answer", False),
        "lost_hang": ("unknown", "no answer", False),
    }
    async with world(database) as w:
        await w.people(len(meanings), phones=len(meanings))
        people = [r[0] for r in await w.sql("SELECT person_id FROM person ORDER BY 1")]
        for fault, person in zip(meanings, people, strict=True):
            one_fault(provider, person, fault)
        async with w.client() as api:
            await api.post("/v1/alerts", json=alert())
        await w.run_jobs()
        async with sending(w, channel(provider, tmp_path)):
            await until(w, "SELECT count(*) FROM delivery WHERE state = 'unknown'", 5)
            await until(w, "SELECT count(*) FROM delivery WHERE state = 'failed'", 4)
            await until(w, "SELECT min(attempts) FROM delivery WHERE state = 'queued'", 1)
        rows = await w.sql(
            "SELECT d.person_id, d.state, d.error, a.dead_at IS NOT NULL AS dead, d.attempts"
            " FROM delivery d JOIN push_address a ON a.device_id = d.endpoint::uuid"
            " ORDER BY d.person_id"
        )
        for row, (fault, (state, word, dead)) in zip(rows, meanings.items(), strict=True):
            assert (row["state"], row["dead"]) == (state, dead), fault
            assert word in row["error"], fault
            if state == "unknown":
                assert row["attempts"] == 2, "once more, and then it is called what it is"


@pytest.mark.usefixtures("hasty")
async def test_what_passes_is_sent_in_the_end(
    database: str, tmp_path: Path, provider: FcmServer
) -> None:
    faults = ("quota", "unavailable", "internal", "hang", "reset", "garbage", "token_expired")
    async with world(database) as w:
        await w.people(len(faults), phones=len(faults))
        people = [r[0] for r in await w.sql("SELECT person_id FROM person ORDER BY 1")]
        for fault, person in zip(faults, people, strict=True):
            one_fault(provider, person, fault, times=1)
        async with w.client() as api:
            await api.post("/v1/alerts", json=alert())
        await w.run_jobs()
        async with sending(w, channel(provider, tmp_path)):
            await until(w, REST, 0)
        assert await w.value("SELECT count(*) FROM delivery WHERE state = 'accepted'") == len(
            faults
        )
        assert provider.ledger.granted == 2, "a refused access token is renewed once"


async def test_an_outage_is_waited_out_without_hammering(
    database: str, tmp_path: Path, provider: FcmServer
) -> None:
    async with world(database) as w:
        provider.script.outage = "unavailable"
        await opened(w, 200)
        async with sending(w, channel(provider, tmp_path)):
            await asyncio.sleep(2.5)
            during = provider.stats().requests
            provider.script.outage = None
            await until(w, REST, 0, within_s=30)
        assert during < 80, "most of two hundred were never tried"
        assert await w.value("SELECT count(*) FROM delivery WHERE state = 'accepted'") == 200
        assert provider.stats().accepted_twice == 0


async def test_a_worker_killed_mid_send_leaves_its_deliveries_to_another(
    database: str, tmp_path: Path, provider: FcmServer
) -> None:
    async with world(database) as w:
        await opened(w, 30)
        provider.script.latency = Latency(median_ms=60_000)
        torn = channel(provider, tmp_path)
        dying = sender.Sender(w.db, torn, 10)
        task = asyncio.create_task(dying.run())
        await until(w, "SELECT count(*) FROM delivery WHERE state = 'sending'", 30)
        await asyncio.sleep(0.2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await torn.close()  # as the end of its process would
        provider.script.latency = Latency()
        tried = provider.stats().deliveries
        assert tried > 0
        async with sending(w, channel(provider, tmp_path)):
            await asyncio.sleep(0.5)
            assert provider.stats().deliveries == tried, "not before the lease is over"
            await w.sql("UPDATE delivery SET attempted_at = now() - interval '1 hour'")
            await until(w, REST, 0)
        assert provider.stats().deliveries == 30, "the same ids again, and all of them"


async def test_an_outcome_that_could_not_be_written_is_written_later(
    database: str, tmp_path: Path, provider: FcmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sender.write_outcomes
    refused = 0

    async def unlucky(*args: Any) -> None:
        nonlocal refused
        refused += 1
        if refused <= 3:
            raise Unavailable("away")
        await real(*args)

    monkeypatch.setattr(sender, "write_outcomes", unlucky)
    async with world(database) as w:
        await opened(w, 20)
        async with sending(w, channel(provider, tmp_path)):
            await until(w, REST, 0)
        assert refused > 3
        assert provider.stats().requests == 20, "nothing was sent twice for it"


async def test_a_stop_lets_what_is_in_flight_end(
    database: str, tmp_path: Path, provider: FcmServer
) -> None:
    async with world(database) as w:
        await opened(w, 200)
        provider.script.latency = Latency(median_ms=300)
        async with sending(w, channel(provider, tmp_path)):
            await until(w, "SELECT count(*) > 0 FROM delivery WHERE state = 'sending'", True)
            await asyncio.sleep(0.1)
        states = {
            r["state"]: r["n"]
            for r in await w.sql("SELECT state, count(*)::int AS n FROM delivery GROUP BY state")
        }
        assert "sending" not in states, "every claim was finished or given back"
        unused = "SELECT max(attempts) FROM delivery WHERE state = 'queued'"
        assert await w.value(unused) in (0, None), "and what was given back is no attempt"
        assert states["accepted"] == provider.stats().deliveries
        async with sending(w, channel(provider, tmp_path)):
            provider.script.latency = Latency()
            await until(w, REST, 0)
        assert provider.stats().accepted_twice == 0


async def test_after_the_end_nothing_of_a_sender_runs(
    database: str,
    tmp_path: Path,
    provider: FcmServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The pools close next: an answer that comes still later is left to its lease."""
    monkeypatch.setattr(sender, "FINISH_S", 0.2)
    async with world(database) as w:
        await opened(w, 30)
        provider.script.latency = Latency(median_ms=60_000)
        own = sender.Sender(w.db, channel(provider, tmp_path), 10)
        task = asyncio.create_task(own.run())
        await until(w, "SELECT count(*) FROM delivery WHERE state = 'sending'", 30)
        await own.stop_claiming()
        await own.finish()
        running = {t.get_name().rstrip("0123456789 ") for t in asyncio.all_tasks()}
        assert running.isdisjoint({"sender", "delivery outcomes", "delivery progress"})
        given_back = await w.value("SELECT count(*) FROM delivery WHERE state = 'queued'")
        assert given_back >= 20, "all but what was in flight"
        assert not task.done(), "its end is the supervisor's word"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert "InterfaceError" not in capsys.readouterr().out


async def test_a_closed_alert_sends_nothing_more(
    database: str, tmp_path: Path, provider: FcmServer
) -> None:
    async with world(database) as w, w.client() as api:
        provider.script.outage = "internal"
        alert_id = await opened(w, 5)
        async with sending(w, channel(provider, tmp_path)):
            await until(w, "SELECT min(attempts) FROM delivery", 1)
            assert (await api.post(f"/v1/alerts/{alert_id}/close")).status_code == 200
            await until(w, REST, 0)
            before = provider.stats().requests
            provider.script.outage = None
            await asyncio.sleep(1)
        assert provider.stats().requests == before
        assert await w.value("SELECT count(*) FROM delivery WHERE state = 'stopped'") == 5


@pytest.mark.usefixtures("hasty")
async def test_what_may_have_been_sent_is_never_called_unsent(
    database: str, tmp_path: Path, provider: FcmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "UNKNOWN_WAIT_S", 60)
    async with world(database) as w, w.client() as api:
        await w.people(2, phones=2)
        people = [r[0] for r in await w.sql("SELECT person_id FROM person ORDER BY 1")]
        one_fault(provider, people[0], "lost_reset")
        one_fault(provider, people[1], "internal")
        body = alert()
        await api.post("/v1/alerts", json=body)
        await w.run_jobs()
        async with sending(w, channel(provider, tmp_path)):
            await until(w, "SELECT count(*) FROM delivery WHERE error IS NOT NULL", 2)
        await api.post(f"/v1/alerts/{body['id']}/close")
        rows = await w.sql("SELECT state FROM delivery ORDER BY person_id")
        assert [r["state"] for r in rows] == ["unknown", "stopped"]


async def test_a_lock_screen_says_nothing(
    database: str, tmp_path: Path, provider: FcmServer
) -> None:
    arrived: list[Arrived] = []
    async with world(database) as w:
        person = await w.person("A1", language="fr")
        await w.phone(person, token="sim-token-lock-screen")
        provider.service_account("muster-test")
        provider.on_push("muster-test", ["sim-token-lock-screen"], arrived.append)
        body = alert(exercise=True)
        async with w.client() as api:
            await api.post("/v1/alerts", json=body)
        await w.run_jobs()
        async with sending(w, channel(provider, tmp_path)):
            await until(w, REST, 0)
    (push,) = arrived
    assert push.high_priority
    assert set(push.data) == {"kind", "alert_id", "delivery_id", "exercise"}
    assert (push.data["kind"], push.data["exercise"]) == ("alert", "1")
    assert push.data["alert_id"] == body["id"]
    assert "EXERCICE" in push.notification["title"]
    assert "EXERCICE" in push.notification["body"], "a drill says so wherever it is read"
    said = json.dumps(push.notification).lower()
    for word in ("explosion", "compound", "name", "area", "ke-n1", "a1"):
        assert word not in said


def made(**more: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "delivery_id": uuid.uuid4(),
        "alert_id": uuid.uuid4(),
        "address": "token",
        "severity": "urgent",
        "exercise": False,
        "expires_at": None,
        "language": None,
        "line": None,
        **more,
    }
    body = payload(fcm_channel.BaseAPI(credentials=object()), Push(**fields))
    return json.loads(body or b"{}").get("message", {})


def test_a_message_lives_no_longer_than_its_alert() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=90)
    assert made(expires_at=soon)["android"]["ttl"] in ("88s", "89s", "90s")
    assert made(expires_at=soon - timedelta(days=1))["android"]["ttl"] == "0s"
    assert made(expires_at=soon + timedelta(days=90))["android"]["ttl"] == "2419200s"


def test_only_danger_to_life_breaks_through_silence() -> None:
    assert made()["apns"]["payload"]["aps"]["sound"] == "default"
    assert made(severity="life_safety")["apns"]["payload"]["aps"]["sound"]["critical"] == 1
    assert made()["apns"]["headers"]["apns-priority"] == "10"


def test_what_is_too_large_is_not_sent() -> None:
    assert made(line="x" * 3000)["notification"]["body"] == "x" * 3000
    assert made(line="я" * 3000) == {}
