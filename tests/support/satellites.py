"""Satellite messengers: providers bring messages to the whole API, a worker's jobs read them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from clients.simulator.satellite import Request, event, fields, inreach, rockblock
from server import jobs
from server.alerts import jobs as alert_jobs
from server.checkin.satellite.understanding import handlers
from server.mailing import DESK
from server.vault import open_vault
from tests.support.http import Caller, Site, settings, site

TOKEN = "garmin-secret"
PASSWORD = "ground-secret"
ANN, BEN, STRANGER = "300434063480221", "300434063480222", "300434063489999"
HERE = (-1.2921, 36.8219)
_EARLIER = """
    UPDATE satellite_device SET since = since - $2::interval
    WHERE imei = $1 AND removed_at IS NULL
"""
KEY: RSAPrivateKey = generate_private_key(65537, 2048)


def public_key(key: RSAPrivateKey = KEY) -> str:
    """As PEM."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def routes(**more: Any) -> str:
    """A route of each kind: Garmin's, Ground Control's by password, and by its signature."""
    return json.dumps([
        {"name": "inreach", "kind": "inreach", "secret": TOKEN, **more},
        {"name": "rockblock", "kind": "rockblock", "secret": PASSWORD, **more},
        {"name": "signed", "kind": "rockblock", "public_key": public_key(), **more},
    ])  # fmt: skip


def url(route: str) -> str:
    """The address of a route."""
    return f"/v1/inbound/satellite/{route}"


class Sky:
    """A seeded operation with satellite routes, and hands for all that a test does to it."""

    def __init__(self, here: Site, desk: Caller) -> None:
        self.here = here
        self.desk = desk
        self.people = here.station.people
        self.operation_id = here.station.operation_id
        db = here.api.db
        of_alerts = alert_jobs.handlers(db, ("+254", DESK))
        self.runner = jobs.Runner(db, {**of_alerts, **handlers(db, open_vault(settings()))})
        self._momsn = 0

    async def sql(self, text: str, *args: Any) -> list[Any]:
        """Rows of one statement under the operation."""
        return await self.here.api.db.fetch(self.operation_id, text, *args)

    async def value(self, text: str, *args: Any) -> Any:
        """The first column of the first row."""
        rows = await self.sql(text, *args)
        return rows[0][0] if rows else None

    async def give(self, imei: str, n: int, kind: str = "inreach", hours: float = 48) -> None:
        """A device is person n's, and was since some hours ago."""
        body = {"person": f"P{n + 1}", "kind": kind}
        answer = await self.desk.call("PUT", f"/v1/satellite-devices/{imei}", body)
        assert answer.status_code in (200, 201), answer.text
        await self.sql(_EARLIER, imei, timedelta(hours=hours))

    async def bring(self, request: Request) -> httpx.Response:
        """A provider brings something; the answer to it."""
        return await self.here.client.request(**request)

    async def garmin(
        self, imei: str, code: int, text: str = "", ago_s: float = 0, place: Any = HERE, **more: Any
    ) -> Request:
        """Garmin brings one event, which is understood; its request."""
        at = datetime.now(UTC) - timedelta(seconds=ago_s)
        request = inreach(url("inreach"), TOKEN, [event(imei, code, at, text, place, **more)])
        await self.taken(request)
        return request

    async def ground(
        self, imei: str, data: bytes, ago_s: float = 0, momsn: int | None = None
    ) -> Request:
        """Ground Control brings one message, which is understood; its request."""
        self._momsn += 1
        at = datetime.now(UTC) - timedelta(seconds=ago_s)
        said = fields(imei, self._momsn if momsn is None else momsn, at, data, HERE)
        request = rockblock(url("rockblock"), PASSWORD, said)
        await self.taken(request)
        return request

    async def taken(self, request: Request) -> None:
        """Brings a request that must be taken, and has it understood."""
        answer = await self.bring(request)
        assert (answer.status_code, answer.text) == (200, ""), answer.text
        await self.settle()

    async def settle(self) -> None:
        """Runs every job that is due."""
        while await self.runner.turn():
            pass

    async def last(self) -> dict[str, Any]:
        """The message that was understood last."""
        sql = "SELECT * FROM satellite_message ORDER BY understood_at DESC LIMIT 1"
        return dict((await self.sql(sql))[0])

    async def panics(self) -> list[dict[str, Any]]:
        """The panics there are, in order."""
        return [dict(r) for r in await self.sql("SELECT * FROM panic ORDER BY received_at")]

    async def calls(self) -> list[dict[str, Any]]:
        """The calls for help, in order."""
        return [dict(r) for r in await self.sql("SELECT * FROM help_call ORDER BY raised_at")]

    async def facts(self) -> list[str]:
        """The kinds of all facts of panics, by when they happened."""
        rows = await self.sql("SELECT kind FROM panic_fact ORDER BY event_at, fact_id")
        return [r["kind"] for r in rows]

    async def trail(self) -> list[Any]:
        """The places of all panics, by when."""
        sql = "SELECT lat, lon, accuracy_m FROM panic_position ORDER BY event_at, position_id"
        return [tuple(r) for r in await self.sql(sql)]

    async def status(self, alert_id: UUID, n: int) -> str:
        """The standing answer of person n in an alert."""
        sql = "SELECT status FROM alert_person WHERE alert_id = $1 AND person_id = $2"
        return str(await self.value(sql, alert_id, self.people[n]))

    async def inbound(self, query: str = "") -> list[dict[str, Any]]:
        """What the desk's list shows."""
        answer = await self.desk.call("GET", f"/v1/inbound{query}")
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items


@asynccontextmanager
async def sky(database: str, people: int = 10, **more: Any) -> AsyncIterator[Sky]:
    """The API with routes over a seeded operation."""
    async with site(database, people=people, satellite_routes=routes(**more)) as here:
        yield Sky(here, await here.operator("admin"))
