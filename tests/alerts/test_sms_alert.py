"""Texts as part of an alert: who gets one, what it costs, what its gateway reports of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from clients.simulator.sms import PASSWORD, USER, Fault, SmsGateway, Text
from server.alerts.sender import open_senders
from server.doctor import examine
from server.people.asking import ask
from tests.alerts.world import World, alert, world

DONE = "SELECT count(*) FROM delivery WHERE channel = 'sms' AND state IN ('queued', 'sending')"
SITE = "http://muster"


def routes(gateway: SmsGateway, *kinds: str, **more: Any) -> str:
    return json.dumps([
        {"name": kind, "kind": kind, "url": gateway.url(kind), "username": USER,
         "password": PASSWORD, "sender": "4670", "prefixes": ["+254"], "per_s": 100,
         "price_micro": 8000, "currency": "KES",
         "report_secret": gateway.report_secret, **more}
        for kind in kinds
    ])  # fmt: skip


@asynccontextmanager
async def texting_world(
    database: str, gateway: SmsGateway, *kinds: str, **more: Any
) -> AsyncIterator[World]:
    listed = routes(gateway, *(kinds or ("twilio",)), **more)
    async with world(database, sms_routes=listed, public_url=SITE) as w:
        yield w


@asynccontextmanager
async def working(w: World) -> AsyncIterator[None]:
    """A worker's senders, stopped in order at the end."""
    senders = await open_senders(w.db, w.settings)
    tasks = [asyncio.create_task(s.run()) for s in senders]
    try:
        yield
    finally:
        for s in senders:
            await s.stop_claiming()
            await s.finish()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def opened(w: World, **more: Any) -> str:
    body = alert(**more)
    async with w.client() as api:
        assert (await api.post("/v1/alerts", json=body)).status_code == 201
    await w.run_jobs()
    return str(body["id"])


async def all_sent(w: World, within_s: float = 20.0) -> None:
    async with asyncio.timeout(within_s):
        while await w.value(DONE):  # noqa: ASYNC110 - the database has no event
            await asyncio.sleep(0.05)


async def three_people(w: World) -> None:
    """A has app and number, B a number, C a number of another country."""
    a, b, c = [await w.person(ref, language="fr") for ref in "ABC"]
    await w.phone(a)
    await w.number(a, "+254700000001")
    await w.number(b, "+33612345678")
    await w.number(b, "+254700000002", rank=2)
    await w.number(c, "+33612345679")


async def planned(w: World) -> list[tuple[str, str]]:
    rows = await w.sql(
        "SELECT p.ref, d.channel FROM delivery d JOIN person p USING (person_id) ORDER BY 1, 2"
    )
    return [tuple(r) for r in rows]


async def test_without_a_route_nobody_is_texted_and_reach_says_so(database: str) -> None:
    async with world(database) as w:
        await three_people(w)
        async with w.client() as api:
            seen = (await api.post("/v1/alerts/preview", json=alert(severity="life_safety"))).json()
        await opened(w, severity="life_safety")
        assert seen["channels"] == {"push": 1, "sms": 0, "email": 0, "warden": 0, "none": 2}
        assert (seen["cost"], seen["segments"]) == (None, 0)
        assert await planned(w) == [("A", "fcm")]


@pytest.mark.parametrize("severity", ["urgent", "life_safety"])
async def test_texts_go_to_those_without_push_and_in_danger_of_life_to_all(
    database: str, severity: str
) -> None:
    async with SmsGateway() as gateway, texting_world(database, gateway) as w:
        await three_people(w)
        async with w.client() as api:
            seen = (await api.post("/v1/alerts/preview", json=alert(severity=severity))).json()
        await opened(w, severity=severity)
        everybody = severity == "life_safety"
        assert seen["channels"] == {"push": 1, "sms": 1, "email": 0, "warden": 0, "none": 1}
        assert seen["cost"] == [{"currency": "KES", "micro": 16000 if everybody else 8000}]
        assert (seen["segments"], seen["finish_s"]) == (1, 1)
        both = [("A", "fcm"), ("A", "sms")] if everybody else [("A", "fcm")]
        assert await planned(w) == [*both, ("B", "sms")]
        async with working(w):
            await all_sent(w)
        assert {t.number for t in gateway.texts} == (
            {"+254700000001", "+254700000002"} if everybody else {"+254700000002"}
        )


async def test_the_silent_are_reminded_by_text_once_a_round(database: str) -> None:
    async with SmsGateway() as gateway, texting_world(database, gateway) as w:
        await three_people(w)
        alert_id = await opened(w)
        async with w.client() as api:
            unsent = (await api.post(f"/v1/alerts/{alert_id}/remind")).json()
            assert unsent["reminder"]["deliveries"] == 0, "the first are still to be sent"
            async with working(w):
                await all_sent(w)
            await w.sql("UPDATE delivery SET queued_at = queued_at - interval '1 hour'")
            again = (await api.post(f"/v1/alerts/{alert_id}/remind")).json()
        assert again["reminder"]["deliveries"] == 1


async def test_a_reminder_is_not_sent_to_who_has_answered_since(database: str) -> None:
    async with SmsGateway() as gateway, texting_world(database, gateway) as w:
        await three_people(w)
        alert_id = await opened(w)
        async with working(w):
            await all_sent(w)
        await w.sql("UPDATE delivery SET queued_at = queued_at - interval '1 hour'")
        async with w.client() as api:
            await api.post(f"/v1/alerts/{alert_id}/remind")
        await w.sql(
            "UPDATE alert_person SET status = 'safe', event_at = now() FROM person p"
            " WHERE p.person_id = alert_person.person_id AND p.ref = 'B'"
        )
        async with working(w):
            await all_sent(w)
        row = (await w.sql("SELECT state, error, attempts FROM delivery WHERE round = 1"))[0]
        assert tuple(row) == ("stopped", "answered meanwhile", 0)
        assert len(gateway.texts) == 1


async def test_each_text_says_how_to_answer_with_a_code_of_its_own(database: str) -> None:
    """In the person's language, the same code in every text of one alert, another in the next."""
    async with SmsGateway() as gateway, texting_world(database, gateway) as w:
        for n, language in enumerate(["fr", "en", "ar"]):
            await w.number(await w.person(f"P{n}", language=language), f"+25470000001{n}")
        alert_id = await opened(w, sms_text="Report now.")
        async with working(w):
            await all_sent(w)
            await w.sql("UPDATE delivery SET queued_at = queued_at - interval '1 hour'")
            async with w.client() as api:
                await api.post(f"/v1/alerts/{alert_id}/remind")
            await w.sql("UPDATE delivery SET due_at = now()")
            await all_sent(w)
        codes = {
            r["phone"]: r["code"]
            for r in await w.sql(
                "SELECT phone, code FROM answer_code JOIN contact_point USING (person_id)"
            )
        }
        assert len(set(codes.values())) == 3
        assert {t.text for t in gateway.texts} == {
            f"Report now. {ask(language, codes[f'+25470000001{n}'])}"
            for n, language in enumerate(["fr", "en", "ar"])
        }
        await opened(w)
        async with working(w):
            await all_sent(w)
        assert await w.value("SELECT count(DISTINCT code) FROM answer_code") == 6


async def test_the_preview_counts_the_words_that_ask_for_an_answer(database: str) -> None:
    async with SmsGateway() as gateway, texting_world(database, gateway) as w:
        await w.number(await w.person("A"), "+254700000001")
        body = alert(sms_text="x" * 140)
        async with w.client() as api:
            seen = (await api.post("/v1/alerts/preview", json=body)).json()
        assert (seen["segments"], seen["cost"]) == (2, [{"currency": "KES", "micro": 16000}])
        await opened(w, sms_text="x" * 140)
        async with working(w):
            await all_sent(w)
        assert await w.value("SELECT parts FROM delivery") == 2


async def test_an_exercise_is_marked_and_its_parts_are_priced(database: str) -> None:
    async with SmsGateway() as gateway, texting_world(database, gateway) as w:
        await three_people(w)
        alert_id = await opened(w, exercise=True, sms_text="Restez à l'intérieur. " * 7)
        async with working(w):
            await all_sent(w)
        [text] = gateway.texts
        assert text.text.startswith("EXERCICE EXERCICE EXERCICE: Restez")
        async with w.client() as api:
            listed = (await api.get(f"/v1/alerts/{alert_id}/deliveries")).json()["items"]
    [row] = [d for d in listed if d["channel"] == "sms"]
    assert (row["route"], row["parts"], row["price_micro"]) == ("twilio", 2, 16000)
    assert (row["state"], row["currency"]) == ("accepted", "KES")


async def test_the_day_s_cap_is_read_from_the_record(database: str) -> None:
    async with (
        SmsGateway() as gateway,
        texting_world(database, gateway, cap_micro_per_day=8000) as w,
    ):
        first, second = await w.person("A"), await w.person("B")
        await w.number(first, "+254700000001")
        await opened(w)
        async with working(w):
            await all_sent(w)
        await w.number(second, "+254700000002")
        capped = await opened(w, audience={"areas": ["KE-N1"]})
        async with working(w):
            await asyncio.sleep(0.5)
        held = await w.sql(
            "SELECT state, attempts, error FROM delivery WHERE alert_id = $1", capped
        )
        assert {tuple(r) for r in held} == {
            ("queued", 0, "the SMS route has reached the day's spending cap")
        }
        assert len(gateway.texts) == 1
        await opened(w, severity="life_safety")
        async with working(w):
            async with asyncio.timeout(15):
                while len(gateway.texts) < 3:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)


async def test_a_second_route_takes_over(database: str) -> None:
    async with SmsGateway() as broken, SmsGateway() as whole:
        listed = json.loads(routes(broken, "kannel")) + json.loads(routes(whole, "twilio"))
        listed[1]["priority"] = 2
        broken.faults = [Fault(503)]
        async with world(database, sms_routes=json.dumps(listed), public_url=SITE) as w:
            for n in range(5):
                await w.number(await w.person(f"P{n}"), f"+25470000001{n}")
            await opened(w)
            async with working(w):
                await all_sent(w)
            assert len(whole.texts) == 5
            assert await w.value("SELECT count(*) FROM delivery WHERE route = 'twilio'") == 5


async def test_life_safety_overtakes_what_waits_for_a_slow_route(database: str) -> None:
    async with SmsGateway() as gateway, texting_world(database, gateway, per_s=0.2) as w:
        for n, area in enumerate(["KE-N1"] * 5 + ["KE-S"]):
            await w.number(await w.person(f"P{n}", area), f"+25470000001{n}")
        await opened(w, severity="routine", sms_text="Water off.", audience={"areas": ["KE-N"]})
        async with working(w), asyncio.timeout(60):
            held = "SELECT count(*) FROM delivery WHERE error LIKE 'held back by the rate%'"
            while await w.value(held) != 4:  # noqa: ASYNC110 - the database has no event
                await asyncio.sleep(0.05)
            there = {"severity": "life_safety", "audience": {"areas": ["KE-S"]}}
            await opened(w, **there, sms_text="Move to the bunker.")
            while len(gateway.texts) < 2:  # noqa: ASYNC110 - nor has the gateway
                await asyncio.sleep(0.05)
        assert [t.text[:5] for t in gateway.texts[:2]] == ["Water", "Move "]


# -- reports


async def sent(w: World, gateway: SmsGateway) -> Text:
    await w.number(await w.person("A"), "+254700000001")
    await opened(w)
    async with working(w):
        await all_sent(w)
    return gateway.texts[-1]


async def reported(w: World, gateway: SmsGateway, text: Text, *said: str, **more: Any) -> list[int]:
    """The statuses of reports as the gateway makes them, handed to the API here."""
    statuses = []
    to = text.report_url or f"{SITE}/v1/inbound/dlr/{text.kind}"
    async with w.client() as api:
        api.headers.pop("authorization")
        for word in said:
            request = gateway.reporting(text, word, **{"to": to, **more})
            body = request.pop("data", None)
            key = "data" if isinstance(body, dict) else "content"
            statuses.append((await api.request(**request, **{key: body})).status_code)
    return statuses


async def facts(w: World) -> tuple[str, bool]:
    [row] = await w.sql("SELECT state, delivered_at IS NOT NULL FROM delivery")
    return tuple(row)


def proof(kind: str) -> str:
    """Twilio signs with the account's own token."""
    return PASSWORD if kind == "twilio" else "reports"


@pytest.mark.parametrize("kind", ["kannel", "twilio", "africastalking", "android"])
async def test_reports_only_ever_move_forward(database: str, kind: str) -> None:
    async with SmsGateway() as gateway:
        gateway.report_secret = proof(kind)
        async with texting_world(database, gateway, kind) as w:
            text = await sent(w, gateway)
            assert await facts(w) == ("accepted", False)
            words = ("failed", "delivered", "accepted", "failed", "delivered")
            first = await reported(w, gateway, text, words[0])
            assert (first, await facts(w)) == ([200], ("failed", False))
            rest = await reported(w, gateway, text, *words[1:])
            assert (rest, await facts(w)) == ([200] * 4, ("accepted", True))
            stamped = await w.value("SELECT delivered_at FROM delivery")
            await reported(w, gateway, text, "delivered")
            assert await w.value("SELECT delivered_at FROM delivery") == stamped


@pytest.mark.parametrize("kind", ["kannel", "twilio", "africastalking", "android"])
async def test_a_forged_report_changes_nothing(database: str, kind: str) -> None:
    async with SmsGateway() as gateway:
        gateway.report_secret = proof(kind)
        async with texting_world(database, gateway, kind) as w:
            text = await sent(w, gateway)
            url = text.report_url or f"{SITE}/v1/inbound/dlr/{kind}"
            forged = url.replace(":reports@", ":guessed@")
            lies = await reported(w, gateway, text, "delivered", to=forged, secret="guessed")
            async with w.client() as api:
                plain = f"{SITE}/v1/inbound/dlr/{kind}?type=1"
                bare = [(await api.post(plain)).status_code, (await api.get(plain)).status_code]
                nowhere = (await api.post("/v1/inbound/dlr/other")).status_code
            assert (lies, bare, nowhere) == ([401], [401, 401], 401)
            assert await facts(w) == ("accepted", False)


async def test_a_report_of_a_text_never_sent_is_not_found(database: str) -> None:
    async with SmsGateway(PASSWORD) as gateway, texting_world(database, gateway) as w:
        text = await sent(w, gateway)
        other = text.report_url.replace(text.report_url[-12:], "0" * 12)
        assert await reported(w, gateway, text, "delivered", to=other) == [404]
        await w.sql("UPDATE delivery SET route = 'another'")
        assert await reported(w, gateway, text, "failed") == [404]
        assert await facts(w) == ("accepted", False)


async def test_a_report_settles_what_the_gateway_never_answered(database: str) -> None:
    async with SmsGateway("reports") as gateway, texting_world(database, gateway, "kannel") as w:
        gateway.faults = [Fault(200, "no word of ours", taken=True)]
        await w.number(await w.person("A"), "+254700000001")
        await opened(w)
        async with working(w):
            async with asyncio.timeout(10):
                while not await w.value("SELECT error FROM delivery"):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        assert await facts(w) == ("queued", False)
        assert await reported(w, gateway, gateway.texts[0], "accepted") == [200]
        assert await facts(w) == ("accepted", False)
        assert gateway.asked.total() == 1, "it is not sent again"


async def test_the_doctor_names_the_routes(database: str) -> None:
    async with (
        SmsGateway() as gateway,
        texting_world(database, gateway, "kannel", "android") as w,
    ):
        found = {f.check: f for f in await examine(w.settings, database)}
        assert not found["SMS kannel"].broken
        assert "serves +254" in found["SMS android"].text
    gone = {f.check: f for f in await examine(w.settings, database)}
    assert gone["SMS kannel"].broken
    assert PASSWORD not in str(gone)
