"""The people of the demo who have no app: what the network and they do with a text."""

import asyncio
import json

import pytest

from clients.simulator import texters
from clients.simulator.sms import PASSWORD, USER, SmsGateway
from clients.simulator.texters import Texters
from server.texting import SmsRoute
from tests.alerts.world import alert, world
from tests.promises.places import serving

PEOPLE = 30
ARRIVED = "SELECT count(*) FROM delivery WHERE purpose = 'alert' AND delivered_at IS NOT NULL"
ANSWERED = "SELECT count(*) FROM alert_person WHERE status <> 'unaccounted'"


async def test_people_without_the_app_answer_and_are_counted(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every one of them answers here, a third without the code at first."""
    monkeypatch.setattr(texters, "HABITS", {"SAFE {code}": 0.6, "SAFE": 0.3, "AWAY {code}": 0.1})
    monkeypatch.setattr(texters, "LOST", 0.0)
    async with SmsGateway() as gateway, world(database) as w:
        own = {"name": "kenya", "kind": "kannel", "url": gateway.url("kannel"), "username": USER,
               "password": PASSWORD, "sender": "4670", "per_s": 100}  # fmt: skip
        route = SmsRoute(name="kenya", kind="kannel", password=PASSWORD)
        for n in range(PEOPLE):
            await w.number(await w.person(f"P{n}", language="fr"), f"+2547000000{n:02}")
        async with serving(database, role="all", MUSTER_SMS_ROUTES=json.dumps([own])) as server:
            inbound = f"{server.url}/v1/inbound/sms/kenya"
            people = Texters(gateway, inbound, route.reporting, time_scale=0.01)
            living = asyncio.create_task(people.run())
            async with w.client() as api:
                assert (await api.post("/v1/alerts", json=alert())).status_code == 201
            async with asyncio.timeout(120):
                while await w.value(ANSWERED) < PEOPLE and not living.done():  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
            assert not living.done(), "every answer was taken"
            living.cancel()
            await asyncio.gather(living, return_exceptions=True)
        arrived = (
            "SELECT count(*) FROM delivery WHERE purpose = 'alert' AND delivered_at IS NOT NULL"
        )
        assert await w.value(arrived) == PEOPLE
        assert people.counts["answers"] > PEOPLE, "who forgot the code was told it"
