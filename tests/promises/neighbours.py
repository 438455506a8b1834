"""Two operations alike in everything but their names, and every request of one about the other.

`cases` makes the requests from the served document; a parameter or body that is new there must be
named here, or the tests that use it fail.
"""

import asyncio
import base64
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from server import db, jobs
from server.alerts import jobs as alert_jobs
from server.alerts.health import alarms
from server.alerts.health.meter import Meter
from server.alerts.health.pulse import Pulse
from server.app import Api
from server.checkin.sms.actions import Inbox
from server.checkin.sms.intake import Text
from server.checkin.sms.understanding import Understanding
from server.people import importing, operations
from server.texting import SmsRoute
from server.vault import open_vault
from tests.people.roster import write
from tests.promises import pressed, their_devices, their_movements, their_watches
from tests.support.http import settings
from tests.support.texts import App

OURS, THEIRS = "OURS-", "THEIRS-"
LEFT_OUT = {"last_seen_at"}  # the server notes it on its own, half a minute later
NEUTRAL = {  # query parameters that name nothing
    "limit", "status", "state", "category", "expected", "now", "unverified", "open", "kind",
    "reason",
    *their_movements.QUERIES,
}  # fmt: skip
ALWAYS = {"reason": "review"}  # without these a call shows nothing
STREAM = "GET /v1/stream"
# Of these the name in the path is each operation's own to give: the other's would be made as ours.
NAMING = (
    "PUT /v1/tree/nodes/{node}",
    "PUT /v1/policies/{severity}",
    "DELETE /v1/policies/{severity}",
    "PUT /v1/satellite-devices/{imei}",
)
GATEWAYS = "/v1/inbound/"  # no caller of an operation: each proves itself to its own route's secret
_PROGRESS = "SELECT FROM event WHERE kind = 'delivery'"
TABLES = """
    SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind IN ('r', 'p') AND a.attname = 'operation_id' AND NOT a.attisdropped
      AND c.relnamespace = 'public'::regnamespace ORDER BY 1
"""


@dataclass
class Land:
    """One operation: the names and ids a request may carry, and its callers' headers."""

    mark: str
    operation_id: int
    client: httpx.AsyncClient
    names: dict[str, str] = field(default_factory=dict)
    callers: dict[str, dict[str, str]] = field(default_factory=dict)

    async def send(self, who: str, method: str, path: str, **more: Any) -> httpx.Response:
        """One answer. 503 says that all is busy: as a phone does, it is sent again."""
        for _ in range(100):
            answer = await self.client.request(method, path, headers=self.callers[who], **more)
            if answer.status_code != 503:
                break
            await asyncio.sleep(0.1)
        return answer

    async def call(self, who: str, method: str, path: str, body: Any = None) -> Any:
        """The decoded answer of a request that must succeed."""
        answer = await self.send(who, method, path, json=body)
        assert answer.status_code < 300, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None


async def as_superuser(dsn: str, *statements: Any) -> list[Any]:
    """The rows of one statement with its arguments, past every policy."""
    con = await asyncpg.connect(dsn)
    try:
        return list(await con.fetch(*statements))
    finally:
        await con.close()


# How the two come to be


def roster(folder: Path, mark: str) -> Path:
    """Areas, people and a tree; nth digits tell the two operations' numbers apart."""
    n = len(mark)
    return write(
        folder,
        areas=[
            f"{mark}ALL,{mark}station,,duty_station,{n}.28641,36.81{n}27,{mark}KE",
            f"{mark}N,{mark}north,{mark}ALL,zone,{n}.23261,36.71{n}45,",
            f"{mark}S,{mark}south,{mark}ALL,zone,{n}.33262,36.91{n}46,",
        ],
        people=[
            f"{mark}P{i},{mark}person {i},{category},{mark}agency,{mark}{area},"
            f"+25471{n}0000{i},,{mark}{i}@example.org,en,{sponsor and mark + sponsor}"
            for i, category, area, sponsor in [
                (1, "national", "N", ""),
                (2, "international", "S", ""),
                (3, "local", "N", ""),
                (4, "contractor", "S", ""),
                (5, "family", "N", "P3"),
            ]
        ],
        tree=[
            f"{mark}TOP,,{mark}top,{mark}ALL,{mark}P1,{mark}P2,",
            f"{mark}LOW,{mark}TOP,{mark}low,,{mark}P1,,{mark}P3;{mark}P5",
        ],
    )


async def settle(database: db.Database, client: httpx.AsyncClient, folder: Path, mark: str) -> Land:
    """An operation with something in every table, made by its own callers."""
    made = await operations.add_operation(
        database.dsn, mark + "op", mark + "operation", "Africa/Nairobi"
    )
    files = roster(folder / mark, mark)
    report = await importing.run(database, made.code, [files], dry_run=False, accept_partial=False)
    assert report.written, report
    land = Land(mark, made.operation_id, client, {"mark": mark, "token": ""})
    await _staff(land, database, made.code)
    await _phones(land)
    await _roll_call(land, database)
    return land


async def _staff(land: Land, database: db.Database, code: str) -> None:
    kinds: list[tuple[Any, dict[str, str]]] = [
        ("admin", {}),
        ("operator", {"area": f"{land.mark}N"}),
        ("auditor", {}),
        ("warden", {"person": f"{land.mark}P1"}),
    ]
    for role, more in kinds:
        name = f"{land.mark}{role}"
        made = await operations.add_operator(database, code, name, role, **more)
        land.callers[role] = {"authorization": f"Bearer {made.token}"}
        land.names["token"] = land.names["token"] or made.token
    land.callers["anyone"] = {}
    answer = await land.client.post("/v1/sessions", json={"token": land.names["token"]})
    land.client.cookies.clear()  # only the console sends it
    cookie = answer.headers["set-cookie"].partition(";")[0]
    land.callers["console"] = {"cookie": cookie, "x-csrf-token": answer.json()["csrf"]}


async def _phones(land: Land) -> None:
    mark, names = land.mark, land.names
    for who, ref in (("warden's phone", "P1"), ("phone", "P3")):
        code = await land.call("admin", "POST", "/v1/enrolments", {"person_ref": mark + ref})
        push = {"kind": "fcm", "token": f"{mark}push-{ref}"}
        body = {"id": str(uuid4()), "code": code["code"], "platform": "sim", "push": push}
        phone = await land.call("anyone", "POST", "/v1/devices", body)
        land.callers[who] = {"authorization": f"Bearer {phone['token']}"}
        names |= {"device": phone["device_id"], "push": push["token"]}
        names |= {"id5": phone["sms"]["id5"], "key": phone["sms"]["key"]}
    wish = {"person_ref": mark + "P4", "printed": True}
    names["enrolment"] = (await land.call("admin", "POST", "/v1/enrolments", wish))["id"]
    names["code"] = (await land.call("admin", "POST", "/v1/enrolments", wish))["code"]


async def _roll_call(land: Land, database: db.Database) -> None:
    """One of everything that follows from an incident. The last event is seen by all callers."""
    mark, names, call = land.mark, land.names, land.call
    names |= {
        kind: str(uuid4()) for kind in ("incident", "alert", "checkin", "addition", "presence")
    }
    incident = {"id": names["incident"], "title": mark + "incident", "exercise": False}
    await call("admin", "POST", "/v1/incidents", incident)
    later = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    leave = {"ref": f"{mark}P4", "kind": "leave", "from": "2026-01-01", "until": later}
    await call("admin", "POST", "/v1/presence", {**leave, "id": names["presence"], "note": mark})
    alert = {"id": names["alert"], "incident_id": names["incident"], "expires_at": later}
    await call("admin", "POST", "/v1/alerts", {**ALERT, **alert, **texts(mark)})
    runner = jobs.Runner(database, alert_jobs.handlers(database))
    while await runner.turn():
        pass
    await call("admin", "PUT", "/v1/policies/routine", POLICY)
    await _exercise(land, runner)
    one = f"/v1/alerts/{names['alert']}"
    stranger = {"id": names["addition"], "name": mark + "stranger", "area": mark + "N"}
    names["stranger"] = (await call("admin", "POST", f"{one}/people", stranger))["ref"]
    deliveries = (await call("admin", "GET", f"{one}/deliveries"))["items"]
    names["delivery"] = next(d["delivery_id"] for d in deliveries if d["person"]["ref"][-1] == "3")
    await call("phone", "POST", "/v1/receipts", {"items": [receipt(names["delivery"])]})
    async with asyncio.timeout(30):  # the hint that it moved comes half a second later
        while not await database.fetch(land.operation_id, _PROGRESS):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    page = await call("admin", "GET", "/v1/people?limit=1")
    names["cursor"] = httpx.URL(page["next"]).params["cursor"]
    await _texts_in(land, database)
    await report_safe(land)
    await pressed.begin(land, runner)
    await _ways(land, database)
    await their_watches.begin(land, database)
    await their_devices.begin(land, database)
    await their_movements.begin(land, database)
    await report_safe(land, names["checkin"])


async def _exercise(land: Land, runner: jobs.Runner) -> None:
    """One that has ended: its score is on record."""
    body = {**ALERT, "exercise": True, "id": str(uuid4()), **texts(land.mark)}
    await land.call("admin", "POST", "/v1/alerts", body)
    while await runner.turn():
        pass
    await land.call("admin", "POST", f"/v1/alerts/{body['id']}/close")


async def _texts_in(land: Land, database: db.Database) -> None:
    """A signed call for help and a word without a code, as gateways bring them."""
    mark, names = land.mark, land.names
    app = App(names["id5"], base64.urlsafe_b64decode(names["key"] + "="))
    inbox = Inbox(database, lambda _: None)
    for sender, words in (("3", app.text("P")), ("2", f"{mark}safe"), ("4", "SAFE 99A9")):
        text = Text(f"+25471{len(mark)}0000{sender}", words, provider_id=f"{mark}{sender}")
        await inbox.take(SmsRoute(name="kannel", kind="kannel"), text)
    reading = Understanding(database, open_vault(settings()), [])
    while await reading.turn():
        pass
    names["help"] = (await land.call("admin", "GET", "/v1/help-calls"))["items"][0]["id"]
    await land.call("admin", "GET", f"/v1/help-calls/{names['help']}/position?reason=review")


async def _ways(land: Land, database: db.Database) -> None:
    """A worker that was there once, and the alarms there are without one: nothing new follows."""
    meter = Meter()
    meter.note(land.operation_id, "fcm", "", "accepted")
    await Pulse(database, [], meter).beat()
    for sql in (
        "UPDATE worker_beat SET seen_at = seen_at - interval '1 hour'",
        "UPDATE channel_mark SET accepted_at = accepted_at - interval '1 hour'",
        "UPDATE delivery SET queued_at = queued_at - interval '1 hour'",
    ):
        await as_superuser(database.dsn, sql)
    await alarms.look(database, land.operation_id, False)


async def report_safe(land: Land, checkin_id: str | None = None) -> None:
    """A report that every caller of the operation may see."""
    place = {"lat": len(land.mark) + 0.24681, "lon": 36.13579}
    body = {**said(checkin_id), "note": f"{land.mark}note", "location": place}
    await land.call("warden's phone", "POST", "/v1/checkins", body)


POLICY = {
    "channels_after_s": 60, "warden_after_s": 120, "alternate_after_s": None, "up_after_s": 600,
    "answer_s": 60,
}  # fmt: skip
ALERT = {"kind": "rollcall", "audience": {"all": True}, "exercise": False}


def texts(mark: str) -> dict[str, str]:
    return {key: f"{mark}{key}" for key in ("title", "body", "lock_screen", "sms_text")}


def said(checkin_id: str | None = None) -> dict[str, str]:
    now = datetime.now(UTC).isoformat()
    return {"id": checkin_id or str(uuid4()), "status": "safe", "at": now}


def receipt(delivery_id: str) -> dict[str, str]:
    return {"delivery_id": delivery_id, "kind": "seen", "at": datetime.now(UTC).isoformat()}


# Every request there is


@dataclass(frozen=True)
class Case:
    """One request. `due`: refused; empty (a list, or refused); own (what is the caller's own)."""

    route: str
    path: str
    due: str
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None

    @property
    def text(self) -> str:
        """All the request says: an answer may say it again."""
        return f"{self.path} {self.query} {json.dumps(self.body)}"


def in_path(land: Land) -> dict[str, str]:
    """What stands for each parameter of a path. A new one must be named here."""
    names = land.names
    return {
        "alert_id": names["alert"],
        "incident_id": names["incident"],
        "enrolment_id": names["enrolment"],
        "ref": names["stranger"],
        "node": f"{land.mark}TOP",
        "severity": "routine",
        "presence_id": names["presence"],
        "help_id": names["help"],
        "watch_id": names["watch"],
        "curfew_id": names["curfew"],
        "roll_id": names["roll"],
        "area": f"{land.mark}N",
        "panic_id": names["panic"],
        "imei": names["imei"],
        **their_movements.in_path(names),
    }


def in_query(land: Land) -> dict[str, tuple[str, str]]:
    """What stands for each parameter of a query, and what is due. A new one must be named."""
    mark = land.mark
    return {
        "area": (f"{mark}N", "empty"),
        "agency": (f"{mark}agency", "empty"),
        "q": (f"{mark}person", "empty"),
        "cursor": (land.names["cursor"], "own"),
        "after": ("0", "own"),
        "version": ("1", "own"),
        "point": (land.names["point"], "empty"),
    }


def in_body(own: Land, other: Land) -> dict[str, list[tuple[str, Any]]]:
    """Bodies that name what is the other's. Every route with a body must be named here."""
    mine, names, mark = own.names, other.names, other.mark
    new: Callable[[], dict[str, str]] = lambda: {"id": str(uuid4())}  # noqa: E731
    alert = {**ALERT, **(words := {"title": "t", "body": "b"})}
    spot = len(mark) + 0.24681
    square = [[36, spot - 1], [37, spot - 1], [37, spot + 1], [36, spot + 1], [36, spot - 1]]
    audiences = [
        {"areas": [f"{mark}N"]},
        {"areas": [f"{own.mark}N", f"{mark}N"]},
        {"agencies": [f"{mark}agency"]},
        {"tree_node": f"{mark}TOP"},
    ]
    named = [("refused", {"audience": a}) for a in audiences]
    around = [("own", {"audience": {"polygon": {"type": "Polygon", "coordinates": [square]}}})]
    place = {"name": "n", "area": f"{own.mark}N"}
    extra = [("refused", {"ref": f"{mark}P2"}), ("refused", {"name": "n", "area": f"{mark}N"})]
    push, corrected = {"kind": "fcm", "token": names["push"]}, names["alert"][:-4] + "0000"
    return {
        "POST /v1/alerts": [
            *((due, {**new(), **alert, **more}) for due, more in named + around),
            ("refused", {**new(), **alert, "incident_id": names["incident"]}),
            ("own", {**alert, "id": names["alert"], "audience": {"areas": [f"{own.mark}N"]}}),
        ],
        "POST /v1/alerts/preview": [
            *((due, {**words, **more}) for due, more in named + around),
            ("own", {**alert, "id": names["alert"], "incident_id": names["incident"]}),
        ],
        "POST /v1/alerts/{alert_id}/correct": [("own", {"id": corrected, **words})],
        "POST /v1/alerts/{alert_id}/people": [
            *((due, {**new(), **more}) for due, more in extra),
            ("refused", {**new(), **place, "agency": f"{mark}agency"}),
            ("own", {**place, "id": names["addition"]}),
        ],
        "POST /v1/incidents": [("own", {"id": names["incident"], "title": "t", "exercise": False})],
        **of_people(own, mark),
        "POST /v1/help-calls/{help_id}/close": [("own", {"outcome": "helped", "note": "n"})],
        "POST /v1/enrolments": [("refused", {"person_ref": f"{mark}P3"})],
        "POST /v1/devices": [
            ("own", {"id": names["device"], "code": mine["code"], "platform": "sim", "push": push})
        ],
        "PUT /v1/self/push": [("own", push)],
        **of_tree(own, mark),
        **their_watches.bodies(own, other),
        **their_movements.bodies(own, other),
        **their_devices.bodies(own, other),
        **pressed.bodies(own.names, names, mark),
        "POST /v1/sessions": [("own", {"token": mine["token"]})],
        "POST /v1/receipts": [("refused", {"items": [receipt(names["delivery"])]})],
        "POST /v1/checkins": [
            ("refused", {**said(), "for": f"{mark}P3"}),
            ("refused", {**said(), "alert_id": names["alert"]}),
            ("refused", {"items": [{**said(), "for": f"{mark}P5"}]}),
            ("refused", {"items": [{**said(), "alert_id": names["alert"]}]}),
            ("own", said(names["checkin"])),
        ],
    }


def of_people(own: Land, mark: str) -> dict[str, list[tuple[str, Any]]]:
    """Bodies of the calls about people of the roster."""
    place = {"name": "n", "area": f"{own.mark}N"}
    person = {**place, "category": "local", "agency": f"{own.mark}agency"}
    named = [{"area": f"{mark}N"}, {"family_of": f"{mark}P3", "category": "family"}]
    return {
        "POST /v1/people": [
            *(("refused", {"ref": "NEW-1", **person, **more}) for more in named),
            ("own", {"ref": f"{mark}P2", **person, "phones": [f"+25471{len(mark)}00002"]}),
        ],
        "POST /v1/people/{ref}/merge": [("refused", {"into": f"{mark}P2"})],
    }


def of_tree(own: Land, mark: str) -> dict[str, list[tuple[str, Any]]]:
    """Bodies of the calls about the tree, its presences and its policies."""
    node = {"label": "l", "reason": "r", "version": 1, "answer_s": 60}
    days = {"id": str(uuid4()), "note": "n", "from": "2026-11-01", "until": "2026-11-30"}
    visit = {**days, "kind": "visit", "ref": f"{own.mark}P2", "area": f"{own.mark}N"}
    named: list[dict[str, Any]] = [
        {"area": f"{mark}N"},
        {"parent": f"{mark}TOP"},
        {"warden": f"{mark}P1"},
        {"alternates": [f"{mark}P2"]},
        {"members": [f"{mark}P2"]},
    ]
    return {
        "PUT /v1/policies/{severity}": [("own", POLICY)],
        "PUT /v1/tree/nodes/{node}": [
            *(("refused", {**node, **more}) for more in named),
            ("own", {**node, "area": f"{own.mark}N"}),
        ],
        "POST /v1/presence": [
            ("refused", {**visit, "ref": f"{mark}P2"}),
            ("refused", {**visit, "area": f"{mark}N"}),
            ("own", visit),
        ],
    }


def cases(document: dict[str, Any], own: Land, other: Land) -> Iterator[Case]:
    """Every route of the document with everything of the other's that it takes."""
    bodies = in_body(own, other)
    for path, methods in document["paths"].items():
        if path.startswith(GATEWAYS):
            continue
        for method, operation in methods.items():
            route = f"{method.upper()} {path}"
            query = [p["name"] for p in operation["parameters"] if p["in"] == "query"]
            sent = bodies.pop(route) if "requestBody" in operation else [("own", None)]
            must = {name: value for name, value in ALWAYS.items() if name in query}
            if "{" in path and route not in NAMING:
                there = path.format_map(in_path(other))
                yield from (Case(route, there, "refused", must, body) for _, body in sent)
            here = path.format_map(in_path(own))
            if method == "get" or "requestBody" in operation or "{" not in path:
                yield from (Case(route, here, due, must, body) for due, body in sent)
            for name in set(query) - NEUTRAL:
                value, due = in_query(other)[name]
                yield Case(route, here, due, {name: value})
    assert not bodies, f"the document has no such routes any more: {list(bodies)}"


def last(case: Case) -> tuple[bool, int]:
    """Where a case stands: what changes ours comes after all that reads, a person of ours under a
    name of theirs after that, deletions at the end."""
    changes = case.due == "own" and case.route[:3] != "GET"
    return changes, 2 if case.route[:6] == "DELETE" else int(case.route == "POST /v1/people")


async def ask(land: Land, who: str, case: Case) -> tuple[int, str]:
    """Status and text of the answer; a stream is read up to a report made meanwhile."""
    method, headers = case.route.split()[0], land.callers[who]
    if case.route != STREAM:
        sent = {"params": case.query or None, "json": case.body}
        answer = await land.send(who, method, case.path, **sent)
        return answer.status_code, answer.text
    sent = {"params": case.query or {"after": "0"}, "headers": headers}
    async with asyncio.timeout(60), land.client.stream(method, case.path, **sent) as answer:
        text, last = "", str(uuid4())
        if answer.status_code == 200:
            await report_safe(land, last)
        async for piece in answer.aiter_text():
            text += piece
            if last in text and text.endswith("\n\n"):
                break
        return answer.status_code, text


def is_empty(text: str) -> bool:
    """A list without items, or one in which each item was refused."""
    try:
        found = json.loads(text or "null")
    except ValueError:  # a page or a table: what it shows is looked at by words
        return False
    items = found.get("items") if isinstance(found, dict) else None
    return items is not None and all("error" in item for item in items)


def faults(case: Case, status: int, text: str, foreign: set[str]) -> Iterator[str]:
    """What is wrong with an answer."""
    if any(word in text and word not in case.text for word in foreign):
        yield "shows"
    if status >= 500:
        yield "fails"
    if case.due != "own" and status < 400 and not is_empty(text):
        yield "accepts"
    if case.due != "own" and status >= 400 and status not in (401, 403, 404, 422):
        yield f"answers {status}"


# The two, seen from above


async def dump(dsn: str, operation_id: int) -> dict[str, list[Any]]:
    """All rows of an operation, whatever their table."""
    found = {}
    for table in [r["name"] for r in await as_superuser(dsn, TABLES)]:
        sql = f"SELECT to_jsonb(t)::text AS row FROM {table} t WHERE operation_id = $1 ORDER BY 1"
        rows = [json.loads(r["row"]) for r in await as_superuser(dsn, sql, operation_id)]
        found[table.strip('"')] = [{k: v for k, v in r.items() if k not in LEFT_OUT} for r in rows]
    return found


def words(value: Any) -> Iterator[str]:
    """Every text and fraction in a value."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from words(inner)
    elif isinstance(value, str | float) and len(str(value)) > 5:
        yield str(value)


@dataclass
class Pair:
    """Both operations behind one server."""

    dsn: str
    ours: Land
    theirs: Land
    document: dict[str, Any]

    async def foreign(self, own: Land, other: Land) -> set[str]:
        """What only the other operation's rows say."""
        mine, its = [set(words(await dump(self.dsn, x.operation_id))) for x in (own, other)]
        public = json.dumps(self.document)  # names that everybody may read are no leak
        return {word for word in its - mine if word not in public}

    async def sweep(self, skip: str = "") -> Counter[tuple[str, str]]:
        """Ours ask for all that is theirs; how often each route was at what fault."""
        found: Counter[tuple[str, str]] = Counter()
        before = await dump(self.dsn, self.theirs.operation_id)
        foreign = await self.foreign(self.ours, self.theirs)
        plan = list(cases(self.document, self.ours, self.theirs))
        plan.sort(key=last)
        for case in [c for c in plan if c.route != skip]:
            served = 0
            for who in self.ours.callers:
                status, text = await ask(self.ours, who, case)
                served += status < 300
                found.update((case.route, f) for f in faults(case, status, text, foreign))
            if case.due == "own" and not case.query and not served:
                found[case.route, "refuses what is ours"] += 1
        after = await dump(self.dsn, self.theirs.operation_id)
        found.update((table, "changed") for table in after if after[table] != before[table])
        return found


@asynccontextmanager
async def pair(dsn: str, client: httpx.AsyncClient, folder: Path) -> AsyncIterator[Pair]:
    """Both operations, made over HTTP."""
    database = db.Database(dsn, 4)
    await database.open()
    try:
        ours, theirs = [await settle(database, client, folder, m) for m in (OURS, THEIRS)]
    finally:
        await database.close()
    yield Pair(dsn, ours, theirs, (await client.get("/v1/openapi.json")).json())


@asynccontextmanager
async def narrow(dsn: str, folder: Path) -> AsyncIterator[Pair]:
    """Both operations in this process, on the fewest connections there can be."""
    api = Api(settings(pool_size=4), dsn)
    await api.open()
    transport = httpx.ASGITransport(api.asgi, client=("127.0.0.1", 4711))
    try:
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://test") as client,
            pair(dsn, client, folder) as made,
        ):
            yield made
    finally:
        await api.close()
