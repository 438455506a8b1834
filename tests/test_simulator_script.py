"""Scripted faults come at their rates, repeat with their seed, and can be changed live."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from clients.simulator.fcm import FcmServer
from clients.simulator.measure import access_token
from clients.simulator.script import Latency, Script, TokenFault, draw


class Sender:
    def __init__(self, fcm: FcmServer, session: aiohttp.ClientSession, access: str) -> None:
        self.fcm = fcm
        self.session = session
        self.headers = {"Authorization": f"Bearer {access}"}

    async def send(self, token: str, **data: str) -> int:
        url = f"{self.fcm.fcm_url}/p/messages:send"
        message = {"message": {"token": token, "data": data}}
        async with self.session.post(url, json=message, headers=self.headers) as answer:
            return answer.status

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with self.session.request(method, self.fcm.url + path, json=body) as answer:
            return answer.status, await answer.json()


@pytest_asyncio.fixture
async def sender(tmp_path) -> AsyncIterator[Sender]:
    async with FcmServer(Script(any_token=True)) as fcm, aiohttp.ClientSession() as session:
        fcm.service_account("p", tmp_path / "p.json")
        access = await asyncio.to_thread(access_token, tmp_path / "p.json")
        yield Sender(fcm, session, access)


def rates(script: Script, n: int = 20_000) -> Counter[str | None]:
    return Counter(script.fault(f"sim:{i}", draw(script.seed, f"sim:{i}", 1)[0]) for i in range(n))


def test_rates_are_roughly_right():
    found = rates(Script(seed=7, rates={"quota": 0.05, "hang": 0.01, "internal": 0.002}))
    assert 900 < found["quota"] < 1100
    assert 160 < found["hang"] < 240
    assert 20 < found["internal"] < 65


def test_the_same_seed_repeats_and_another_does_not():
    script, other = Script(seed=1, rates={"quota": 0.5}), Script(seed=2, rates={"quota": 0.5})
    first, again, different = (
        [s.fault(f"sim:{i}", draw(s.seed, f"sim:{i}", 1)[0]) for i in range(200)]
        for s in (script, script, other)
    )
    assert first == again
    assert first != different


def test_a_retry_draws_anew():
    assert draw(1, "sim:a", 1) != draw(1, "sim:a", 2)
    assert all(0 <= value < 1 for value in draw(1, "sim:a", 1))


def test_latency_is_lognormal_around_its_median():
    latency = Latency(median_ms=80, sigma=0.5, max_ms=500)
    drawn = sorted(latency.seconds(draw(3, f"sim:{i}", 1)[1]) for i in range(5000))
    assert drawn[2500] == pytest.approx(0.08, rel=0.05)
    assert drawn[4200] == pytest.approx(0.08 * 1.6487, rel=0.08)
    assert drawn[-1] <= 0.5
    assert Latency(median_ms=20).seconds(0.9) == pytest.approx(0.02)
    assert Latency().seconds(0.9) == 0


@pytest.mark.parametrize("rates", [{"quota": 0.6, "hang": 0.6}, {"quota": -0.1}])
def test_impossible_rates_are_refused(rates):
    with pytest.raises(ValueError, match="rates"):
        Script(rates=rates)


def test_a_patch_is_checked():
    script = Script().patched({"rates": {"quota": 0.5}, "tokens": {"a": {"fault": "hang"}}})
    assert script.tokens == {"a": TokenFault("hang")}
    for wrong in ({"rate": {}}, {"rates": {"quoat": 0.1}}, {"rates": {"quota": 2}}):
        with pytest.raises(msgspec.ValidationError):
            script.patched(wrong)


async def test_interleaving_does_not_change_who_fails(sender):
    tokens = [f"sim:phone-{i}" for i in range(300)]
    outcomes = []
    for order in (tokens, tokens[::-1]):
        sender.fcm.reset()
        sender.fcm.script = Script(seed=5, any_token=True, rates={"unavailable": 0.2})
        statuses = await asyncio.gather(*(sender.send(token) for token in order))
        outcomes.append(dict(zip(order, statuses, strict=True)))
    assert outcomes[0] == outcomes[1]
    assert 40 < list(outcomes[0].values()).count(503) < 80


async def test_a_tokens_faults_run_out(sender):
    sender.fcm.script.tokens["sim:flaky-phone"] = TokenFault("unavailable", times=2)
    statuses = [await sender.send("sim:flaky-phone") for _ in range(3)]
    assert statuses == [503, 503, 200]


async def test_the_quota_is_a_rate(sender):
    sender.fcm.script.quota_per_s = 20
    statuses = await asyncio.gather(*(sender.send(f"sim:phone-{i}") for i in range(60)))
    assert 20 <= statuses.count(200) <= 30
    assert statuses.count(429) == 60 - statuses.count(200)


async def test_latency_delays_the_answer(sender):
    sender.fcm.script.latency = Latency(median_ms=60)
    started = asyncio.get_running_loop().time()
    await asyncio.gather(*(sender.send(f"sim:phone-{i}") for i in range(20)))
    assert 0.055 < asyncio.get_running_loop().time() - started < 1


async def test_lost_and_doubled_pushes(sender):
    received: Counter[str] = Counter()
    tokens = [f"sim:phone-{i}" for i in range(400)]
    sender.fcm.on_push("p", tokens, lambda push: received.update([push.token]))
    sender.fcm.script = Script(seed=1, lose=0.2, duplicate=0.1)
    assert set(await asyncio.gather(*(sender.send(t) for t in tokens))) == {200}
    assert 50 < sum(t not in received for t in tokens) < 110
    assert 20 < sum(n == 2 for n in received.values()) < 60


async def test_every_request_is_recorded_with_its_attempt(sender):
    sender.fcm.script.tokens["sim:a-phone"] = TokenFault("internal", times=1)
    for _ in range(3):
        await sender.send("sim:a-phone", delivery_id="d-1")
    await sender.send("bad token!")
    log = sender.fcm.ledger.log
    assert [(r.delivery_id, r.attempt, r.outcome) for r in log] == [
        ("d-1", 1, "internal"),
        ("d-1", 2, "accepted"),
        ("d-1", 3, "accepted"),
        ("", 1, "refused"),
    ]
    stats = sender.fcm.stats()
    assert (stats.requests, stats.deliveries, stats.accepted_twice) == (4, 1, 1)
    assert stats.outcomes == {"internal": 1, "accepted": 2, "refused": 1}


async def test_the_script_is_changed_from_outside(sender):
    status, script = await sender.call("PATCH", "/_admin/script", {"outage": "unavailable"})
    assert (status, script["outage"], script["any_token"]) == (200, "unavailable", True)
    assert await sender.send("sim:a-phone") == 503
    await sender.call("PUT", "/_admin/script", {"any_token": True})
    assert await sender.send("sim:a-phone") == 200
    assert (await sender.call("GET", "/_admin/script"))[1]["outage"] is None
    assert (await sender.call("PATCH", "/_admin/script", {"nope": 1}))[0] == 400
    assert (await sender.call("POST", "/_admin/nope"))[0] == 404


async def test_counters_and_log_from_outside(sender):
    for i in range(3):
        await sender.send("sim:a-phone", delivery_id=f"d-{i}")
    _, stats = await sender.call("GET", "/_admin/stats")
    assert (stats["requests"], stats["outcomes"]) == (3, {"accepted": 3})
    _, log = await sender.call("GET", "/_admin/log?after=1&limit=1")
    assert [(r["seq"], r["delivery_id"]) for r in log["items"]] == [(2, "d-1")]
    _, stats = await sender.call("POST", "/_admin/reset")
    assert stats["requests"] == 0
    assert (await sender.call("POST", "/_admin/expire"))[1] == {"expired": 1}
    assert await sender.send("sim:a-phone") == 401


async def test_phones_of_another_process_get_their_pushes(sender):
    sender.fcm.script = Script()
    tokens = [f"sim:phone-{i}" for i in range(20)]
    body = {"project": "p", "tokens": tokens, "group": "demo"}
    assert (await sender.call("POST", "/_phones/register", body))[1] == {"registered": 20}
    # The first ten come before anybody listens, and wait.
    await asyncio.gather(*(sender.send(t, n="1") for t in tokens[:10]))
    assert sender.fcm.stats().pending == 10
    url = f"{sender.fcm.url}/_phones/stream?group=demo"
    async with sender.session.get(url) as stream:
        await asyncio.gather(*(sender.send(t, n="1") for t in tokens[10:]))
        received: list[dict[str, Any]] = []
        while len(received) < 20:
            line = await asyncio.wait_for(stream.content.readline(), 5)
            received += [msgspec.json.decode(line)] if line.strip() else []
    assert sorted(p["token"] for p in received) == sorted(tokens)
    await sender.call("POST", "/_phones/unregister", {"tokens": tokens[:1]})
    assert await sender.send(tokens[0]) == 404


async def test_nothing_listens_beyond_this_machine(sender):
    addresses = {s.getsockname()[0] for s in sender.fcm._server._server.sockets}
    assert addresses == {"127.0.0.1"}


async def test_the_stand_in_runs_as_a_process(tmp_path):
    credentials = tmp_path / "credentials.json"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *["-m", "clients.simulator.fcm", "--project", "demo", "--credentials", str(credentials)],
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        ready = json.loads(await process.stdout.readline())
        assert ready["fcm_url"] == f"http://127.0.0.1:{ready['port']}/v1/projects"
        assert json.loads(credentials.read_text())["project_id"] == "demo"
        access = await asyncio.to_thread(access_token, credentials)
        headers = {"Authorization": f"Bearer {access}"}
        url, body = f"{ready['fcm_url']}/demo/messages:send", {"message": {"token": "sim:nobody"}}
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, json=body, headers=headers) as answer,
        ):
            assert answer.status == 404
    finally:
        process.terminate()
        await process.communicate()
    assert process.returncode == 0
