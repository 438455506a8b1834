"""A stand-in for browsers' push services: RFC 8030 on loopback, with encryption and VAPID.

    async with PushService() as service:
        browser = service.subscribe()
        browser.subscription          # what PushSubscription.toJSON() gives a page
        browser.received              # decrypted payloads, as the service worker gets them
        service.faults[browser.path] = Fault(410)

A push is refused as real services do: 401 without VAPID, 403 with a key or audience that does
not fit, 400 for a body that is not aes128gcm, 413 over 4,096 bytes, 404 for no subscription.
"""

import base64
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import http_ece
import msgspec
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

MOST_BYTES = 4096
_HALF = 32


class Fault(msgspec.Struct):
    """How a subscription's next pushes are answered: `times` of them, or all."""

    status: int
    times: int | None = None
    retry_after: int | None = None
    location: str | None = None


class Received(msgspec.Struct, frozen=True):
    """One push as its browser got it. ttl in seconds; at in unix seconds."""

    data: Any
    ttl: int
    urgency: str
    topic: str
    at: float


class Browser:
    """One subscription with its keys."""

    def __init__(self, endpoint: str, path: str, application_key: str | None) -> None:
        self.path = path
        self.received: list[Received] = []
        self.on_push: Callable[[Received], None] | None = None
        self.application_key = application_key
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._auth = os.urandom(16)
        point = self._key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        keys = {"p256dh": _coded(point), "auth": _coded(self._auth)}
        self.subscription = {"endpoint": endpoint, "keys": keys}

    def decrypt(self, body: bytes) -> Any:
        """The payload. Raises http_ece.ECEException for what was not meant for it."""
        plain = http_ece.decrypt(
            body, private_key=self._key, auth_secret=self._auth, version="aes128gcm"
        )
        return json.loads(plain)


class PushService:
    """The service; `url` is its origin, for MUSTER_WEBPUSH_HOSTS."""

    def __init__(self) -> None:
        self.browsers: dict[str, Browser] = {}
        self.faults: dict[str, Fault] = {}
        self.answers: Counter[int] = Counter()
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> "PushService":
        app = web.Application(client_max_size=1 << 20)
        app.router.add_post("/push/{name}", self._push)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def subscribe(self, application_key: str | None = None) -> Browser:
        """A new subscription, bound to an application server's key if one is given."""
        path = f"/push/{_coded(os.urandom(16))}"
        browser = Browser(self.url + path, path, application_key)
        self.browsers[path] = browser
        return browser

    async def _push(self, request: web.Request) -> web.Response:
        response = await self._judge(request)
        self.answers[response.status] += 1
        return response

    async def _judge(self, request: web.Request) -> web.Response:
        body = await request.read()
        fault = self._fault(request.path)
        if fault is not None:
            return _faulty(fault)
        browser = self.browsers.get(request.path)
        if browser is None:
            return web.Response(status=404)
        refused = _authorised(request, self.url, browser.application_key)
        if refused is not None:
            return web.Response(status=refused)
        if len(body) > MOST_BYTES:
            return web.Response(status=413)
        if request.headers.get("Content-Encoding") != "aes128gcm" or "TTL" not in request.headers:
            return web.Response(status=400)
        return self._deliver(request, browser, body)

    def _deliver(self, request: web.Request, browser: Browser, body: bytes) -> web.Response:
        headers = request.headers
        try:
            data = browser.decrypt(body)
        except (http_ece.ECEException, ValueError):
            return web.Response(status=400)
        received = Received(
            data,
            ttl=int(headers["TTL"]),
            urgency=headers.get("Urgency", "normal"),
            topic=headers.get("Topic", ""),
            at=time.time(),
        )
        browser.received.append(received)
        if browser.on_push is not None:
            browser.on_push(received)
        location = f"{self.url}/message/{_coded(os.urandom(9))}"
        return web.Response(status=201, headers={"Location": location})

    def _fault(self, path: str) -> Fault | None:
        fault = self.faults.get(path) or self.faults.get("*")
        if fault is None or fault.times == 0:
            return None
        if fault.times is not None:
            fault.times -= 1
        return fault


def _faulty(fault: Fault) -> web.Response:
    headers = {}
    if fault.retry_after is not None:
        headers["Retry-After"] = str(fault.retry_after)
    if fault.location is not None:
        headers["Location"] = fault.location
    return web.Response(status=fault.status, headers=headers)


def _authorised(request: web.Request, origin: str, application_key: str | None) -> int | None:
    """None, or the status with which VAPID is refused."""
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    fields = dict(part.strip().split("=", 1) for part in rest.split(",") if "=" in part)
    if scheme.lower() != "vapid" or {"t", "k"} - fields.keys():
        return 401
    if application_key is not None and fields["k"].rstrip("=") != application_key:
        return 403
    claims = _verified(fields["t"], fields["k"])
    if claims is None or claims.get("aud") != origin:
        return 403
    left = float(claims.get("exp", 0)) - time.time()
    fits = 0 < left <= 24 * 3600 and str(claims.get("sub", "")).startswith(("mailto:", "https:"))
    return None if fits else 403


def _verified(token: str, key: str) -> dict[str, Any] | None:
    """The claims of an ES256 token signed by `key`; None if it is not."""
    try:
        signed, _, signature = token.rpartition(".")
        raw = _decoded(signature)
        first, second = (int.from_bytes(raw[:_HALF], "big"), int.from_bytes(raw[_HALF:], "big"))
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _decoded(key))
        public.verify(
            encode_dss_signature(first, second), signed.encode(), ec.ECDSA(hashes.SHA256())
        )
        claims: dict[str, Any] = json.loads(_decoded(signed.split(".")[1]))
    except (ValueError, IndexError, InvalidSignature):
        return None
    return claims


def _coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
