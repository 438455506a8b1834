"""Texts through a real Kannel: out, receipt, in, a restart over its spool, an outage.

The server's own senders and calls, a real Postgres, real bearerbox and smsbox. Behind them stand
an SMS centre that speaks SMPP, and Kannel's own fakesmsc.
"""

import asyncio
import base64
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs

import psutil
import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from clients.simulator.smpp import SmsCentre
from server.alerts.channels.pacing import Circuit
from server.alerts.segments import segments
from server.people.asking import ask
from tests.alerts.test_sms_alert import opened, working
from tests.alerts.world import World, world
from tests.promises.crowd import eventually
from tests.support.kannel import FAKE_PREFIX, PASSWORD, SENDER, USER, Kannel, quiet_port, running

DLR, MO = "/v1/inbound/dlr/kannel", "/v1/inbound/sms/kannel"
MO_PROOF = "muster:Hush-hush_9"
LINES = {
    "plain": "Stay inside: 100 € & {more} [here]? Año §1 50% +",
    "arabic": "ابق في الداخل وأجب الآن",
    "chinese": "请留在室内并回复",
    "long": "Restez à l'intérieur, loin des vitres. 100 € {ici}. " * 8,
    "long chinese": "请留在室内，远离窗户，并立即回复。🏠" * 12,
}
PEOPLE = 40  # more than are sent at once: some are held back by the route's health
WHY = {
    "no connection to SMS route kannel: ClientConnectorError",
    "the SMS route fails just now and is tried again soon",
}
_FACTS = "SELECT state, delivered_at IS NOT NULL AS delivered, error FROM delivery"
_CODES = "SELECT phone, code FROM answer_code JOIN contact_point USING (person_id)"
_STILL = "SELECT count(*) FROM delivery WHERE delivered_at IS NULL"


class Front:
    """The way from Kannel to the server: it hears all, and may hold a call or refuse it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.heard: list[Scope] = []
        self.hold: Callable[[dict[str, str]], Awaitable[None]] | None = None
        self.refusals = 0  # so many texts that come in are answered 503
        self._answered: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.heard.append(scope)
        if scope["path"] == MO:
            await self._answer_text(send)
            return
        if self.hold is not None:
            await self.hold(query(scope))
        await self.app(scope, receive, send)
        self._answered[scope["path"]] += 1

    async def _answer_text(self, send: Send) -> None:
        status = 503 if self.refusals > 0 else 200
        self.refusals -= 1
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def answered(self, path: str) -> int:
        """How many calls to one path the server has answered."""
        return self._answered[path]

    def calls(self, path: str) -> list[dict[str, str]]:
        """The queries of calls to one path, in order."""
        return [query(s) for s in self.heard if s["path"] == path]


def query(scope: Scope) -> dict[str, str]:
    """The query as UTF-8; undecodable bytes are an error here."""
    raw = scope["query_string"].decode("ascii")
    found = parse_qs(raw, keep_blank_values=True, strict_parsing=True, errors="strict")
    return {name: values[0] for name, values in found.items()}


@dataclass
class Scene:
    """A world whose texts go to a running Kannel, which calls back over real HTTP."""

    w: World
    kannel: Kannel
    front: Front

    @property
    def centre(self) -> SmsCentre:
        return self.kannel.centre

    async def people(self, count: int, prefix: str = "+25470") -> list[str]:
        """So many people, each with a number of their own."""
        numbers = [f"{prefix}{n:07}" for n in range(count)]
        for n, number in enumerate(numbers):
            await self.w.number(await self.w.person(f"{prefix}-{n}"), number)
        return numbers

    async def until(self, sql: str, value: object = 0, within_s: float = 30.0) -> None:
        """Waits until the record says so."""
        async with asyncio.timeout(within_s):
            while await self.w.value(sql) != value:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.05)

    async def facts(self) -> set[tuple[str, bool]]:
        return {(r["state"], r["delivered"]) for r in await self.w.sql(_FACTS)}


@asynccontextmanager
async def served(app: ASGIApp, port: int) -> AsyncIterator[None]:
    """Real HTTP on loopback, in this process."""
    config = uvicorn.Config(app, port=port, lifespan="off", log_config=None, access_log=False)
    http = uvicorn.Server(config)
    config.load()
    http.lifespan = config.lifespan_class(config)
    await http.startup()
    ticking = asyncio.create_task(http.main_loop())
    try:
        yield
    finally:
        http.should_exit = True
        await ticking
        await http.shutdown()


@asynccontextmanager
async def scene(database: str, tmp_path: Path, centre: SmsCentre) -> AsyncIterator[Scene]:
    port = quiet_port()
    mo_url = f"http://{MO_PROOF}@127.0.0.1:{port}{MO}"
    async with running(tmp_path, mo_url, centre) as kannel:
        route = {"name": "kannel", "kind": "kannel", "url": kannel.sendsms, "username": USER,
                 "password": PASSWORD, "sender": SENDER, "per_s": 500}  # fmt: skip
        listed, site = json.dumps([route]), f"http://127.0.0.1:{port}"
        async with world(database, sms_routes=listed, public_url=site) as w:
            front = Front(w.asgi())
            async with served(front, port):
                yield Scene(w, kannel, front)


# -- out, and its receipt


async def test_texts_arrive_as_they_were_written_and_their_receipts_come_back(
    database: str, tmp_path: Path
) -> None:
    async with SmsCentre() as centre, scene(database, tmp_path, centre) as own:
        await own.kannel.bound()
        wanted = []
        for n, (name, line) in enumerate(LINES.items()):
            await one_person(own.w, name, number := f"+2547000000{n:02}")
            await opened(own.w, audience={"agencies": [name]}, sms_text=line)
            wanted.append((number, line))
        async with working(own.w):
            await own.until(_STILL)
        codes = {r["phone"]: r["code"] for r in await own.w.sql(_CODES)}
        wanted = [sent_as(number, line, codes[number]) for number, line in wanted]
        got = [(t.number, t.sender, t.text, t.coding, t.parts) for t in centre.texts]
        assert sorted(got) == sorted(wanted)
        assert await own.facts() == {("accepted", True)}
        parts = await own.w.value("SELECT sum(parts)::int FROM delivery")
        assert parts == centre.submitted.total(), "counted and charged as they went"


def sent_as(number: str, line: str, code: str) -> tuple[str, str, str, str, int]:
    """A text as the centre gets it, with how to answer it: to whom, from whom, in what, parts."""
    whole = f"{line.rstrip()} {ask('en', code)}"
    size = segments(whole)
    return number, SENDER, whole, size.encoding, size.count


def unasked(text: str) -> str:
    """A text without how to answer it."""
    return re.sub(r" Reply SAFE (\w+) or HELP \1$", "", text)


async def one_person(w: World, agency: str, number: str) -> None:
    """Somebody who is alone in an agency, so that one alert can be for her only."""
    w.agency = await w.value(
        "INSERT INTO agency (operation_id, name) VALUES (current_operation(), $1)"
        " RETURNING agency_id",
        agency,
    )
    await w.number(await w.person(agency), number)


async def test_what_the_centre_could_not_deliver_is_shown_as_failed(
    database: str, tmp_path: Path
) -> None:
    async with SmsCentre() as centre, scene(database, tmp_path, centre) as own:
        centre.says = "UNDELIV"
        await own.people(1)
        await opened(own.w)
        async with working(own.w):
            await own.until("SELECT count(*) FROM delivery WHERE state = 'failed'", 1)
        assert await own.facts() == {("failed", False)}
        assert len(centre.texts) == 1


async def test_delivered_stands_also_when_accepted_comes_after_it(
    database: str, tmp_path: Path
) -> None:
    """The report of the centre's acceptance (8) is held up until that of the phone (1) is in."""
    async with SmsCentre() as centre, scene(database, tmp_path, centre) as own:
        order: list[str] = []

        async def hold(said: dict[str, str]) -> None:
            if said.get("type") == "8":
                await eventually(lambda: "1" in order)
                await own.until(_STILL)
            order.append(said["type"])

        own.front.hold = hold
        await own.people(1)
        await opened(own.w)
        async with working(own.w):
            await own.until(_STILL)
            first = await own.w.value("SELECT delivered_at FROM delivery")
            await eventually(lambda: len(order) == 2)
            await eventually(lambda: own.front.answered(DLR) == 2)
        assert order == ["1", "8"]
        assert await own.facts() == {("accepted", True)}
        assert await own.w.value("SELECT delivered_at FROM delivery") == first


async def test_kannel_takes_the_answer_to_a_report_and_does_not_repeat_it(
    database: str, tmp_path: Path
) -> None:
    """To Kannel only 200 and 202 mean taken; it asks again each second otherwise."""
    async with SmsCentre() as centre, scene(database, tmp_path, centre) as own:
        await own.people(3)
        await opened(own.w)
        async with working(own.w):
            await eventually(lambda: own.front.answered(DLR) >= 6)
            await asyncio.sleep(2.5)  # two more rounds of what it would repeat
        said = Counter((c["id"], c["type"]) for c in own.front.calls(DLR))
        assert len(said) == 6
        assert set(said.values()) == {1}


# -- a restart over the spool


async def test_what_bearerbox_kept_arrives_after_it_was_killed(
    database: str, tmp_path: Path
) -> None:
    away = SmsCentre(quiet_port())
    async with scene(database, tmp_path, away) as own:
        numbers = await own.people(PEOPLE)
        await opened(own.w, sms_text=LINES["arabic"])
        async with working(own.w):
            await own.until("SELECT count(*) FROM delivery WHERE state = 'accepted'", PEOPLE)
        assert own.kannel.kept() == PEOPLE, "taken, and nowhere to go"
        own.kannel.kill()
        await own.kannel.start()
        assert await own.facts() == {("accepted", False)}
        async with away:
            await own.until(_STILL)
            await arrived_once(away, numbers, LINES["arabic"])
            await eventually(lambda: own.kannel.kept() == 0)
        assert await own.facts() == {("accepted", True)}, "the reports name our deliveries still"


async def arrived_once(centre: SmsCentre, numbers: list[str], line: str) -> None:
    """Every number got the text, none twice."""
    await eventually(lambda: len(centre.texts) >= len(numbers))
    assert Counter(t.number for t in centre.texts) == dict.fromkeys(numbers, 1)
    assert {unasked(t.text) for t in centre.texts} == {line}


# -- an outage


async def test_an_outage_of_kannel_holds_texts_back_and_loses_and_repeats_none(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.alerts.channels.sms.routes.Circuit", partial(Circuit, first_s=1.0))
    monkeypatch.setattr("server.alerts.channels.pacing.PROBE_S", 1.0)
    async with SmsCentre() as centre, scene(database, tmp_path, centre) as own:
        await own.kannel.bound()
        own.kannel.kill()
        numbers = await own.people(PEOPLE)
        alert_id = await opened(own.w, sms_text=LINES["plain"])
        async with working(own.w):
            await shown_as_held(own.w, alert_id)
            await own.kannel.start()
            await own.until(_STILL, within_s=60)
        await arrived_once(centre, numbers, LINES["plain"])
        assert await own.facts() == {("accepted", True)}


async def shown_as_held(w: World, alert_id: str) -> None:
    """The desk sees that no text has gone, and why: some were tried, others spared."""
    seen: set[str] = set()
    async with asyncio.timeout(30), w.client() as api:
        while not seen >= WHY:
            answer = await api.get(f"/v1/alerts/{alert_id}/deliveries", params={"limit": 500})
            listed = answer.json()["items"]
            assert len(listed) == PEOPLE
            assert {d["state"] for d in listed} <= {"queued", "sending"}
            seen |= {d["error"] for d in listed if d["error"]}
            await asyncio.sleep(0.05)
    assert seen == WHY


async def test_a_text_without_an_answer_is_settled_by_its_report_and_not_sent_again(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.alerts.channels.sms.REQUEST_S", 0.5)
    async with SmsCentre() as centre, scene(database, tmp_path, centre) as own:
        numbers = await own.people(3)
        await own.kannel.bound()
        await opened(own.w, sms_text=LINES["plain"])
        async with working(own.w):
            with own.kannel.frozen():
                await own.until("SELECT count(*) FROM delivery WHERE error LIKE 'unknown:%'", 3)
                assert not centre.texts
            await own.until(_STILL)
        await arrived_once(centre, numbers, LINES["plain"])
        assert await own.facts() == {("accepted", True)}
        assert await own.w.value("SELECT max(attempts) FROM delivery") == 1


# -- in


async def test_a_phones_text_comes_in_whole_once_and_under_one_id(
    database: str, tmp_path: Path
) -> None:
    async with SmsCentre() as centre, scene(database, tmp_path, centre) as own:
        own.front.refusals = 2
        for line in LINES.values():
            await own.kannel.mobile_originated("+254700000001", line)
        taken = len(LINES) + 2
        await eventually(lambda: len(own.front.calls(MO)) >= taken)
        calls = own.front.calls(MO)
        assert len(calls) == taken
        by_id = {c["id"]: c for c in calls}
        assert sorted(c["text"] for c in by_id.values()) == sorted(LINES.values())
        assert all(c == by_id[c["id"]] for c in calls), "a repeat differs from the first"
        assert {(c["from"], c["to"], c["smsc"]) for c in calls} == {
            ("+254700000001", SENDER, "CENTRE")
        }
        assert {s["method"] for s in own.front.heard} == {"GET"}
        headers = [dict(s["headers"]) for s in own.front.heard]
        assert {h[b"authorization"] for h in headers} == {proof(MO_PROOF)}


def proof(user_and_password: str) -> bytes:
    return b"Basic " + base64.b64encode(user_and_password.encode())


# -- Kannel's own stand-in, and nothing for anybody else


async def test_fakesmsc_gets_texts_and_sends_them(database: str, tmp_path: Path) -> None:
    async with SmsCentre() as centre, scene(database, tmp_path, centre) as own:
        [number] = await own.people(1, FAKE_PREFIX)
        phones = own.kannel.fake_phones(f"{number} {SENDER} text SAFE K7Q2 & more")
        await opened(own.w, sms_text=LINES["plain"])
        async with working(own.w):
            await own.until(_STILL)
        await eventually(lambda: bool(phones.got()))
        assert [unasked(g) for g in phones.got()] == [f"{SENDER} {number} text {LINES['plain']}"]
        assert not centre.texts
        await eventually(lambda: len(own.front.calls(MO)) == 1)
        [came] = own.front.calls(MO)
        assert (came["from"], came["text"]) == (number, "SAFE K7Q2 & more")


async def test_kannel_listens_on_loopback_alone(database: str, tmp_path: Path) -> None:
    async with SmsCentre() as centre, scene(database, tmp_path, centre) as own:
        open_to = {
            c.laddr.ip
            for pid in own.kannel.pids
            for c in psutil.Process(pid).net_connections("inet")
            if c.status == psutil.CONN_LISTEN or not c.raddr
        }
        assert open_to == {"127.0.0.1"}
