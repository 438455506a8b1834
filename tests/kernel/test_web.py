"""The web shell: who may, what is decoded, how refusals are put."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from server import errors
from server.app import build_router
from server.auth import COOKIE, Authenticator, Principal, csrf_of
from server.errors import Unauthenticated
from server.web import Call, Endpoint, Reply

ME = Principal("operator", 1, "operator", b"", operator_id=7)
SESSION = Principal("session", 1, "operator", b"", operator_id=7)


class Doors(Authenticator):
    """An authenticator with three known tokens and no database behind it."""

    def __init__(self) -> None:
        self.known = {
            "desk": ME,
            "cookie": SESSION,
            "eyes": msgspec.structs.replace(ME, role="auditor"),
        }

    async def principal(self, token: str) -> Principal:
        if token not in self.known:
            raise Unauthenticated("Unknown.")
        return self.known[token]


class Thing(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    count: int = 0


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    limit: int = 5


async def make(call: Call) -> Reply:
    return Reply(201, {"name": call.body.name, "by": call.me.actor})


async def look(call: Call) -> Reply:
    return Reply(200, {"limit": call.query.limit, "id": str(call.uuid("id"))})


async def fail(_: Call) -> Reply:
    raise RuntimeError("the secret inner state")


async def busy(_: Call) -> Reply:
    raise errors.Unavailable("Away.", retry_after=3)


ENDPOINTS = [
    Endpoint("POST", "/things", make, "", "alert.open", {201: Thing}, body=Thing, body_limit=200),
    Endpoint("GET", "/things/{id}", look, "", "alert.read", {200: Thing}, query=Asked),
    Endpoint("GET", "/fail", fail, "", None, {200: Thing}),
    Endpoint("GET", "/busy", busy, "", None, {200: Thing}),
]


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(build_router(ENDPOINTS, Doors()))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as own:
        yield own


DESK = {"authorization": "Bearer desk"}
JSON = {"content-type": "application/json"}


async def test_a_call_carries_its_caller(client: httpx.AsyncClient) -> None:
    reply = await client.post("/things", json={"name": "x"}, headers=DESK)
    assert (reply.status_code, reply.json()) == (201, {"name": "x", "by": "operator:7"})
    assert reply.headers["cache-control"] == "no-store"
    assert len(reply.headers["x-request-id"]) == 32


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b'{"name": 5}', DESK | JSON, 422, "bad_input"),
        (b'{"name": "x", "more": 1}', DESK | JSON, 422, "bad_input"),
        (b'{"name": "a\\u0000b"}', DESK | JSON, 422, "bad_input"),
        (b'{"name": "x"', DESK | JSON, 400, "malformed"),
        (b'{"name": NaN}', DESK | JSON, 400, "malformed"),
        (b'{"name": "\\ud800"}', DESK | JSON, 400, "malformed"),
        (b'{"name": "\xff"}', DESK | JSON, 400, "malformed"),
        (b"[" * 100, DESK | JSON, 422, "bad_input"),
        (b'{"name": "' + b"x" * 300 + b'"}', DESK | JSON, 413, "too_large"),
        (b'{"name": "x"}', DESK, 415, "media_type"),
        (b'{"name": "x"}', JSON, 401, "unauthenticated"),
        (b'{"name": "x"}', JSON | {"authorization": "Bearer wrong"}, 401, "unauthenticated"),
        (b'{"name": "x"}', JSON | {"authorization": "Basic desk"}, 401, "unauthenticated"),
        (b'{"name": "x"}', JSON | {"authorization": "Bearer eyes"}, 403, "forbidden"),
        (b'{"name": "x"}', JSON | {"authorization": "Bearer cookie"}, 401, "unauthenticated"),
    ],
)
async def test_each_refusal_is_a_problem_with_a_code(
    client: httpx.AsyncClient, content: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    reply = await client.post("/things", content=content, headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert reply.headers["content-type"] == "application/problem+json"
    assert set(reply.json()) >= {"type", "title", "status", "detail", "code", "retryable"}


async def test_a_bad_field_is_named_by_its_path(client: httpx.AsyncClient) -> None:
    reply = await client.post("/things", json={"name": "x", "count": "many"}, headers=DESK)
    assert reply.json()["errors"] == [{"path": "count", "message": "Expected `int`, got `str`"}]


async def test_a_session_writes_only_with_its_csrf_token(client: httpx.AsyncClient) -> None:
    cookie = {"cookie": f"{COOKIE}=cookie"}
    assert (await client.post("/things", json={"name": "x"}, headers=cookie)).status_code == 403
    wrong = cookie | {"x-csrf-token": csrf_of("another")}
    assert (await client.post("/things", json={"name": "x"}, headers=wrong)).status_code == 403
    right = cookie | {"x-csrf-token": csrf_of("cookie")}
    assert (await client.post("/things", json={"name": "x"}, headers=right)).status_code == 201


async def test_queries_and_ids_are_checked(client: httpx.AsyncClient) -> None:
    one = "/things/00000000-0000-0000-0000-000000000001"
    assert (await client.get(f"{one}?limit=7", headers=DESK)).json()["limit"] == 7
    assert (await client.get(f"{one}?limit=many", headers=DESK)).status_code == 422
    assert (await client.get(f"{one}?colour=red", headers=DESK)).status_code == 422
    assert (await client.get(f"{one}?limit=%00", headers=DESK)).status_code == 422
    assert (await client.get("/things/5", headers=DESK)).status_code == 404


async def test_a_defect_says_nothing_of_the_inside(
    client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    reply = await client.get("/fail")
    assert reply.status_code == 500
    assert "secret" not in reply.text
    assert reply.headers["x-request-id"] in reply.json()["detail"]


async def test_an_unavailable_database_says_when_to_come_back(client: httpx.AsyncClient) -> None:
    reply = await client.get("/busy")
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "3")
    assert reply.json()["retryable"] is True


async def test_unknown_addresses_and_methods_are_problems_too(client: httpx.AsyncClient) -> None:
    assert (await client.get("/nowhere")).json()["code"] == "not_found"
    assert (await client.put("/things", headers=DESK)).json()["code"] == "method_not_allowed"


async def test_every_answer_carries_the_security_headers(client: httpx.AsyncClient) -> None:
    replies: list[Any] = [await client.get("/nowhere"), await client.get("/fail")]
    for reply in replies:
        assert "default-src 'none'" in reply.headers["content-security-policy"]
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "no-referrer"
