"""Promise 18: bad input never ends in a 5xx, always in a problem that says what is wrong.

A live server, real HTTP: 100 generated cases a route; `MUSTER_LONG=1` makes it 1,000.
"""

import asyncio
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import msgspec
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from server.app import Api
from server.auth import ALLOWED, digest, new_token
from tests.relocation.moving import moving
from tests.support.http import settings as settings_of_tests
from tests.support.live import LiveServer
from tests.support.postgres import TestServer

CASES = 1000 if os.environ.get("MUSTER_LONG") else 100
ENDPOINTS = Api(settings_of_tests(), "postgresql://nowhere/none").endpoints
ACTIONS = {(e.method, e.path): e.action for e in ENDPOINTS}
_TOKENS = """
    WITH device AS (
      INSERT INTO device (operation_id, device_id, person_id, platform, sms_id5, sms_key)
      SELECT current_operation(), gen_random_uuid(), min(person_id), 'sim', id5, ''
      FROM person, unnest(ARRAY['AAAAA', 'BBBBB']) AS id5 GROUP BY id5
      RETURNING device_id, sms_id5),
    officer AS (
      INSERT INTO operator (operation_id, name, role)
      VALUES (current_operation(), 'Officer', 'admin') RETURNING operator_id)
    INSERT INTO credential (operation_id, token_sha256, kind, device_id, operator_id)
    SELECT current_operation(), CASE sms_id5 WHEN 'AAAAA' THEN $1::bytea ELSE $3 END, 'device',
           device_id, NULL FROM device
    UNION ALL SELECT current_operation(), $2::bytea, 'operator', NULL, operator_id FROM officer
"""


@dataclass
class Target:
    """A live server and what opens it."""

    server: LiveServer
    phone: str
    desk: str
    spare: str
    alert_id: str
    names: dict[str, str]

    def token(self, method: str, path: str) -> str:
        """The token of somebody who may do this. The call that gives a phone up has its own phone:
        with the common one all others would meet nothing but 401 after it."""
        if (method, path) == ("DELETE", "/v1/self"):
            return self.spare
        action = ACTIONS[(method, path)]
        return self.desk if action is None or "admin" in ALLOWED[action] else self.phone


async def _seed(dsn: str) -> tuple[str, str, str, str, dict[str, str]]:
    """An open roll call, and a movement under way with a conflict."""
    async with moving(dsn, people=20) as own:
        place = own.here.station
        alert_id = await place.open_rollcall()
        tokens = [new_token() for _ in range(3)]
        async with own.db.transaction(place.operation_id) as con:
            await con.execute(_TOKENS, *map(digest, tokens))
        await own.ask("POST", "/activate")
        await own.say(own.said("P1", "arrived", 60), own.said("P2", "boarded", 60, vehicle=1))
        [conflict] = (await own.ask("GET", "/conflicts"))["items"]
        given = {"conflict": conflict["id"], "movement": str(own.movement)}
        plan = {"point": "GATE", "leg": "FIRST", "vehicle": "1"}
        given |= {name: str(own.id[thing]) for name, thing in plan.items()}
    return (*tokens, str(alert_id), {f"{name}_id": key for name, key in given.items()})


@pytest.fixture(scope="module")
def target(postgres: TestServer) -> Iterator[Target]:
    dsn = postgres.fresh()
    seeded = asyncio.run(_seed(dsn))
    with LiveServer(dsn, role="api") as server:
        yield Target(server, *seeded)
    postgres.drop(dsn)


def _document() -> dict[str, Any]:
    api = Api(settings_of_tests(), "postgresql://nowhere/none")
    document: dict[str, Any] = msgspec.json.decode(api.document())
    return document


SCHEMA = schemathesis.openapi.from_dict(_document())
OPERATIONS = [result.ok() for result in SCHEMA.get_all_operations()]


def fair(reply: requests.Response) -> None:
    """No 5xx; a refusal is a problem with a code and says whether to try again."""
    assert reply.status_code < 500, reply.text[:500]
    if reply.status_code >= 400:
        assert reply.headers["content-type"] == "application/problem+json", reply.text[:300]
        problem = reply.json()
        assert problem["status"] == reply.status_code
        assert problem["code"]
        assert problem["retryable"] in (True, False)


def _cases(operation: Any) -> Any:
    """Requests that fit the document, and where there is anything to get wrong, ones that don't."""
    fitting = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    if not (operation.body or operation.query or operation.path_parameters):
        return fitting
    return fitting | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)


def _name_what_is_there(case: Any, names: dict[str, str]) -> None:
    """About the movement on record and its parts, not one that nobody made; it is not ended."""
    if case.operation.path.endswith(("/cancel", "/close")):
        return
    own = {k: v for k, v in names.items() if k in (case.path_parameters or {})}
    case.path_parameters = {**(case.path_parameters or {}), **own}
    if isinstance(case.body, dict) and "movement" in case.body:
        case.body = {**case.body, "movement": names["movement_id"]}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: f"{o.method.upper()} {o.path}")
def test_no_generated_request_ends_in_a_5xx(target: Target, operation: Any) -> None:
    token = target.token(operation.method.upper(), operation.path)

    @settings(
        max_examples=CASES, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=_cases(operation), there=st.booleans())
    def run(case: Any, there: bool) -> None:
        if there:
            _name_what_is_there(case, target.names)
        asked = case.as_transport_kwargs(base_url=target.server.url)
        asked["headers"] = {**asked.get("headers", {}), "Authorization": f"Bearer {token}"}
        asked.pop("cookies", None)
        with requests.request(**asked, timeout=30, stream=True) as reply:
            fair(reply)

    run()


NOW = "2026-11-23T10:00:00Z"
GOOD = {"id": str(uuid4()), "status": "safe", "at": NOW}
HORRORS: list[tuple[str, bytes]] = [
    ("NUL", json.dumps({**GOOD, "note": "a\x00b"}).encode()),
    ("lone surrogate", b'{"id":"' + str(uuid4()).encode() + b'","status":"safe","at":"'
     + NOW.encode() + b'","note":"\\ud800"}'),
    ("NaN", b'{"id":1,"location":{"lat":NaN,"lon":0}}'),
    ("Infinity", b'{"id":1,"location":{"lat":-Infinity,"lon":0}}'),
    ("1e308", json.dumps({**GOOD, "location": {"lat": 1e308, "lon": 0}}).encode()),
    ("1e400", b'{"location":{"lat":1e400,"lon":0}}'),
    ("lat 91", json.dumps({**GOOD, "location": {"lat": 91, "lon": 0}}).encode()),
    ("huge accuracy", json.dumps(
        {**GOOD, "location": {"lat": 1, "lon": 0, "accuracy": 1e300}}).encode()),
    ("10 MB", b'{"note":"' + b"x" * 10_000_000 + b'"}'),
    ("deep nesting", b'{"a":' * 10_000),
    ("deep lists", b"[" * 50_000),
    ("invalid UTF-8", b'{"note":"\xc3\x28"}'),
    ("empty", b""),
    ("null", b"null"),
    ("a number", b"17"),
    ("year 0001", json.dumps({**GOOD, "at": "0001-01-01T00:00:00+14:00"}).encode()),
    ("year 9999", json.dumps({**GOOD, "at": "9999-12-31T23:59:59-14:00"}).encode()),
    ("battery 10^40", json.dumps({**GOOD, "battery": 10**40}).encode()),
    ("items of nothing", b'{"items":[null,1,"x",[],{}]}'),
    ("501 items", json.dumps({"items": [GOOD] * 501}).encode()),
]  # fmt: skip
ADDRESSES = [
    "/v1/checkins", "/v1/alerts", "/v1/alerts/preview", "/v1/receipts", "/v1/devices",
    "/v1/sessions", "/v1/enrolments",
]  # fmt: skip


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(("name", "body"), HORRORS, ids=[name for name, _ in HORRORS])
def test_horrors_are_refused_kindly(target: Target, address: str, name: str, body: bytes) -> None:
    headers = {"authorization": f"Bearer {target.token('POST', address)}"}
    json_type = {**headers, "content-type": "application/json"}
    url = target.server.url + address
    reply = requests.post(url, data=body, headers=json_type, timeout=30)
    fair(reply)
    if not name.startswith("items"):
        assert 400 <= reply.status_code < 500
    if len(body) < 100_000:
        fair(requests.post(url, data=iter([body]), headers=json_type, timeout=30))  # chunked
        fair(requests.post(url, data=body, headers=headers, timeout=30))


def test_duplicate_keys_are_one_value_and_no_defect(target: Target) -> None:
    body = f'{{"id":"{uuid4()}","status":"need_help","status":"safe","at":"{NOW}"}}'
    reply = requests.post(
        f"{target.server.url}/v1/checkins",
        data=body,
        headers={"authorization": f"Bearer {target.phone}", "content-type": "application/json"},
        timeout=30,
    )
    assert (reply.status_code, reply.json()["status"]) == (201, "safe")


@pytest.mark.parametrize(
    "query",
    ["limit=-1", "limit=1e9", "limit=x", "cursor=%00", "cursor=AAAA", "cursor=" + "A" * 5000,
     "cursor=W10", "q=%FF%FE", "q=" + "%25" * 300, "status=fine", "area=%00", "%00=1", "&&=&"],
)  # fmt: skip
def test_bad_queries_are_refused(target: Target, query: str) -> None:
    for path in (f"/v1/alerts/{target.alert_id}/people", "/v1/people", "/v1/alerts"):
        fair(requests.get(
            f"{target.server.url}{path}?{query}",
            headers={"authorization": f"Bearer {target.desk}"}, timeout=30,
        ))  # fmt: skip


@pytest.mark.parametrize(
    "head",
    [
        b"POST /v1/checkins HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
        b"POST /v1/checkins HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999\r\n\r\n",
        b"POST /v1/checkins HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"\x00\x01\x02\x03\r\n\r\n",
        b"GET /v1/people/%00%ff HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \xff\r\n\r\n",
        b"GET /v1/self HTTP/1.1\r\nhost: x\r\ncookie: muster_session=\xff;;=;\r\n\r\n",
        b"GET //../../etc/passwd HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /console/..%2f..%2fapp.py HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
)
def test_broken_http_ends_in_a_4xx_or_a_closed_line(target: Target, head: bytes) -> None:
    with socket.create_connection(("127.0.0.1", target.server.port), timeout=10) as line:
        line.sendall(head)
        line.shutdown(socket.SHUT_WR)
        answer = line.recv(4096)
    assert answer == b"" or answer.split()[1][:1] in (b"3", b"4"), answer[:200]
    fair(requests.get(f"{target.server.url}/healthz", timeout=10))
