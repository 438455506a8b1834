"""The whole API in this process, on a test's database: every route, no network."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
from pydantic import SecretStr

from server import jobs
from server.alerts import jobs as alert_jobs
from server.app import Api
from server.auth import digest, new_token
from server.config import Settings
from server.relocation import jobs as movement_jobs
from tests.support.live import PUSH_KEY
from tests.support.seed import Station, station

_DEVICE = """
    INSERT INTO device (operation_id, device_id, person_id, platform, sms_id5, sms_key)
    VALUES (current_operation(), $1::uuid, $2, 'sim', left($1::uuid::text, 8), '')
"""
_OPERATOR = """
    INSERT INTO operator (operation_id, name, role, area_id, person_id)
    VALUES (current_operation(), $1, $1, $2, $3) RETURNING operator_id
"""
_TOKEN = """
    INSERT INTO credential (operation_id, token_sha256, kind, device_id, operator_id)
    VALUES (current_operation(), $1, $2, $3, $4)
"""


@dataclass
class Caller:
    """A client with a token of its own."""

    client: httpx.AsyncClient
    token: str

    async def call(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """One request with this caller's token."""
        headers = {"authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        return await self.client.request(method, path, json=body, headers=headers, **more)


@dataclass
class Site:
    """A seeded operation behind the whole API."""

    api: Api
    client: httpx.AsyncClient
    station: Station

    async def operator(
        self, role: str = "admin", *, area_id: int | None = None, person_id: int | None = None
    ) -> Caller:
        """A new operator of a role."""
        token = new_token()
        async with self.api.db.transaction(self.station.operation_id) as con:
            operator_id = await con.fetchval(_OPERATOR, role, area_id, person_id)
            await con.execute(_TOKEN, digest(token), "operator", None, operator_id)
        return Caller(self.client, token)

    async def phone(self, n: int) -> Caller:
        """A new phone of person n (ref `P<n + 1>`)."""
        token, device_id = new_token(), uuid4()
        async with self.api.db.transaction(self.station.operation_id) as con:
            await con.execute(_DEVICE, device_id, self.station.people[n])
            await con.execute(_TOKEN, digest(token), "device", device_id, None)
        return Caller(self.client, token)

    async def work(self) -> None:
        """Runs every job that is due, as a worker would."""
        handlers = alert_jobs.handlers(self.api.db) | movement_jobs.handlers(self.api.db)
        runner = jobs.Runner(self.api.db, handlers)
        while await runner.turn():
            pass


def settings(**changes: Any) -> Settings:
    """Settings of a test server: no file is touched."""
    keys = {"secret_key": SecretStr("test"), "vapid_private_key": SecretStr(PUSH_KEY)}
    return Settings(**{**keys, "pool_size": 8, **changes})


@asynccontextmanager
async def site(
    database: str, people: int = 40, code: str = "TEST", **changes: Any
) -> AsyncIterator[Site]:
    """The API over a seeded operation, with changed settings. Nothing is sent over a network."""
    api = Api(settings(**changes), database)
    await api.open()
    transport = httpx.ASGITransport(api.asgi, client=("127.0.0.1", 4711))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield Site(api, client, await station(api.db, people, code=code))
    finally:
        await api.close()
