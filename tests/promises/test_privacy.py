"""Promise 17, and of 16 what logs and exercises are concerned with.

A whole roll call on a live server, every text in it marked: the push services hear no more than
what the operator wrote for lock screens, and nothing of it stands in any log, whatever fails.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import asyncpg
import httpx
import pytest
import structlog

from clients.simulator.fcm import FcmServer
from clients.simulator.script import Script
from clients.simulator.webpush import Browser, PushService
from clients.simulator.wire import Connection, Request
from server import db, log
from server.alerts.channels.wording import EXERCISE, LINE
from server.people import importing, operations
from tests.people.roster import write
from tests.promises.crowd import eventually
from tests.promises.neighbours import dump, words
from tests.support.http import site
from tests.support.live import LiveServer

MARK = "Zqvark"  # in every name, note, title and text, and in no program
BROKEN = f"{MARK} BROKEN"
PHONE, LAT, LON = "71598765", "3.271538", "36.918427"
LOCK_SCREEN = "Line for the lock screen"
LANGUAGES = ["en", "fr", "es", "ar", "ru", "zh", "sw", ""]  # one unknown, one not given
SECRET = re.compile(r"token|code|key|secret|passw|csrf|session", re.IGNORECASE)


class Listening(FcmServer):
    """The stand-in, which remembers every request it gets."""

    def __init__(self) -> None:
        super().__init__(Script(any_token=True))
        self.heard: list[Request] = []

    def _handle(self, request: Request, connection: Connection) -> None:
        self.heard.append(request)
        super()._handle(request, connection)

    def messages(self) -> list[dict[str, Any]]:
        """The messages sent so far."""
        sent = [r for r in self.heard if r.target.endswith("messages:send")]
        return [json.loads(r.body)["message"] for r in sent]


@dataclass
class House:
    """A live server with its worker, what it says to push services, what it prints."""

    dsn: str
    fcm: Listening
    browser: Browser
    log: Path
    http: httpx.AsyncClient
    secrets: set[str] = field(default_factory=set)
    tokens: dict[str, str] = field(default_factory=dict)
    languages: dict[str, str] = field(default_factory=dict)  # by push address

    async def ask(self, who: str, method: str, path: str, body: Any = None) -> httpx.Response:
        """The answer to a request with somebody's token."""
        headers = {"authorization": f"Bearer {self.tokens[who]}"}
        return await self.http.request(method, path, json=body, headers=headers)

    async def call(self, who: str, method: str, path: str, body: Any = None) -> Any:
        """The decoded answer of a request that must succeed."""
        answer = await self.ask(who, method, path, body)
        assert answer.status_code < 300, (path, answer.text)
        return answer.json() if answer.content else None

    async def sql(self, *statements: str) -> None:
        """Test SQL of the superuser."""
        con = await asyncpg.connect(self.dsn)
        for statement in statements:
            await con.execute(statement)
        await con.close()


def roster(folder: Path) -> Path:
    rows = [
        f"{MARK}-P{n},{MARK} person {n},national,{MARK} agency,{MARK}-A,+254{PHONE}{n},,"
        f"{MARK}{n}@example.org,{language},"
        for n, language in enumerate(LANGUAGES)
    ]
    return write(
        folder / "roster",
        areas=[f"{MARK}-A,{MARK} place,,duty_station,{LAT},{LON},"],
        people=[*rows, f"{MARK}-P8,{MARK} person 8,local,{MARK} agency,{MARK}-A,,,,en,"],
        tree=[f"{MARK}-T,,{MARK} branch,{MARK}-A,{MARK}-P0,,"],
    )


@asynccontextmanager
async def house(dsn: str, folder: Path) -> AsyncIterator[House]:
    """The server with a roster and an operator; phones come later."""
    database = db.Database(dsn, 4)
    await database.open()
    await operations.add_operation(dsn, "NBO", f"{MARK} operation", "Africa/Nairobi")
    made = await importing.run(
        database, "NBO", [roster(folder)], dry_run=False, accept_partial=False
    )
    assert made.written, made
    desk = await operations.add_operator(database, "NBO", f"{MARK} desk", "admin")
    await database.close()
    async with Listening() as fcm, PushService() as service:
        fcm.service_account("sim", folder / "fcm.json")
        server = LiveServer(
            dsn,
            log=folder / "log",
            MUSTER_FCM_CREDENTIALS=str(folder / "fcm.json"),
            MUSTER_FCM_URL=fcm.fcm_url,
            MUSTER_WEBPUSH_HOSTS=service.url,
        )
        await asyncio.to_thread(server.start)
        try:
            async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
                browser = service.subscribe()
                yield House(
                    dsn, fcm, browser, folder / "log", client, {desk.token}, {"desk": desk.token}
                )
        finally:
            await asyncio.to_thread(server.__exit__, None, None, None)


async def sign_in(home: House) -> None:
    """A console's session, used once."""
    session = await home.http.post("/v1/sessions", json={"token": home.tokens["desk"]})
    home.secrets |= {session.json()["csrf"], *home.http.cookies.values()}
    assert (await home.http.get("/v1/sessions")).status_code == 200
    home.http.cookies.clear()


async def enrol(home: House) -> None:
    """A phone each with FCM, and one browser."""
    for n, language in enumerate([*LANGUAGES, "browser"]):
        wish = {"person_ref": f"{MARK}-P{n}"}
        code = await home.call("desk", "POST", "/v1/enrolments", wish)
        address = f"sim:{uuid4().hex}"
        home.languages[address] = language
        push = {"kind": "fcm", "token": address}
        body = {"id": str(uuid4()), "code": code["code"], "platform": "web", "push": push}
        phone = (await home.http.post("/v1/devices", json=body)).json()
        if language == "browser":  # over the API only https services are taken
            where = json.dumps(home.browser.subscription)
            await home.sql(
                f"UPDATE push_address SET kind = 'webpush', address = '{where}'"
                f" WHERE device_id = '{phone['device_id']}'"
            )
        home.tokens[f"P{n}"] = phone["token"]
        home.secrets |= {code["code"], phone["token"], phone["sms"]["key"], address}
        assert urlsplit(code["url"]).fragment == f"enrol={code['code']}"
        assert code["code"] not in code["url"].partition("#")[0]
    home.secrets.add(home.browser.path)


async def alarm(home: House, *, exercise: bool = False, **more: str) -> str:
    """An alert that everybody's phone has been told of; its id."""
    incident = {"id": str(uuid4()), "title": f"{MARK} incident", "exercise": exercise}
    await home.call("desk", "POST", "/v1/incidents", incident)
    before = len(home.fcm.messages()), len(home.browser.received)
    alert = {
        "id": str(uuid4()), "kind": "rollcall", "audience": {"all": True}, "exercise": exercise,
        "severity": "life_safety", "title": f"{MARK} title", "body": f"{MARK} body",
        "sms_text": f"{MARK} sms", "incident_id": incident["id"], **more,
    }  # fmt: skip
    await home.call("desk", "POST", "/v1/alerts", alert)
    await eventually(lambda: len(home.fcm.messages()) == before[0] + len(LANGUAGES))
    await eventually(lambda: len(home.browser.received) > before[1])
    return str(alert["id"])


async def react(home: House, alert_id: str) -> None:
    """Everyone looks, gives receipts and reports, with a place and a note."""
    now = datetime.now(UTC).isoformat()
    for n, message in enumerate(home.fcm.messages()[-len(LANGUAGES) :]):
        who = next(f"P{i}" for i, a in enumerate(home.languages) if a == message["token"])
        await home.call(who, "GET", "/v1/self")
        seen = {"delivery_id": message["data"]["delivery_id"], "kind": "seen", "at": now}
        await home.call(who, "POST", "/v1/receipts", {"items": [seen]})
        report = {
            "id": str(uuid4()), "status": ["safe", "need_help"][n % 2], "at": now,
            "alert_id": alert_id, "note": f"{MARK} note",
            "location": {"lat": float(LAT), "lon": float(LON), "accuracy": 5},
        }  # fmt: skip
        await home.call(who, "POST", "/v1/checkins", report)
    one = f"/v1/alerts/{alert_id}"
    for path in ("", "/headcount", "/deliveries", f"/people?q={MARK}"):
        await home.call("desk", "GET", one + path)
    stranger = {"id": str(uuid4()), "name": f"{MARK} stranger", "area": f"{MARK}-A"}
    await home.call("desk", "POST", f"{one}/people", {**stranger, "note": f"{MARK} note"})


def told(text: str) -> list[str]:
    """What of the roll call's own a text says."""
    return [word for word in (MARK, PHONE, LAT, LON, LAT[:-2], LON[:-2]) if word in text]


def check_pushes(home: House, alert_id: str, *, line: str = "", exercise: bool = False) -> None:
    """Every phone's message on this alert says its neutral line, or the operator's, alone."""
    messages = [m for m in home.fcm.messages() if m["data"]["alert_id"] == alert_id]
    assert {m["token"] for m in messages} == {
        a for a in home.languages if home.languages[a] != "browser"
    }
    for message in messages:
        language = home.languages[message["token"]]
        body = line or LINE.get(language, LINE["en"])
        mark = EXERCISE.get(language, EXERCISE["en"])
        if exercise:
            assert mark in message["notification"]["title"]
            body = f"{mark}: {body}"
        assert message["notification"]["body"] == body
        check_data(message["data"], alert_id, exercise)
    for received in home.browser.received:
        if received.data["alert_id"] == alert_id:
            check_data(received.data, alert_id, exercise)


def check_data(data: dict[str, str], alert_id: str, exercise: bool) -> None:
    assert set(data) == {"kind", "alert_id", "delivery_id", "exercise"}
    assert (data["kind"], data["alert_id"]) == ("alert", alert_id)
    assert data["exercise"] == str(int(exercise))


def check_heard(requests: Iterable[Request]) -> None:
    """Nothing of ours in anything a provider got: address, header or body."""
    for request in requests:
        text = request.body.decode()
        if request.target.endswith("messages:send"):
            text = json.dumps(json.loads(text), ensure_ascii=False)
        assert not told(f"{request.target} {request.authorization} {text}"), request.target


async def nuisance(home: House) -> None:
    """Secrets and names where they do not belong, and bodies no one can read."""
    token, name = home.tokens["P0"], quote(f"{MARK} person")
    for path in (f"/v1/self?token={token}", f"/v1/alerts/{token}", f"/v1/people/{name}/{token}"):
        assert (await home.http.get(path)).status_code in (401, 404)
    for path in (f"/v1/people/{name}", f"/v1/people?q={name}", f"/{name}", f"/console/{name}"):
        await home.ask("desk", "GET", path)
    for body in (MARK, f'{{"token": "{token}x"}}', f'{{"code": "{MARK}", "platform": 1}}'):
        for path in ("/v1/sessions", "/v1/devices", "/v1/checkins", "/v1/alerts"):
            headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
            await home.http.post(path, content=body, headers=headers)
    url = urlsplit(str(home.http.base_url))
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(f"GET /{name} {token} NOT/HTTP\r\n{MARK}\r\n\r\n".encode())
    await reader.read()
    writer.close()


_REFUSE = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      RAISE EXCEPTION 'refused' USING DETAIL = to_jsonb(NEW)::text; END $$
"""
_WHEN = f"FOR EACH ROW WHEN (NEW.title LIKE '%{BROKEN}%') EXECUTE FUNCTION refuse()"


async def failures(home: House) -> None:
    """What must not happen happens: statements fail on rows full of names."""
    await home.sql(
        _REFUSE,
        f"CREATE TRIGGER refuse BEFORE INSERT ON incident {_WHEN}",
        f"CREATE TRIGGER refuse BEFORE UPDATE ON alert {_WHEN}",
        f"ALTER TABLE checkin ADD CHECK (note NOT LIKE '%{BROKEN}%')",
        "REVOKE SELECT ON contact_point FROM muster_app",
    )
    now = datetime.now(UTC).isoformat()
    incident = {"id": str(uuid4()), "title": BROKEN, "exercise": False}
    assert (await home.ask("desk", "POST", "/v1/incidents", incident)).status_code == 500
    report = {"id": str(uuid4()), "status": "safe", "at": now, "note": BROKEN}
    assert (await home.ask("P1", "POST", "/v1/checkins", report)).status_code == 422
    assert (await home.ask("desk", "GET", f"/v1/people/{MARK}-P1")).status_code == 500
    await home.call("desk", "POST", "/v1/incidents", {**incident, "title": MARK})
    alert = {
        "id": str(uuid4()), "kind": "rollcall", "audience": {"all": True}, "exercise": False,
        "title": BROKEN, "body": BROKEN, "incident_id": incident["id"],
    }  # fmt: skip
    await home.call("desk", "POST", "/v1/alerts", alert)
    await eventually(lambda: "job_failed" in home.log.read_text())


async def postgres_log(dsn: str) -> str:
    con = await asyncpg.connect(dsn)
    try:
        return str(await con.fetchval("SELECT pg_read_file(pg_current_logfile())"))
    finally:
        await con.close()


async def test_a_whole_roll_call_says_nothing_to_others_nor_to_logs(
    database: str, tmp_path: Path
) -> None:
    async with house(database, tmp_path) as home:
        await sign_in(home)
        await enrol(home)
        neutral = await alarm(home)
        await react(home, neutral)
        check_pushes(home, neutral)
        check_pushes(home, await alarm(home, lock_screen=LOCK_SCREEN), line=LOCK_SCREEN)
        check_pushes(home, await alarm(home, exercise=True), exercise=True)
        await nuisance(home)
        await failures(home)
        check_heard(home.fcm.heard)
    printed = home.log.read_text()
    assert {"alert_opened", "unexpected", "job_failed", "stopping"} <= set(
        re.findall(r"\w+", printed)
    )
    database_said = await postgres_log(database)
    assert "violates check constraint" in database_said
    for text in (printed, database_said):
        assert not told(text), [line for line in text.splitlines() if told(line)]
        assert not [secret for secret in home.secrets if secret in text]
    assert "/v1/" not in re.sub(r'"/v1/[a-z/{}_]*"', "", printed), "an address was logged"


async def test_a_failing_rows_text_would_show_in_a_log(
    database: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mechanism taken away: a traceback with the database's own words quotes the row."""
    for render, shows in ((log.without_words, False), (structlog.processors.format_exc_info, True)):
        monkeypatch.setattr(log, "without_words", render)
        try:
            log.configure()
            con = await asyncpg.connect(database)
            try:
                await con.execute(f"INSERT INTO operation VALUES (DEFAULT, '{MARK}')")
            except asyncpg.PostgresError:
                log.get("test").exception("broken")
            finally:
                await con.close()
        finally:
            structlog.reset_defaults()
        printed = capsys.readouterr().err
        assert "NotNullViolationError" in printed
        assert (MARK in printed) is shows


async def test_an_exercise_keeps_no_place(database: str) -> None:
    async with site(database) as home:
        phone, place = await home.phone(0), {"lat": float(LAT), "lon": float(LON)}
        drill = await home.station.open_rollcall(exercise=True)
        now = datetime.now(UTC).isoformat()
        report = {"id": str(uuid4()), "status": "safe", "at": now, "location": place}
        for body in (
            {**report, "alert_id": str(drill)},
            {"items": [{**report, "alert_id": str(drill)}]},
        ):
            first = await phone.call("POST", "/v1/checkins", body)
            assert first.status_code in (200, 201)
            rows = await dump(database, home.station.operation_id)
            assert rows["checkin"]
            assert not {LAT, LON} & set(words(rows)), "an exercise left a place behind"
        real = await home.station.open_rollcall()
        body = {**report, "id": str(uuid4()), "alert_id": str(real)}
        assert (await phone.call("POST", "/v1/checkins", body)).status_code == 201
        [position] = (await dump(database, home.station.operation_id))["position"]
        assert position["purpose"] == "checkin"


async def test_no_address_takes_a_secret(database: str) -> None:
    async with site(database, people=2) as home:
        document = (await home.client.get("/v1/openapi.json")).json()
        taken = [
            (path, parameter["name"])
            for path, methods in document["paths"].items()
            for operation in methods.values()
            for parameter in operation["parameters"]
            if SECRET.search(parameter["name"])
        ]
        assert not taken, "a secret in an address stands in logs, histories and referrers"
        caller = await home.operator()
        for path in ("/v1/people", "/v1/sessions", "/v1/stream"):
            for name in ("token", "access_token", "authorization", "muster_session"):
                answer = await home.client.get(path, params={name: caller.token})
                assert answer.status_code == 401, (path, name)
