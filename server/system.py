"""Calls about the server itself: health, readiness, metrics, configuration, the document."""

import hmac
import ipaddress
from collections.abc import Callable
from typing import Any

import msgspec
from prometheus_client import Gauge, generate_latest

from server import errors
from server.config import Settings
from server.db import Database
from server.texting import numbers, sms_routes
from server.vapid import PushKey
from server.web import Call, Endpoint, Reply

OVERDUE = Gauge(
    "muster_jobs_overdue_seconds",
    "How long the oldest job has waited for a worker: 0 when all is well",
)
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Health(msgspec.Struct, frozen=True):
    """The process answers."""

    status: str


class ClientConfig(msgspec.Struct, frozen=True):
    """What a phone needs to know before it has a token."""

    vapid_public_key: str | None
    fcm_web: dict[str, Any] | None
    sms_numbers: list[str]
    languages: list[str]


class System:
    """The handlers; `document` gives the OpenAPI document once all endpoints are known."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        push_key: PushKey,
        document: Callable[[], bytes],
    ) -> None:
        self._db = database
        self._settings = settings
        self._push_key = push_key
        self._document = document

    async def healthz(self, _: Call) -> Reply:
        """Alive."""
        return Reply(200, Health("ok"))

    async def readyz(self, _: Call) -> Reply:
        """Able to write. Raises Unavailable when not."""
        async with self._db.connection() as con:
            if await con.fetchval("SELECT pg_is_in_recovery()"):
                raise errors.Unavailable("The database here is a standby and takes no writes.")
        return Reply(200, Health("ok"))

    async def metrics(self, call: Call) -> Reply:
        """Prometheus text, for loopback or the metrics token; to others it is not there."""
        if not (self._has_token(call) or _is_loopback(call.client)):
            raise errors.NotFound("There is nothing at this address.")
        async with self._db.connection() as con:
            OVERDUE.set(await con.fetchval("SELECT jobs_overdue_s()"))
        return Reply(200, generate_latest(), [(b"content-type", METRICS_TYPE.encode())])

    def _has_token(self, call: Call) -> bool:
        token = self._settings.metrics_token
        if token is None or call.token is None:
            return False
        return hmac.compare_digest(token.get_secret_value().encode(), call.token.encode())

    async def config(self, _: Call) -> Reply:
        """Public settings of this server."""
        web = self._settings.fcm_web_config
        value = ClientConfig(
            vapid_public_key=self._push_key.public,
            fcm_web=msgspec.json.decode(web) if web else None,
            sms_numbers=numbers(sms_routes(self._settings)),
            languages=[lang.strip() for lang in self._settings.languages.split(",")],
        )
        return Reply(200, value)

    async def openapi(self, _: Call) -> Reply:
        """The OpenAPI document."""
        return Reply(200, self._document())

    def endpoints(self) -> list[Endpoint]:
        """The calls of this room."""
        return [
            Endpoint("GET", "/healthz", self.healthz, "Alive", None, {200: Health}),
            Endpoint("GET", "/readyz", self.readyz, "Able to write", None, {200: Health}),
            Endpoint(
                "GET", "/metrics", self.metrics, "Prometheus metrics", None, {200: "text/plain"}
            ),
            Endpoint(
                "GET", "/v1/config", self.config, "Public settings", None, {200: ClientConfig}
            ),
            Endpoint(
                "GET",
                "/v1/openapi.json",
                self.openapi,
                "This document",
                None,
                {200: "application/json"},
            ),
        ]


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
