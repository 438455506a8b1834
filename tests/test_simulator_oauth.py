"""The token endpoint checks what Google's checks, and pyfcm can use it."""

import asyncio
import base64
import json
import time
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from pyfcm.baseapi import BaseAPI

from clients.simulator.fcm import FcmServer
from clients.simulator.measure import access_token
from clients.simulator.oauth import GRANT
from clients.simulator.script import Script

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"


def assertion(credentials: dict[str, str], key: Any = None, alg: str = "RS256", **claims: Any):
    """A signed JWT-bearer assertion; `claims` replace the valid ones."""
    if key is None:
        pem = credentials["private_key"].encode()
        key = serialization.load_pem_private_key(pem, password=None)
    now = int(time.time())
    valid = {
        "iss": credentials["client_email"],
        "aud": credentials["token_uri"],
        "scope": SCOPE,
        "iat": now,
        "exp": now + 3600,
    }
    parts = [json.dumps({"alg": alg, "typ": "JWT"}), json.dumps({**valid, **claims})]
    signed = b".".join(_encoded(part.encode()) for part in parts)
    signature = key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    return (signed + b"." + _encoded(signature)).decode()


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


async def exchange(fcm: FcmServer, value: str, grant: str = GRANT) -> tuple[int, dict[str, Any]]:
    form = {"grant_type": grant, "assertion": value}
    async with (
        aiohttp.ClientSession() as session,
        session.post(fcm.token_uri, data=form) as answer,
    ):
        return answer.status, await answer.json()


async def test_a_valid_assertion_is_worth_an_access_token():
    async with FcmServer(Script(access_token_s=1800)) as fcm:
        status, body = await exchange(fcm, assertion(fcm.service_account("p")))
        assert status == 200
        assert body.keys() == {"access_token", "expires_in", "token_type"}
        assert (body["expires_in"], body["token_type"]) == (1800, "Bearer")
        assert fcm.accounts.grant(f"Bearer {body['access_token']}").project == "p"
        assert fcm.stats().tokens_granted == 1


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"aud": "https://example.org/token"}, "invalid_grant"),
        ({"iss": "stranger@example.org"}, "invalid_grant"),
        ({"exp": 1}, "invalid_grant"),
        ({"exp": "soon"}, "invalid_grant"),
        ({"iat": 4_000_000_000, "exp": 4_000_000_600}, "invalid_grant"),
        ({"iat": 0}, "invalid_grant"),
        ({"scope": "https://www.googleapis.com/auth/drive"}, "invalid_scope"),
        ({"alg": "none"}, None),
    ],
)
async def test_a_wrong_claim_is_refused(claims, code):
    async with FcmServer() as fcm:
        status, body = await exchange(fcm, assertion(fcm.service_account("p"), **claims))
        expected = "invalid_grant" if code is None else code
        assert (status, body["error"]) == (400, expected)
        assert body["error_description"]


async def test_another_key_is_an_invalid_signature():
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    async with FcmServer() as fcm:
        forged = assertion(fcm.service_account("p"), key=stranger)
        expected = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
        assert await exchange(fcm, forged) == (400, expected)


@pytest.mark.parametrize("value", ["", "a.b", "a.b.c", "!.!.!"])
async def test_nonsense_is_no_assertion(value):
    async with FcmServer() as fcm:
        fcm.service_account("p")
        status, body = await exchange(fcm, value)
        assert (status, body["error"]) == (400, "invalid_request")


async def test_another_grant_type_is_refused():
    async with FcmServer() as fcm:
        value = assertion(fcm.service_account("p"))
        status, body = await exchange(fcm, value, grant="password")
        assert (status, body["error"]) == (400, "unsupported_grant_type")


async def test_an_outage_takes_the_token_endpoint_too():
    async with FcmServer(Script(outage="unavailable")) as fcm:
        status, _ = await exchange(fcm, assertion(fcm.service_account("p")))
        assert status == 503


async def test_a_restarted_stand_in_accepts_the_old_file(tmp_path):
    path = tmp_path / "credentials.json"
    async with FcmServer() as first:
        port = first.port
        before = first.service_account("p", path)
    second = FcmServer()
    await second.start(port)
    try:
        assert second.service_account("p", path) == before
        assert path.stat().st_mode & 0o777 == 0o600
        assert await asyncio.to_thread(access_token, path)
    finally:
        await second.stop()


async def test_pyfcm_gets_a_token_and_its_payload_is_accepted(tmp_path, monkeypatch):
    """BaseAPI's own credentials, endpoint and payload, with one foreign transport."""
    async with FcmServer() as fcm, aiohttp.ClientSession() as session:
        path = tmp_path / "credentials.json"
        fcm.service_account("p", path)
        pushes: list[Any] = []
        fcm.on_push("p", ["sim:a-phone"], pushes.append)
        monkeypatch.setattr(BaseAPI, "FCM_END_POINT_BASE", fcm.fcm_url)
        api = BaseAPI(service_account_file=str(path))
        access = await asyncio.to_thread(api._get_access_token)
        payload = api.parse_payload(
            fcm_token="sim:a-phone",
            notification_title="Muster",
            notification_body="Please open the app.",
            data_payload={"delivery_id": "d-1", "exercise": "0"},
            android_config={"priority": "high", "ttl": "600s"},
            apns_config={"headers": {"apns-priority": "10"}},
        )
        headers = {"Authorization": f"Bearer {access}"}
        async with session.post(api.fcm_end_point, data=payload, headers=headers) as answer:
            assert answer.status == 200
        assert pushes[0].data == {"delivery_id": "d-1", "exercise": "0"}
        assert fcm.stats().outcomes == {"accepted": 1}
