"""E-mail: neutral, marked in exercises, one id a delivery; what the relay's answers mean."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from clients.simulator.smtp import MailRelay
from server.alerts import outcomes
from server.alerts.channels import Push
from server.alerts.channels import email as email_channel
from server.alerts.channels.email import EmailChannel, compose
from server.alerts.channels.wording import EXERCISE, LINE, TEXT
from server.alerts.deliveries import store
from server.alerts.sender import Sender
from server.config import Settings
from server.mailing import is_address, relay, served
from tests.alerts.test_sender import until
from tests.alerts.world import World, alert, world

FROM = "muster@example.org"
REST = "SELECT count(*) FROM delivery WHERE state IN ('queued', 'sending')"


def settings(own: MailRelay | None, url: str | None = None) -> dict[str, Any]:
    given = url or (own.url if own else "")
    return {"smtp_url": SecretStr(given), "smtp_from": FROM}


def channel(own: MailRelay) -> EmailChannel:
    found = relay(Settings(**settings(own)))
    assert found is not None
    return EmailChannel(found)


def push(**more: Any) -> Push:
    about: dict[str, Any] = {
        "delivery_id": uuid.uuid4(), "alert_id": uuid.uuid4(), "address": "amina@example.org",
        "severity": "urgent", "exercise": False, "expires_at": None, "language": "en",
        "line": None, **more,
    }  # fmt: skip
    return Push(**about)


@asynccontextmanager
async def a_relay(**more: Any) -> AsyncIterator[tuple[MailRelay, EmailChannel]]:
    async with MailRelay(**more) as own:
        made = channel(own)
        try:
            yield own, made
        finally:
            await made.close()


@pytest.mark.parametrize("language", sorted(TEXT))
@pytest.mark.parametrize("exercise", [False, True])
async def test_a_letter_is_neutral_and_an_exercise_says_so_in_subject_and_body(
    language: str, exercise: bool
) -> None:
    async with a_relay(login=True) as (own, made):
        sent = push(language=language, exercise=exercise)
        outcome = await made.send(sent)
        [mail] = own.taken
    assert (outcome.kind, outcome.provider_id) == ("accepted", "SIM00001")
    message = mail.message
    assert (mail.sender, mail.recipient) == (FROM, "amina@example.org")
    assert message["Message-ID"] == f"<{sent.delivery_id}@example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "text/plain"
    assert LINE[language] in message["Subject"]
    assert TEXT[language] in mail.text
    mark = EXERCISE[language]
    assert (mark in message["Subject"]) is exercise
    assert mail.text.count(mark) == (4 if exercise else 0)


async def test_the_operators_words_stand_in_the_body_and_never_in_the_subject() -> None:
    async with a_relay() as (own, made):
        await made.send(push(line="Move to the south gate.\n.\nNow."))
        [mail] = own.taken
    assert mail.text == "Move to the south gate.\n.\nNow.\n"
    assert "gate" not in mail.message["Subject"]


async def test_what_the_relay_answers_has_its_meaning() -> None:
    meanings: list[tuple[dict[str, Any], str, str]] = [
        ({"refused": {"amina@example.org": "550 5.1.1 no such user"}}, "endpoint_dead", "550"),
        ({"refused": {"amina@example.org": "550 5.7.1 policy"}}, "permanent", "550"),
        ({"refused": {"amina@example.org": "450 4.2.0 greylisted"}}, "transient", "450"),
        ({"message_refused": "552 5.3.4 too large"}, "permanent", "552"),
        ({"message_refused": "451 4.3.0 later"}, "transient", "451"),
        ({"refused": {"amina@example.org": "421 4.3.2 closing"}}, "transient", "gone"),
        ({"fault": "cut"}, "unknown", "no answer"),
        ({"fault": "lost"}, "unknown", "no answer"),
        ({"sender_refused": "550 5.7.1 not you"}, "transient", "sender"),
    ]
    for faults, kind, word in meanings:
        async with a_relay() as (own, made):
            for name, value in faults.items():
                setattr(own, name, value)
            outcome = await made.send(push())
            assert (outcome.kind, word in (outcome.reason or "")) == (kind, True), faults
            assert "amina" not in (outcome.reason or "")
            own.refused, own.message_refused, own.fault, own.sender_refused = {}, None, None, None
            if made.held_s() == 0:
                assert (await made.send(push())).kind == "accepted", "the next one goes"


async def test_silence_is_unknown_and_a_relay_that_is_away_rests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(email_channel, "REQUEST_S", 0.3)
    async with a_relay() as (own, made):
        own.fault = "hang"
        assert (await made.send(push())).kind == "unknown"
        await own.stop()
        for _ in range(email_channel.FAILURES):
            outcome = await made.send(push())
            assert outcome.kind == "transient"
        assert made.held_s() > 0
        assert made.health()[""].why == "circuit"


async def test_wrong_credentials_are_no_fault_of_the_message() -> None:
    async with MailRelay(login=True) as own:
        wrong = relay(Settings(**settings(own, own.url.replace("secret", "wrong"))))
        assert wrong is not None
        made = EmailChannel(wrong)
        outcome = await made.send(push())
        await made.close()
    assert outcome.kind == "transient"
    assert "wrong" not in (outcome.reason or "")


async def test_connections_are_few_and_kept() -> None:
    async with a_relay() as (own, made):
        kinds = {o.kind for o in await asyncio.gather(*(made.send(push()) for _ in range(60)))}
        assert kinds == {"accepted"}
        assert own.connections <= email_channel.CONNECTIONS
        late = push(expires_at=datetime.now(UTC) - timedelta(seconds=1))
        assert (await made.send(late)).kind == "held"
        odd = push(address="amina@example.org\r\nRCPT TO:<other@example.org>")
        assert (await made.send(odd)).kind == "permanent"
        assert len(own.taken) == 60


def test_settings_that_cannot_be_used_are_said_without_their_secrets() -> None:
    for url in ("http://a:hunter2@x", "smtp://a:hunter2@x:port", "smtp://"):
        with pytest.raises(ValueError, match="MUSTER_SMTP_URL") as told:
            relay(Settings(**settings(None, url)))
        assert "hunter2" not in str(told.value)
    with pytest.raises(ValueError, match="MUSTER_SMTP_FROM"):
        relay(Settings(smtp_url=SecretStr("smtp://x"), smtp_from="Muster <m@x>"))
    remote = relay(Settings(**settings(None, "smtp://mail.example.org:587")))
    assert remote is not None
    assert remote.start_tls, "nothing goes over the open net in the clear"
    secure = relay(Settings(**settings(None, "smtps://u%40x:p%2F@mail.example.org")))
    assert secure is not None
    assert (secure.port, secure.tls, secure.start_tls) == (465, True, False)
    assert (secure.username, secure.password) == ("u@x", "p/")
    assert compose(push(), FROM)
    assert not is_address("a@b\nc")
    assert served(Settings()) == ()


async def _people(w: World) -> None:
    """P1 with a phone, P2 with a number, P3 with neither, P4 without an address; else all have."""
    for n in range(1, 5):
        person = await w.person(f"P{n}")
        if n != 4:
            await w.sql(
                "UPDATE person SET email = $2 WHERE person_id = $1", person, f"p{n}@example.org"
            )
        if n == 1:
            await w.phone(person)
        if n == 2:
            await w.number(person, "+254700000002")


async def _opened(w: World, **more: Any) -> str:
    body = alert(**more)
    async with w.client() as api:
        assert (await api.post("/v1/alerts", json=body)).status_code == 201
    await w.run_jobs()
    return str(body["id"])


MAILED = (
    "SELECT p.ref, d.purpose FROM delivery d JOIN person p USING (operation_id, person_id)"
    " WHERE d.channel = 'email' AND d.alert_id = $1 ORDER BY p.ref"
)
SMS = {"sms_url": "http://127.0.0.1:1/", "sms_username": "u", "sms_password": SecretStr("p")}


async def test_it_goes_to_whom_nothing_else_reaches_and_to_all_where_lives_hang_on_it(
    database: str,
) -> None:
    async with MailRelay() as own, world(database, **settings(own), **SMS) as w:
        await _people(w)
        plain = await _opened(w)
        assert [r["ref"] for r in await w.sql(MAILED, plain)] == ["P3"]
        urgent = await _opened(w, severity="life_safety")
        assert [r["ref"] for r in await w.sql(MAILED, urgent)] == ["P1", "P2", "P3"]
        async with w.client() as api:
            told = (await api.post("/v1/alerts/preview", json=_asked())).json()
        assert told["channels"] == {"push": 1, "sms": 1, "email": 1, "warden": 0, "none": 1}
        async with w.db.transaction(w.op) as con:
            people = [r[0] for r in await con.fetch("SELECT person_id FROM person ORDER BY ref")]
            how = store.Mailing(only_silent=True, purpose="remind", only_new=True)
            assert await store.queue_emails(con, uuid.UUID(plain), 2, people, how) == 2
            assert await store.queue_emails(con, uuid.UUID(plain), 2, people, how) == 0


def _asked() -> dict[str, Any]:
    body = alert()
    return {k: v for k, v in body.items() if k != "id"}


async def test_from_the_alert_to_the_mailbox_once(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "UNKNOWN_WAIT_S", 0.2)
    async with MailRelay() as own, world(database, **settings(own)) as w:
        await _people(w)
        own.refused["p2@example.org"] = "550 5.1.1 nobody"
        own.fault = "lost"
        await _opened(w, severity="life_safety", exercise=True, sms_text="Stay where you are.")
        sender = Sender(w.db, channel(own), 4)
        task = asyncio.create_task(sender.run())
        await until(w, "SELECT count(*) FROM delivery WHERE error LIKE 'unknown: %'", 2)
        own.fault = None
        await until(w, "SELECT count(*) FROM delivery WHERE channel = 'email' AND live", 0)
        await sender.stop_claiming()
        await sender.finish()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        rows = await w.sql(
            "SELECT p.ref, d.state, d.error FROM delivery d JOIN person p USING (person_id)"
            " WHERE channel = 'email' ORDER BY 1"
        )
    assert [(r["ref"], r["state"]) for r in rows] == [
        ("P1", "accepted"), ("P2", "failed"), ("P3", "accepted"),
    ]  # fmt: skip
    ids = [m.message["Message-ID"] for m in own.taken]
    assert len(ids) == 4
    assert len(set(ids)) == 2, "the second try has the same id"
    assert all("Stay where you are." in m.text and "EXERCISE" in m.text for m in own.taken)
