"""Simulated phones: they retry with the same id, upload late, and behave as drawn."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from clients.simulator import behaviour, station
from clients.simulator.api import Api, Patience, ProblemError, UnreachableError, seconds
from clients.simulator.behaviour import BEHAVIOURS, MIX, Behaviour, Delay, react
from clients.simulator.enrolments import codes as enrolment_codes
from clients.simulator.fcm import FcmServer
from clients.simulator.hub import Push
from clients.simulator.phone import Phone, push_token
from clients.simulator.phones import Fleet, Setting
from clients.simulator.script import Script

ALERT = "11111111-1111-4111-8111-111111111111"
EAGER = Patience(first_s=0.001, longest_s=0.01, tries=6)


class Muster:
    """The far end: remembers what phones sent, and fails as told."""

    def __init__(self) -> None:
        self.devices: dict[str, dict[str, Any]] = {}
        self.checkins: list[dict[str, Any]] = []
        self.receipts: list[dict[str, Any]] = []
        self.calls: Counter[str] = Counter()
        self.headers: list[Any] = []
        self.faults: list[web.Response | None] = []
        self.kind = "rollcall"
        self.open = True
        self.family = 1
        self.item_faults = 0
        self.url = ""

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._failing])
        app.router.add_post("/v1/devices", self._enrol)
        app.router.add_post("/v1/enrolments", self._code)
        app.router.add_put("/v1/self/push", self._push)
        app.router.add_get("/v1/self", self._self)
        app.router.add_post("/v1/checkins", self._checkin)
        app.router.add_post("/v1/receipts", self._receipt)
        app.router.add_post("/v1/panics", self._panic)
        return app

    @web.middleware
    async def _failing(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.calls[f"{request.method} {request.path}"] += 1
        self.headers.append(request.headers)
        if self.faults:
            fault = self.faults.pop(0)
            if fault is None:
                request.transport.abort()
                return web.Response()
            if request.can_read_body:
                await request.read()
            return fault
        return await handler(request)

    async def _enrol(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body["code"] == "WRONG":
            return problem(404, "code_unknown")
        self.devices[f"device-{body['code']}"] = body
        person = {"ref": f"NBO-{body['code']}", "name": "Somebody"}
        sms = {"id5": "A1B2C", "key": "k", "numbers": []}
        token = f"device-{body['code']}"
        answer = {"device_id": body["id"], "token": token, "person": person, "sms": sms}
        return web.json_response(answer, status=201)

    async def _code(self, request: web.Request) -> web.Response:
        body = await request.json()
        return web.json_response({"code": f"C-{body['person_ref']}", "url": ""}, status=201)

    async def _push(self, request: web.Request) -> web.Response:
        self.devices[self._device(request)] = {"push": await request.json()}
        return web.Response(status=204)

    async def _self(self, request: web.Request) -> web.Response:
        ref = self._device(request).removeprefix("device-")
        household = [
            {"ref": f"{ref}-F{n}", "name": "x", "category": "family", "role": role, "may_report": m}
            for n, role, m in ((1, "family", True), (2, "sponsor", True), (3, "family", False))
        ]
        alert = {"id": ALERT, "kind": self.kind, "state": "open", "exercise": False, "answer": None}
        person = {"ref": ref, "name": "x", "category": "local", "agency": "x", "language": "en"}
        return web.json_response(
            {
                "person": {**person, "area": {"code": "NBO-KAR", "name": "Karen"}},
                "operation": {"code": "NBO"},
                "household": household[: 3 * self.family],
                "alerts": [alert] if self.open else [],
                "watch": None,
            }
        )

    async def _checkin(self, request: web.Request) -> web.Response:
        body = await request.json()
        items = body.get("items", [body])
        results = []
        for item in items:
            if self.item_faults and "for" in item:
                self.item_faults -= 1
                error = {"code": "busy", "detail": "", "status": 503, "retryable": True}
                results.append({"id": item["id"], "error": error})
                continue
            self.checkins.append({**item, "device": self._device(request)})
            results.append({"id": item["id"], "person": "x", "status": item["status"]})
        answer = {"items": results} if "items" in body else results[0]
        return web.json_response(answer, status=201)

    async def _receipt(self, request: web.Request) -> web.Response:
        self.receipts += (await request.json())["items"]
        return web.json_response({"items": []})

    async def _panic(self, request: web.Request) -> web.Response:
        body = await request.json()
        return web.json_response({"panic_id": body["id"], "sent_at": body["sent_at"]}, status=201)

    @staticmethod
    def _device(request: web.Request) -> str:
        return request.headers["Authorization"].removeprefix("Bearer ")


def problem(status: int, code: str, retryable: bool = False, **headers: str) -> web.Response:
    body = {"status": status, "code": code, "detail": "no", "retryable": retryable}
    return web.json_response(body, status=status, headers=headers)


@pytest_asyncio.fixture
async def muster() -> AsyncIterator[Muster]:
    muster = Muster()
    runner = web.AppRunner(muster.app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    muster.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield muster
    await runner.cleanup()


@pytest_asyncio.fixture
async def phone(muster) -> AsyncIterator[Phone]:
    async with Api(muster.url, patience=EAGER) as api:
        yield Phone(api, code="1", push_token="sim:phone-one", seed="1")


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


async def test_a_phone_enrols_and_reads_about_itself(muster, phone):
    answer = await phone.enrol()
    assert (answer["token"], phone.token, phone.ref) == ("device-1", "device-1", "NBO-1")
    sent = muster.devices["device-1"]
    assert sent["platform"] == "sim"
    assert sent["push"] == {"kind": "fcm", "token": "sim:phone-one"}
    view = await phone.fetch_self()
    assert view.person.area.code == "NBO-KAR"
    assert view.alert(ALERT).kind == "rollcall"
    assert view.alert("another") is None


async def test_a_lost_enrolment_is_repeated_with_the_same_id(muster, phone):
    ids = []
    for _ in range(2):
        await phone.enrol()
        ids.append(muster.devices["device-1"]["id"])
    assert ids[0] == ids[1]


async def test_a_wrong_code_is_a_refusal(muster):
    async with Api(muster.url, patience=EAGER) as api:
        with pytest.raises(ProblemError) as caught:
            await Phone(api, code="WRONG").enrol()
    assert (caught.value.status, caught.value.code) == (404, "code_unknown")
    assert muster.calls["POST /v1/devices"] == 1


async def test_an_answer_survives_every_passing_fault(muster, phone):
    await phone.enrol()
    muster.faults = [
        problem(503, "unavailable", retryable=True, **{"Retry-After": "0"}),
        None,
        problem(500, "internal"),
        web.Response(status=502, text="<html>"),
        problem(429, "too_many", **{"Retry-After": "0"}),
    ]
    result = await phone.answer("safe", alert_id=ALERT)
    assert muster.calls["POST /v1/checkins"] == 6
    (checkin,) = muster.checkins
    assert (checkin["id"], checkin["alert_id"]) == (result["id"], ALERT)
    assert phone.api.counts["retries"] == 5
    assert phone.api.counts["broken"] == 1


async def test_retry_after_is_honoured(muster, phone):
    await phone.enrol()
    muster.faults = [problem(503, "unavailable", **{"Retry-After": "0.15"})]
    started = asyncio.get_running_loop().time()
    await phone.answer("safe")
    assert asyncio.get_running_loop().time() - started >= 0.15


async def test_patience_ends(muster, phone):
    await phone.enrol()
    muster.faults = [None] * 6
    with pytest.raises(UnreachableError):
        await phone.answer("safe")
    muster.faults = [problem(503, "unavailable", **{"Retry-After": "0"}) for _ in range(6)]
    with pytest.raises(ProblemError):
        await phone.answer("safe")


def test_retry_after_may_be_a_date():
    assert seconds("7") == 7
    assert seconds("Mon, 23 Nov 2020 00:00:00 GMT") == 0
    assert seconds("soon") is None
    assert seconds(None) is None


async def test_each_try_says_when_it_was_sent(muster, phone):
    await phone.enrol()
    report = phone.report("away", at=phone.now(ago_s=3600))
    await phone.upload([report])
    await phone.upload([report])
    first, second = muster.checkins
    assert first["id"] == second["id"]
    assert first["at"] == second["at"]
    assert instant(first["sent_at"]) - instant(first["at"]) >= timedelta(hours=1)
    assert instant(second["sent_at"]) > instant(first["sent_at"]) - timedelta(milliseconds=1)


async def test_a_skewed_clock_is_skewed_everywhere(muster):
    async with Api(muster.url) as api:
        phone = Phone(api, token="device-9", skew_s=3600)
        await phone.answer("safe")
        await phone.receipt("d-1", "seen")
    (checkin,) = muster.checkins
    ahead = instant(checkin["at"]).timestamp() - datetime.now().astimezone().timestamp()
    assert 3590 < ahead < 3610
    assert abs(instant(checkin["sent_at"]) - instant(checkin["at"])) < timedelta(seconds=5)


async def test_a_batch_repeats_only_what_was_refused(muster, phone):
    await phone.enrol()
    muster.item_faults = 2
    reports = [phone.report("safe"), phone.report("away", for_="1-F1")]
    results = await phone.upload(reports)
    assert [r["status"] for r in results] == ["safe", "away"]
    assert [c.get("for") for c in muster.checkins] == [None, "1-F1"]
    assert muster.calls["POST /v1/checkins"] == 3


async def test_a_panic_and_a_new_push_token(muster, phone):
    await phone.enrol()
    panic = await phone.panic(location=behaviour.near(Random(1), station.place("NBO-KAR")))
    assert panic.keys() == {"panic_id", "sent_at"}
    phone.push_token = "sim:phone-new"
    await phone.set_push()
    assert muster.devices["device-1"]["push"] == {"kind": "fcm", "token": "sim:phone-new"}


async def test_an_operator_gets_codes_for_many(muster):
    found = await enrolment_codes(muster.url, "operator", ["a", "b"])
    assert found == {"a": "C-a", "b": "C-b"}


def test_reactions_are_deterministic_and_ordered():
    for kind in BEHAVIOURS.values():
        assert react(Random(5), kind) == react(Random(5), kind)
        reaction = react(Random(5), kind)
        assert 0 < reaction.delivered_s < reaction.seen_s < reaction.answer_s
        assert (reaction.online_s > 0) is (kind.offline is not None)


def test_the_mix_is_roughly_as_asked():
    drawn = [behaviour.behaviour(Random(f"1:{i}")) for i in range(4000)]
    for name, share in MIX.items():
        assert sum(b is BEHAVIOURS[name] for b in drawn) / 4000 == pytest.approx(share, abs=0.03)
    skews = [abs(behaviour.skew(Random(f"1:{i}"))) for i in range(2000)]
    assert sum(s > 60 for s in skews) / 2000 == pytest.approx(0.05, abs=0.02)


def test_positions_lie_near_their_zone():
    lat, lon = station.place("NBO-KAR")
    places = [behaviour.near(Random(i), (lat, lon)) for i in range(500)]
    assert sum(abs(p.lat - lat) < 0.015 and abs(p.lon - lon) < 0.015 for p in places) > 480
    assert all(0 < p.accuracy <= 500 for p in places)


def test_push_tokens_are_ones_that_fcm_would_take():
    tokens = {push_token(f"1:{i}") for i in range(100)}
    assert len(tokens) == 100
    assert all(t.startswith("sim:") and len(t) > 30 for t in tokens)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


def alert_to(owner: Any, delivery: str = "d", alert_id: str = ALERT) -> Push:
    data = {"kind": "alert", "alert_id": alert_id, "delivery_id": delivery, "exercise": "0"}
    return Push(owner.phone.push_token, "m", data, {}, True, 0.0)


@contextlib.asynccontextmanager
async def running(fleet: Fleet) -> AsyncIterator[Fleet]:
    task = asyncio.create_task(fleet.run())
    await asyncio.wait_for(fleet.ready.wait(), 10)
    try:
        yield fleet
    finally:
        fleet.stop()
        await task


def fleet_of(muster: Muster, kind: str, n: int = 3, **fields: Any) -> Fleet:
    setting = Setting(patience=EAGER, poll_s=fields.pop("poll_s", 20.0))
    codes = [f"{i}" for i in range(n)]
    return Fleet(muster.url, codes, mix={kind: 1.0}, time_scale=0.001, setting=setting, **fields)


async def test_prompt_people_answer_for_themselves_and_their_families(muster):
    async with FcmServer() as fcm, running(fleet_of(muster, "prompt", fcm=fcm)) as fleet:
        assert fleet.counts["enrolled"] == 3
        for nth, owner in enumerate(fleet.owners):
            fcm.hub.deliver(alert_to(owner, f"d-{nth}"))
        assert fleet.counts["waiting"] == 3
        await fleet.settle(10)
    assert fleet.counts["answered"] == 3
    family = [c for c in muster.checkins if "for" in c]
    assert {c["for"] for c in family} <= {"0-F1", "1-F1", "2-F1"}
    assert {c["alert_id"] for c in muster.checkins} == {ALERT}
    kinds = Counter((r["delivery_id"], r["kind"]) for r in muster.receipts)
    assert kinds == {(f"d-{n}", kind): 1 for n in range(3) for kind in ("delivered", "seen")}


async def test_a_repeated_delivery_is_answered_once(muster):
    async with FcmServer() as fcm, running(fleet_of(muster, "prompt", 1, fcm=fcm)) as fleet:
        for delivery in ("d-1", "d-1", "d-2"):
            fleet.on_push(alert_to(fleet.owners[0], delivery))
        await fleet.settle(10)
    assert (fleet.counts["pushes"], fleet.counts["repeated"]) == (3, 1)
    assert sum("for" not in c for c in muster.checkins) == 1
    assert {r["delivery_id"] for r in muster.receipts} == {"d-1", "d-2"}


async def test_offline_people_upload_late_with_the_true_time(muster):
    async with FcmServer() as fcm, running(fleet_of(muster, "offline", 1, fcm=fcm)) as fleet:
        before = dict(muster.calls)
        fleet.on_push(alert_to(fleet.owners[0]))
        await asyncio.sleep(0.01)
        assert dict(muster.calls) == before
        await fleet.settle(30)
        assert fleet.counts["late"] == 1
    own = next(c for c in muster.checkins if "for" not in c)
    assert instant(own["sent_at"]) - instant(own["at"]) > timedelta(milliseconds=50)
    assert [r["kind"] for r in muster.receipts] == ["delivered", "seen"]
    assert instant(muster.receipts[0]["at"]) < instant(own["at"])


async def test_silent_people_only_receive(muster):
    async with FcmServer() as fcm, running(fleet_of(muster, "silent", 5, fcm=fcm)) as fleet:
        for owner in fleet.owners:
            fleet.on_push(alert_to(owner))
        await fleet.settle(10)
    assert muster.checkins == []
    assert Counter(r["kind"] for r in muster.receipts) == {"delivered": 5}


async def test_a_reminder_wakes_some_of_the_silent(muster):
    async with FcmServer() as fcm, running(fleet_of(muster, "silent", 40, fcm=fcm)) as fleet:
        for nth in range(2):
            for owner in fleet.owners:
                fleet.on_push(alert_to(owner, f"d-{nth}"))
            await fleet.settle(10)
    assert 5 <= fleet.counts["answered"] <= 20


async def test_without_push_people_find_the_alert_in_the_app(muster):
    async with running(fleet_of(muster, "no_push", 2)) as fleet:
        await eventually(lambda: fleet.counts["answered"] == 2)
        await asyncio.sleep(0.1)
    assert all("push" not in device for device in muster.devices.values())
    assert muster.receipts == []
    assert fleet.counts["answered"] == 2


async def test_an_advisory_is_seen_but_not_answered(muster):
    muster.kind = "advisory"
    async with FcmServer() as fcm, running(fleet_of(muster, "prompt", 1, fcm=fcm)) as fleet:
        fleet.on_push(alert_to(fleet.owners[0]))
        await fleet.settle(10)
    assert muster.checkins == []
    assert len(muster.receipts) == 2


async def test_a_closed_roll_call_is_still_answered(muster):
    muster.open = False
    async with FcmServer() as fcm, running(fleet_of(muster, "prompt", 1, fcm=fcm)) as fleet:
        fleet.on_push(alert_to(fleet.owners[0]))
        await fleet.settle(10)
    assert fleet.counts["answered"] == 1


async def test_one_phones_trouble_stops_no_other(muster):
    async with FcmServer() as fcm, running(fleet_of(muster, "prompt", 2, fcm=fcm)) as fleet:
        muster.faults = [problem(404, "gone")]
        for owner in fleet.owners:
            fleet.on_push(alert_to(owner))
        await fleet.settle(10)
    assert (fleet.counts["refused"], fleet.counts["answered"]) == (1, 1)


async def test_enrolled_devices_register_their_new_push_token(muster):
    setting = Setting(patience=EAGER)
    fleet = Fleet(muster.url, tokens=["device-7"], mix={"prompt": 1.0}, setting=setting)
    async with running(fleet):
        assert fleet.counts["enrolled"] == 1
    token = fleet.owners[0].phone.push_token
    assert muster.devices["device-7"]["push"] == {"kind": "fcm", "token": token}


async def test_refused_enrolments_are_counted(muster):
    setting = Setting(patience=EAGER)
    async with running(Fleet(muster.url, ["WRONG", "1"], setting=setting)) as fleet:
        assert fleet.counts == {"enrolled": 1, "refused_enrolments": 1}


async def test_connections_are_bounded(muster):
    setting = Setting(connections=7, patience=EAGER)
    fleet = Fleet(muster.url, [f"{i}" for i in range(300)], setting=setting)
    async with running(fleet):
        assert fleet.counts["enrolled"] == 300
        assert len(fleet.api._session.connector._conns) == 1
        assert sum(len(c) for c in fleet.api._session.connector._conns.values()) <= 7


async def test_a_fleet_in_another_process_answers(muster, tmp_path):
    """Stand-in and phones as processes of their own, as the demo runs them."""
    codes = tmp_path / "codes.txt"
    codes.write_text("\n".join(str(i) for i in range(30)))
    async with FcmServer(Script()) as fcm:
        command = ["-m", "clients.simulator.phones", "--base-url", muster.url, "--fcm", fcm.url]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *[*command, "--codes", str(codes), "--time-scale", "0.002"],
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONWARNINGS": "default"},
        )
        try:
            await _until(process, lambda counts: counts["ready"])
            for nth, device in enumerate(muster.devices.values()):
                if "push" in device:
                    data = {"kind": "alert", "alert_id": ALERT, "delivery_id": f"d-{nth}"}
                    push = Push(device["push"]["token"], "m", data, {}, True, 0.0)
                    fcm.hub.deliver(push)
            counts = await _until(process, lambda c: c.get("pushes") and not c["waiting"])
        finally:
            process.send_signal(signal.SIGTERM)
            await process.communicate()
    assert process.returncode == 0
    assert counts["enrolled"] == 30
    assert counts["answered"] >= 15


async def _until(process: Any, done: Any) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            counts = json.loads(await process.stdout.readline())
            if done(counts):
                return counts


async def test_the_stream_is_opened_again_when_it_breaks(muster):
    async with FcmServer() as fcm:
        fleet = fleet_of(muster, "prompt", 2, fcm=fcm.url)
        async with running(fleet):
            group = fcm.hub.group(fleet.group)
            await eventually(lambda: group._transport is not None)
            group._transport.abort()
            for nth, owner in enumerate(fleet.owners):
                fcm.hub.deliver(alert_to(owner, f"d-{nth}"))
            await eventually(lambda: fleet.counts["answered"] == 2)


def test_a_behaviour_can_be_made_up():
    kind = Behaviour(Delay(1, 0), answers=0.5)
    answers = [react(Random(i), kind).answers for i in range(400)]
    assert 150 < sum(answers) < 250


async def test_an_api_outside_its_context_says_so():
    with pytest.raises(RuntimeError, match="async with"):
        await Api("http://127.0.0.1:1").call("GET", "/v1/self")


async def test_the_far_end_may_be_down():
    async with Api("http://127.0.0.1:1", patience=EAGER) as api:
        with pytest.raises(UnreachableError):
            await Phone(api, token="x").fetch_self()
        assert api.counts["broken"] == EAGER.tries
