"""One text over one route: what each gateway is sent, and what each of its answers means."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clients.simulator.sms import PASSWORD, USER, Fault, SmsGateway, fields
from server.alerts.channels import Push
from server.alerts.channels.sms import SmsChannel
from server.alerts.channels.wording import EXERCISE, TEXT, text
from server.alerts.segments import segments
from server.texting import SmsRoute
from tests.alerts.test_sms_routes import KENYA

KINDS = ("kannel", "twilio", "africastalking", "android")
SITE = "https://muster.example.org"


def route(gateway: SmsGateway, kind: str, **more: Any) -> SmsRoute:
    given: dict[str, Any] = {
        "name": kind, "kind": kind, "url": gateway.url(kind), "username": USER,
        "password": PASSWORD, "sender": "4670", "per_s": 100, "price_micro": 8000,
        "currency": "KES", "report_secret": gateway.report_secret, **more,
    }  # fmt: skip
    return SmsRoute(**given)


def message(**more: Any) -> Push:
    given: dict[str, Any] = {
        "delivery_id": uuid.uuid4(), "alert_id": uuid.uuid4(), "address": KENYA,
        "severity": "urgent", "exercise": False, "expires_at": None, "language": "en",
        "line": None, **more,
    }  # fmt: skip
    return Push(**given)


@asynccontextmanager
async def channel(*routes: SmsRoute) -> AsyncIterator[SmsChannel]:
    own = SmsChannel(routes, SITE)
    try:
        yield own
    finally:
        await own.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("line", ["Stay inside: 100 € & more?", "ابق في الداخل"])
async def test_each_gateway_takes_a_text_whole(kind: str, line: str) -> None:
    async with SmsGateway() as gateway, channel(route(gateway, kind)) as own:
        push = message(line=line, expires_at=datetime.now(UTC) + timedelta(minutes=10))
        outcome = await own.send(push)
        [sent] = gateway.texts
    assert outcome.kind == "accepted"
    assert (sent.number, sent.text) == (KENYA, line)
    assert outcome.provider_id == (None if kind == "kannel" else sent.provider_id)
    assert outcome.carried is not None
    assert (outcome.carried.route, outcome.carried.parts) == (kind, 1)
    assert (outcome.carried.price_micro, outcome.carried.currency) == (8000, "KES")
    if kind != "africastalking":
        assert sent.valid_s is not None
        assert 540 <= sent.valid_s <= 600
    if kind in ("kannel", "twilio"):
        assert fields(sent.report_url)["id"] == str(push.delivery_id)
        assert PASSWORD not in sent.report_url


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("fault", "meaning"),
    [
        (Fault(500), "transient"), (Fault(503, retry_after=7), "transient"),
        (Fault(429), "transient"), (Fault(401), "transient"), (Fault(402), "transient"),
        (Fault(307), "transient"), (Fault(418, "what?"), "transient"), (Fault(200), "unknown"),
        (Fault(202, "<html>"), "unknown"),
    ],
)  # fmt: skip
async def test_what_is_not_the_numbers_fault_never_fails_it(
    kind: str, fault: Fault, meaning: str
) -> None:
    async with SmsGateway() as gateway, channel(route(gateway, kind)) as own:
        gateway.faults = [fault]
        outcome = await own.send(message())
    assert outcome.kind == meaning
    assert (outcome.carried is not None) == (meaning == "unknown"), "it may have cost something"
    assert outcome.reason
    assert KENYA not in outcome.reason


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("kannel", Fault(403, "Number(s) has/have been denied by white- and/or black-lists.")),
        ("kannel", Fault(400, "Not routable. Do not try again.")),
        ("twilio", Fault(400, '{"code": 21211, "message": "Invalid To"}')),
        ("twilio", Fault(400, '{"code": 21610}')),
        ("africastalking", Fault(201, '{"SMSMessageData":{"Recipients":[{"statusCode":403}]}}')),
        ("android", Fault(400, '{"message":"invalid phone number"}')),
    ],
)
async def test_a_number_that_cannot_be_texted_fails_for_good(kind: str, fault: Fault) -> None:
    async with SmsGateway() as gateway, channel(route(gateway, kind)) as own:
        gateway.faults = [fault]
        outcome = await own.send(message())
        assert own.fleet.way(kind).circuit.wait_s() == 0, "the route itself is well"
    assert outcome.kind == "permanent"


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("africastalking", Fault(201, '{"SMSMessageData":{"Recipients":[{"statusCode":405}]}}')),
        ("twilio", Fault(401, '{"code": 20003}')), ("twilio", Fault(400, '{"code": 21606}')),
        ("kannel", Fault(403, "Authorization failed for sendsms")), ("android", Fault(402)),
    ],
)  # fmt: skip
async def test_out_of_credit_rests_the_route_and_the_next_one_takes_over(
    kind: str, fault: Fault
) -> None:
    async with SmsGateway() as poor, SmsGateway() as rich:
        first, second = route(poor, kind), route(rich, "kannel", name="second", priority=2)
        async with channel(first, second) as own:
            poor.faults = [fault]
            outcome = await own.send(message())
            assert outcome.kind == "transient"
            assert outcome.retry_after is None, "the text itself need not wait"
            assert (await own.send(message())).kind == "accepted"
        assert (len(poor.texts), len(rich.texts)) == (0, 1)


async def test_a_gateway_that_is_gone_is_passed_over() -> None:
    async with SmsGateway() as gone:
        first = route(gone, "kannel", name="first", prefixes=("+254",))
    async with SmsGateway() as alive, channel(first, route(alive, "twilio")) as own:
        kinds = [(await own.send(message())).kind for _ in range(4)]
        assert kinds == ["transient"] * 3 + ["accepted"]


async def test_no_answer_is_unknown_until_its_report_may_have_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server.alerts.channels.sms.REQUEST_S", 0.3)
    async with SmsGateway() as gateway, channel(route(gateway, "kannel")) as own:
        gateway.faults = [Fault(hang_s=1.0, taken=True)]
        outcome = await own.send(message())
    assert (outcome.kind, outcome.retry_after) == ("unknown", 60.0)
    assert outcome.carried is not None


async def test_what_is_too_late_is_not_sent() -> None:
    async with SmsGateway() as gateway, channel(route(gateway, "kannel")) as own:
        outcome = await own.send(message(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
        assert outcome.kind == "held"
        assert not gateway.asked


async def test_a_number_no_route_serves_fails_and_a_full_route_holds() -> None:
    async with SmsGateway() as gateway:
        kenya = route(gateway, "kannel", prefixes=("+254",), per_s=0.5)
        async with channel(kenya) as own:
            assert (await own.send(message(address="+33612345678"))).kind == "permanent"
            assert (await own.send(message())).kind == "accepted"
            second = await own.send(message(address="+254700000002"))
            assert second.kind == "held"
            assert 0 < (second.retry_after or 0) <= 2.0


@pytest.mark.parametrize("language", [*EXERCISE, None, "pt-BR"])
@pytest.mark.parametrize("line", [None, "Report now."])
def test_no_exercise_can_be_taken_for_the_real_thing(
    language: str | None, line: str | None
) -> None:
    mark = EXERCISE.get(language or "en", EXERCISE["en"])
    words = text(language, line, exercise=True)
    assert words.startswith(f"{mark} {mark} {mark}: ")
    assert words.endswith(f"({mark})")
    assert mark not in text(language, line, exercise=False)
    assert segments(words).count <= 3


def test_neutral_lines_are_short_and_in_the_plain_alphabet_where_they_can() -> None:
    assert TEXT.keys() == EXERCISE.keys()
    for language in ("en", "fr", "es"):
        assert segments(TEXT[language]).count == 1, language
        assert segments(TEXT[language]).encoding == "GSM-7", language
    assert all(segments(line).count <= 2 for line in TEXT.values())


async def test_parts_are_counted_and_priced_before_sending() -> None:
    async with SmsGateway() as gateway, channel(route(gateway, "twilio")) as own:
        outcome = await own.send(message(line="x" * 161))
        assert outcome.carried is not None
        assert (outcome.carried.parts, outcome.carried.price_micro) == (2, 16000)
        endless = await own.send(message(line="ж" * 1000, address="+254700000002"))
        assert endless.kind == "permanent"
