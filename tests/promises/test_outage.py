"""Promise 5, the mechanism: FCM is down altogether; texts cover everybody they can, within a minute
of the record's clock, and all others are named with the reason and who answers for them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from clients.simulator.fcm import FcmServer
from clients.simulator.sms import SmsGateway
from server.alerts.channels.sms import SmsChannel
from server.alerts.sender import Sender
from server.texting import sms_routes
from tests.alerts.test_escalation import House
from tests.alerts.test_sender import channel, sending, until
from tests.alerts.test_sms_alert import routes
from tests.alerts.world import alert
from tests.promises.places import LONG

PEOPLE = 3_000 if LONG else 300
ABROAD, NUMBERLESS = 12, 8
TEXTS_LEFT = "SELECT count(*) FROM delivery WHERE channel = 'sms' AND state <> 'accepted'"


class Zone(House):
    """One zone with a warden: all have phones, most have numbers that the route serves."""

    async def settle(self) -> None:
        self.ids = {"W1": await self.person("W1", "KE-N1")}
        await self.phone(self.ids["W1"])
        await self.number(self.ids["W1"], "+254790000000")
        await self.people(PEOPLE, phones=PEOPLE + 1)
        await self.sql(
            "INSERT INTO contact_point (operation_id, person_id, rank, phone)"
            " SELECT operation_id, person_id, 1,"
            "  CASE WHEN n <= $1 THEN '+336' ELSE '+2547' END || lpad(n::text, 8, '0')"
            " FROM (SELECT operation_id, person_id, row_number() OVER (ORDER BY person_id) AS n"
            "       FROM person WHERE ref LIKE 'P%') p WHERE n <= $2",
            *(ABROAD, PEOPLE - NUMBERLESS),
        )
        await self.node("N1", None, "KE-N1", "W1")


@asynccontextmanager
async def zone(dsn: str, gateway: SmsGateway) -> AsyncIterator[Zone]:
    listed = routes(gateway, "twilio", per_s=1000)
    made = Zone(dsn, sms_routes=listed, public_url="http://muster")
    await made.db.open()
    try:
        await made.begin()
        await made.operator()
        await made.settle()
        yield made
    finally:
        await made.db.close()


async def called(z: Zone, api: httpx.AsyncClient) -> UUID:
    body = alert()
    assert (await api.post("/v1/alerts", json=body)).status_code == 201
    await z.run_jobs()
    return UUID(body["id"])


async def unreached(api: httpx.AsyncClient, alert_id: UUID) -> list[dict[str, Any]]:
    """Everybody on the list, page by page."""
    found: list[dict[str, Any]] = []
    url: str | None = f"/v1/alerts/{alert_id}/unreached?limit=100"
    while url is not None:
        page = (await api.get(url)).json()
        found += page["items"]
        url = page["next"]
    return found


@pytest.fixture
async def down() -> AsyncIterator[FcmServer]:
    async with FcmServer() as fcm:
        fcm.script.any_token = True
        fcm.script.outage = "refuse"
        yield fcm


def texting(z: Zone) -> SmsChannel:
    async def nothing() -> dict[str, int]:
        return {}

    return SmsChannel(sms_routes(z.settings), "http://muster", nothing)


async def test_texts_cover_an_outage_and_the_rest_is_named(
    database: str, tmp_path: Path, down: FcmServer
) -> None:
    async with SmsGateway() as gateway, zone(database, gateway) as z, z.client() as api:
        alert_id = await called(z, api)
        due = await z.value(
            "SELECT extract(epoch FROM s.due_at - a.opened_at)::float8 FROM escalation_step s"
            " JOIN alert a USING (operation_id, alert_id) WHERE s.act = 'unsent'"
        )
        assert due <= 60
        async with sending(z, channel(down, tmp_path)):
            await z.later(31)
            texts = Sender(z.db, texting(z), 32)
            task = asyncio.create_task(texts.run())
            await until(z, TEXTS_LEFT, 0, 120)
            await texts.stop_claiming()
            await texts.finish()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        texted = {t.number for t in gateway.texts}
        assert len(texted) == len(gateway.texts) == PEOPLE - ABROAD - NUMBERLESS + 1, "once each"
        assert (
            await z.value(
                "SELECT count(*) FROM delivery WHERE channel = 'fcm' AND accepted_at IS NOT NULL"
            )
            == 0
        )

        named = await unreached(api, alert_id)
        assert len(named) == PEOPLE + 1, "taken by a gateway is not yet reached"
        for text in gateway.texts:
            await z.sql(
                "UPDATE delivery SET delivered_at = clock_timestamp() FROM contact_point c"
                " WHERE delivery.channel = 'sms' AND c.person_id = delivery.person_id"
                " AND c.phone = $1",
                text.number,
            )
        named = await unreached(api, alert_id)
        assert len(named) == ABROAD + NUMBERLESS
        assert {n["farthest"] for n in named} == {"waiting"}
        assert all(n["reason"].startswith("messages wait to be sent") for n in named), named[0]
        assert {n["warden"]["ref"] for n in named} == {"W1"}
        assert json.dumps(named).count('"phone": null') == NUMBERLESS


async def test_without_the_step_nobody_would_be_texted(
    database: str, tmp_path: Path, down: FcmServer
) -> None:
    async with SmsGateway() as gateway, zone(database, gateway) as z, z.client() as api:
        await called(z, api)
        await z.sql("DELETE FROM escalation_step WHERE act = 'unsent'")
        async with sending(z, channel(down, tmp_path)):
            await z.later(61)
        assert await z.value("SELECT count(*) FROM delivery WHERE channel = 'sms'") == 0
