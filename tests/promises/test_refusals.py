"""Promise 18: what is refused leaves no trace, and even what is no HTTP gets a problem."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest

from server.auth import ALLOWED
from server.web import Endpoint, path_parameters
from tests.promises.neighbours import dump
from tests.promises.places import serving
from tests.support.http import Caller, site

NOW = "2026-11-23T10:00:00Z"
JSON = "application/json"
BROKEN: list[tuple[bytes, str]] = [
    (b"", JSON),
    (b"null", JSON),
    (b"[]", JSON),
    (b"17", JSON),
    (b'"text"', JSON),
    (b"{", JSON),
    (b'{"a":' * 10_000, JSON),
    (b"[" * 10_000, JSON),
    (b'{"note":"\xc3\x28"}', JSON),
    (b'{"id":NaN}', JSON),
    (b'{"id":1e999}', JSON),
    (b"{}", "text/plain"),
    (b"id=1&status=safe", "application/x-www-form-urlencoded"),
    (b"\xef\xbb\xbf{}", JSON),
    (b'{"x":"' + b"y" * 10_000_000 + b'"}', JSON),
]
# One field of a good request spoilt, with bytes no encoder would write.
SPOILT: dict[str, dict[str, list[bytes]]] = {
    "/v1/checkins": {
        "status": [b'"fine"', b"null", b"1"],
        "at": [b'"yesterday"', b'"0001-01-01T00:00:00Z"', b'"2026-11-23T10:00:00"', b"1e308"],
        "sent_at": [b'"9999-12-31T23:59:59Z"', b"true"],
        "note": [b'"\\u0000"', b'"' + b"x" * 501 + b'"', b"{}"],
        "location": [b'{"lat":91,"lon":0}', b'{"lat":0,"lon":1e308}', b'{"lat":NaN,"lon":0}'],
        "for": [b'"\\u0000"', b'"nobody"', b'""'],
        "alert_id": [b'"no"', b'"00000000-0000-0000-0000-000000000000"'],
        "battery": [b"-1", b"101", b"1e400", b'"full"'],
    },
    "/v1/alerts": {
        "kind": [b'"party"', b"null"],
        "title": [b'" "', b'"\\u0000"', b'"' + b"x" * 201 + b'"'],
        "audience": [b"{}", b'{"all":false}', b'{"areas":[]}', b'{"areas":["A1","nowhere"]}',
                     b'{"all":true,"areas":["A1"]}', b'{"polygon":{"type":"Polygon"}}'],
        "expires_at": [f'"{NOW}"'.encode(), b'"1999-01-01T00:00:00Z"', b'"2099-01-01T00:00:00Z"'],
        "incident_id": [f'"{uuid4()}"'.encode()],
    },
    "/v1/incidents": {"title": [b'""', b"1", b'"a\\u0000b"'], "exercise": [b'"yes"', b"null"]},
    "/v1/enrolments": {"person_ref": [b'"nobody"', b'""', b"1"]},
}  # fmt: skip
GOOD: dict[str, dict[str, Any]] = {
    "/v1/checkins": {"status": "safe", "at": NOW, "for": "P1"},
    "/v1/alerts": {"kind": "rollcall", "audience": {"all": True}, "title": "A", "body": "B",
                   "exercise": False},
    "/v1/incidents": {"title": "Flood", "exercise": False},
    "/v1/enrolments": {"person_ref": "P1"},
}  # fmt: skip


def problem(reply: Any, said: Any) -> None:
    """A 4xx that says what is wrong, in the one form of refusals."""
    assert 400 <= reply.status_code < 500, (said, reply.status_code, reply.text[:300])
    assert reply.headers["content-type"] == "application/problem+json"
    told = reply.json()
    assert (told["status"], bool(told["code"]), bool(told["detail"])) == (reply.status_code, 1, 1)


async def refused(own: Caller, endpoint: Endpoint, alert_id: str) -> None:
    """Sends one call everything that is broken."""
    path = endpoint.path
    for name in path_parameters(path):
        path = path.replace(f"{{{name}}}", alert_id if name == "alert_id" else "P1")
    for body, kind in BROKEN:
        if kind == "text/plain" and endpoint.lenient:
            continue
        reply = await own.client.request(
            endpoint.method, path, content=body,
            headers={"authorization": f"Bearer {own.token}", "content-type": kind},
        )  # fmt: skip
        problem(reply, (path, body[:60]))


async def test_what_is_refused_leaves_no_trace(database: str) -> None:
    async with site(database) as own:
        alert_id = str(await own.station.open_rollcall())
        callers = {"device": await own.phone(0), "admin": await own.operator()}
        before = await dump(database, own.station.operation_id)
        for endpoint in (e for e in own.api.endpoints if e.body is not None):
            roles = ALLOWED.get(endpoint.action or "", {"admin"})
            await refused(callers["admin" if "admin" in roles else "device"], endpoint, alert_id)
        assert await dump(database, own.station.operation_id) == before


@pytest.mark.parametrize("path", SPOILT)
async def test_one_spoilt_field_spoils_the_whole_request(database: str, path: str) -> None:
    async with site(database) as own:
        desk = await own.operator()
        before = await dump(database, own.station.operation_id)
        for field, values in SPOILT[path].items():
            rest = {"id": str(uuid4()), **{k: v for k, v in GOOD[path].items() if k != field}}
            for value in values:
                body = json.dumps(rest).encode()[:-1] + b', "%s": %s}' % (field.encode(), value)
                headers = {"authorization": f"Bearer {desk.token}", "content-type": JSON}
                reply = await own.client.post(path, content=body, headers=headers)
                problem(reply, (field, value[:60]))
        assert await dump(database, own.station.operation_id) == before
        good = await desk.call("POST", path, {"id": str(uuid4()), **GOOD[path]})
        assert good.status_code == 201
        assert await dump(database, own.station.operation_id) != before, "the check sees nothing"


NO_HTTP = (
    b"POST /v1/checkins HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
    b"POST /v1/checkins HTTP/1.1\r\nhost: x\r\ncontent-length: many\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    b"GET /v1/config HTTP/9.9\r\n\r\n",
)


async def test_what_is_no_http_gets_a_problem_too(database: str) -> None:
    async with serving(database) as server:
        for said in NO_HTTP:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(said)
            head, _, body = (await asyncio.wait_for(reader.read(), 30)).partition(b"\r\n\r\n")
            writer.close()
            await writer.wait_closed()
            assert head.startswith(b"HTTP/1.1 400 "), said
            assert b"content-type: application/problem+json" in head
            assert json.loads(body)["code"] == "malformed"
