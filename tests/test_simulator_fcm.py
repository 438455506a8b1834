"""The FCM stand-in answers as FCM does, body by body."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import aiohttp
import pytest
import pytest_asyncio

from clients.simulator.answers import APNS_ERROR, BAD_REQUEST, ERROR_INFO, FCM_ERROR, QUOTA_FAILURE
from clients.simulator.fcm import FcmServer
from clients.simulator.hub import Push
from clients.simulator.measure import access_token
from clients.simulator.script import Latency, Script, TokenFault

TOKEN = "sim:0123456789abcdef"


class Answered(NamedTuple):
    status: int
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def error(self) -> dict[str, Any]:
        return self.body["error"]

    def detail(self, kind: str) -> dict[str, Any] | None:
        details = self.error.get("details", [])
        return next((d for d in details if d["@type"] == kind), None)

    @property
    def code(self) -> str | None:
        found = self.detail(FCM_ERROR)
        return found["errorCode"] if found else None

    @property
    def field(self) -> str | None:
        found = self.detail(BAD_REQUEST)
        return found["fieldViolations"][0]["field"] if found else None


class Caller:
    """A sender with a valid access token and one phone at the other end."""

    def __init__(self, fcm: FcmServer, session: aiohttp.ClientSession, access: str) -> None:
        self.fcm = fcm
        self.session = session
        self.access = access
        self.pushes: list[Push] = []
        fcm.on_push("p", [TOKEN], self.pushes.append)

    async def send(self, message: Any = None, **fields: Any) -> Answered:
        body = {"message": {"token": TOKEN, **fields} if message is None else message}
        return await self.post(body)

    async def post(self, body: Any, project: str = "p", access: str | None = None) -> Answered:
        url = f"{self.fcm.fcm_url}/{project}/messages:send"
        access = self.access if access is None else access
        headers = {"Authorization": f"Bearer {access}"} if access else {}
        sent = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with self.session.post(url, headers=headers, **sent) as answer:
            content = await answer.json() if answer.content_length else {}
            return Answered(answer.status, content, dict(answer.headers))


@pytest_asyncio.fixture
async def caller(tmp_path) -> AsyncIterator[Caller]:
    async with FcmServer() as fcm, aiohttp.ClientSession() as session:
        fcm.service_account("p", tmp_path / "p.json")
        access = await asyncio.to_thread(access_token, tmp_path / "p.json")
        yield Caller(fcm, session, access)


async def test_an_accepted_message_reaches_its_phone(caller):
    data = {"delivery_id": "d-1", "kind": "alert"}
    answer = await caller.send(
        data=data, notification={"title": "Muster"}, android={"priority": "high", "ttl": "600s"}
    )
    assert answer.status == 200
    assert answer.body.keys() == {"name"}
    assert answer.body["name"].startswith("projects/p/messages/")
    (push,) = caller.pushes
    assert (push.token, push.data, push.high_priority) == (TOKEN, data, True)
    assert push.message_id == answer.body["name"].removeprefix("projects/p/messages/")


async def test_a_dry_run_is_accepted_and_sends_nothing(caller):
    answer = await caller.post({"message": {"token": TOKEN}, "validate_only": True})
    assert answer.body == {"name": "projects/p/messages/fake_message_id"}
    assert caller.pushes == []


async def test_without_a_recipient(caller):
    answer = await caller.send(message={"data": {"a": "b"}})
    assert answer.body == {
        "error": {
            "code": 400,
            "message": "Recipient of the message is not set.",
            "status": "INVALID_ARGUMENT",
            "details": [
                {
                    "@type": BAD_REQUEST,
                    "fieldViolations": [
                        {"field": "message", "description": "Recipient of the message is not set."}
                    ],
                },
                {"@type": FCM_ERROR, "errorCode": "INVALID_ARGUMENT"},
            ],
        }
    }


async def test_a_malformed_token(caller):
    answer = await caller.send(token="not a token")
    assert (answer.status, answer.error["status"]) == (400, "INVALID_ARGUMENT")
    assert answer.error["message"] == "The registration token is not a valid FCM registration token"
    assert (answer.code, answer.field) == ("INVALID_ARGUMENT", None)


async def test_an_unknown_token_is_unregistered(caller):
    answer = await caller.send(token="sim:never-registered")
    assert answer.body == {
        "error": {
            "code": 404,
            "message": "Requested entity was not found.",
            "status": "NOT_FOUND",
            "details": [{"@type": FCM_ERROR, "errorCode": "UNREGISTERED"}],
        }
    }


async def test_a_removed_app_is_unregistered(caller):
    caller.fcm.hub.unregister([TOKEN])
    assert (await caller.send()).code == "UNREGISTERED"


async def test_an_unknown_project_is_a_404_without_a_code(caller):
    answer = await caller.post({"message": {"token": TOKEN}}, project="nowhere")
    assert (answer.status, answer.error["status"]) == (404, "NOT_FOUND")
    assert "details" not in answer.error


async def test_another_projects_token_is_a_sender_mismatch(caller):
    caller.fcm.service_account("other")
    caller.fcm.hub.register("other", ["sim:of-the-other"])
    answer = await caller.send(token="sim:of-the-other")
    assert (answer.status, answer.error["status"]) == (403, "PERMISSION_DENIED")
    assert answer.code == "SENDER_ID_MISMATCH"


async def test_another_projects_credentials_have_no_permission(caller):
    caller.fcm.service_account("other")
    answer = await caller.post({"message": {"token": TOKEN}}, project="other")
    assert (answer.status, answer.code) == (403, None)
    assert answer.detail(ERROR_INFO)["reason"] == "IAM_PERMISSION_DENIED"


@pytest.mark.parametrize(
    ("access", "reason"),
    [("", "CREDENTIALS_MISSING"), ("ya29.guessed", "ACCESS_TOKEN_TYPE_UNSUPPORTED")],
)
async def test_without_valid_credentials(caller, access, reason):
    answer = await caller.post({"message": {"token": TOKEN}}, access=access)
    assert (answer.status, answer.error["status"]) == (401, "UNAUTHENTICATED")
    assert (answer.code, answer.detail(ERROR_INFO)["reason"]) == (None, reason)


async def test_an_expired_access_token_says_so(caller):
    assert caller.fcm.accounts.expire() == 1
    answer = await caller.send()
    assert (answer.status, answer.code) == (401, None)
    assert answer.detail(ERROR_INFO)["reason"] == "ACCESS_TOKEN_EXPIRED"


async def test_data_values_must_be_strings(caller):
    answer = await caller.send(data={"a": "b", "n": 12})
    text = "Invalid value at 'message.data[1].value' (TYPE_STRING), 12"
    assert (answer.status, answer.error["message"]) == (400, text)
    assert answer.error["details"] == [
        {
            "@type": BAD_REQUEST,
            "fieldViolations": [{"field": "message.data[1].value", "description": text}],
        }
    ]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"data": {"flag": True}}, "message.data[0].value"),
        ({"data": {"nested": {}}}, "message.data[0].value"),
        ({"data": {"nothing": None}}, "message.data[0].value"),
        ({"data": ["a"]}, "message.data"),
        ({"data": {"from": "x"}}, "message.data"),
        ({"data": {"google.x": "x"}}, "message.data"),
        ({"android": {"ttl": 600}}, "message.android.ttl"),
        ({"android": {"ttl": "600"}}, "message.android.ttl"),
        ({"android": {"ttl": "2419201s"}}, "message.android.ttl"),
        ({"android": {"priority": "urgent"}}, "message.android.priority"),
        ({"apns": {"headers": {"apns-priority": 10}}}, "message.apns.headers[0].value"),
        ({"topic": "all"}, "message"),
        ({"token": 7}, "message.token"),
        ({"to": "x"}, "message"),
    ],
)
async def test_the_refused_field_is_named(caller, fields, field):
    answer = await caller.send(**fields)
    assert (answer.status, answer.error["status"]) == (400, "INVALID_ARGUMENT")
    assert answer.field == field


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"message":{}, "to":"x"}'])
async def test_a_malformed_envelope(caller, body):
    answer = await caller.post(body)
    assert (answer.status, answer.error["status"]) == (400, "INVALID_ARGUMENT")
    assert answer.error["message"].startswith("Invalid JSON payload received.")


async def test_4096_bytes_pass_and_one_more_does_not(caller):
    assert (await caller.send(data={"k": "x" * 4095})).status == 200
    answer = await caller.send(data={"k": "x" * 4096})
    assert (answer.status, answer.code) == (400, "INVALID_ARGUMENT")
    assert "4096" in answer.error["message"]


async def test_the_size_counts_utf8_and_the_notification(caller):
    assert (await caller.send(data={"k": "ж" * 2047})).status == 200
    title = {"title": "x"}
    assert (await caller.send(data={"k": "ж" * 2047}, notification=title)).status == 400


SCRIPTED = {
    "quota": (429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"),
    "quota_project": (429, "RESOURCE_EXHAUSTED", None),
    "internal": (500, "INTERNAL", "INTERNAL"),
    "unavailable": (503, "UNAVAILABLE", "UNAVAILABLE"),
    "third_party_auth": (401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"),
    "token_expired": (401, "UNAUTHENTICATED", None),
    "sender_mismatch": (403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"),
    "no_permission": (403, "PERMISSION_DENIED", None),
    "no_project": (404, "NOT_FOUND", None),
    "unregistered": (404, "NOT_FOUND", "UNREGISTERED"),
    "invalid_token": (400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
    "apns_unregistered": (400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
}


@pytest.mark.parametrize(("fault", "expected"), SCRIPTED.items())
async def test_a_scripted_fault_has_its_body(caller, fault, expected):
    caller.fcm.script = Script(tokens={TOKEN: TokenFault(fault)}, retry_after_s=7)
    answer = await caller.send()
    assert (answer.status, answer.error["status"], answer.code) == expected
    assert answer.error["code"] == answer.status
    after = "7" if fault in ("quota", "quota_project", "unavailable") else None
    assert answer.headers.get("Retry-After") == after
    assert caller.pushes == []


async def test_the_details_of_quota_and_apns(caller):
    caller.fcm.script.tokens[TOKEN] = TokenFault("quota", 1)
    answer = await caller.send()
    assert answer.detail(QUOTA_FAILURE)["violations"][0]["subject"] == "project:p"
    caller.fcm.script.tokens[TOKEN] = TokenFault("apns_unregistered", 1)
    assert (await caller.send()).detail(APNS_ERROR)["statusCode"] == 410
    assert (await caller.send()).status == 200


async def test_pages_and_garbage_are_no_json(caller):
    url = f"{caller.fcm.fcm_url}/p/messages:send"
    headers = {"Authorization": f"Bearer {caller.access}"}
    expected = {"bad_gateway": 502, "not_found_page": 404, "garbage": 200, "empty": 200}
    for fault, status in expected.items():
        caller.fcm.script = Script(outage=fault)
        message = {"message": {"token": TOKEN}}
        async with caller.session.post(url, json=message, headers=headers) as answer:
            assert answer.status == status
            body = await answer.read()
        assert not body.startswith(b"{\n")
        assert b"projects/p/messages" not in body


@pytest.mark.parametrize(("fault", "pushed"), [("hang", 0), ("lost_hang", 1)])
async def test_a_hanging_send_is_never_answered(caller, fault, pushed):
    caller.fcm.script = Script(outage=fault)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(caller.send(), 0.1)
    assert len(caller.pushes) == pushed


@pytest.mark.parametrize(("fault", "pushed"), [("reset", 0), ("lost_reset", 1), ("refuse", 0)])
async def test_a_connection_breaks_off(caller, fault, pushed):
    caller.fcm.script = Script(outage=fault)
    with pytest.raises(aiohttp.ClientError):
        await caller.send()
    assert len(caller.pushes) == pushed
    caller.fcm.script = Script()
    assert (await caller.send()).status == 200


async def test_one_connection_serves_many_requests(caller):
    for _ in range(5):
        assert (await caller.send()).status == 200
    assert len(caller.session.connector._conns) == 1


async def test_pipelined_requests_are_answered_in_order(caller):
    caller.fcm.script = Script(latency=Latency(median_ms=5))
    reader, writer = await asyncio.open_connection("127.0.0.1", caller.fcm.port)
    for token in (b"sim:none-of-these", TOKEN.encode()):
        body = b'{"message":{"token":"%s"}}' % token
        writer.write(
            b"POST /v1/projects/p/messages:send HTTP/1.1\r\nContent-Length: %d\r\n"
            b"Authorization: Bearer %s\r\n\r\n%s" % (len(body), caller.access.encode(), body)
        )
    first = await reader.readuntil(b"\r\n")
    await reader.readuntil(b"UNREGISTERED")
    rest = await reader.readuntil(b"messages/")
    assert first.startswith(b"HTTP/1.1 404")
    assert b"HTTP/1.1 200" in rest
    writer.close()
    await writer.wait_closed()
