"""The worker's part of texts: the whole way on real processes, many at once, what goes wrong."""

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from clients.simulator.sms import PASSWORD, USER, SmsGateway
from server.checkin.sms import deciding
from server.checkin.sms.understanding import Understanding
from server.vault import open_vault
from tests.support.http import settings
from tests.support.live import LiveServer
from tests.support.texts import OWN, Texting, texting

ANN = "+254700000001"


def number(n: int) -> str:
    return f"+2547000001{n:02d}"


async def eventually(t: Texting, sql: str, wanted: Any, within_s: float = 30.0) -> None:
    async with asyncio.timeout(within_s):
        while await t.value(sql) != wanted:  # noqa: ASYNC110 - the database has no event
            await asyncio.sleep(0.05)


async def test_a_call_for_help_goes_the_whole_way(database: str) -> None:
    """A gateway, a server, its worker, the gateway again: as in a crisis, nothing in between."""
    async with SmsGateway() as gateway, texting(database) as t:
        await t.number(0, ANN)
        alert_id = await t.here.station.open_rollcall()
        route = {"name": "kannel", "kind": "kannel", "url": gateway.url("kannel"), "sender": OWN,
                 "username": USER, "password": PASSWORD, "report_secret": "reports"}  # fmt: skip
        listed = json.dumps([route])
        server = LiveServer(database, MUSTER_SMS_ROUTES=listed)
        await asyncio.to_thread(server.start)
        try:
            query = urlencode({"from": ANN, "to": OWN, "text": "HELP", "id": "1"})
            url = f"{server.url}/v1/inbound/sms/kannel?{query}"
            async with httpx.AsyncClient() as http:
                answer = await http.get(url, headers={"authorization": "Bearer reports"})
            assert (answer.status_code, answer.content) == (200, b"")
            accepted = "SELECT state FROM delivery WHERE purpose = 'reply'"
            await eventually(t, accepted, "accepted")
        finally:
            await asyncio.to_thread(server.terminate)
        [sent] = gateway.texts
        assert (sent.number, sent.text[:18]) == (ANN, "Your call for help")
        assert sent.valid_s is not None
        assert sent.valid_s <= 3600
        assert await t.status(alert_id, 0) == "need_help"


async def test_copies_at_the_same_moment_are_one(database: str) -> None:
    async with texting(database) as t:
        await t.number(0, ANN)
        same = [t.bring(ANN, "HELP", key="one") for _ in range(8)]
        alike = [t.bring(ANN, "HELP", "android") for _ in range(8)]
        answers = await asyncio.gather(*same, *alike)
        assert {a.status_code for a in answers} == {200}
        assert await t.value("SELECT count(*) FROM inbound_sms") == 1
        await t.understand()
        assert len(await t.calls()) == 1


async def test_two_workers_make_nothing_twice(database: str) -> None:
    async with texting(database) as t:
        alert_id = await t.here.station.open_rollcall()
        for n in range(30):
            await t.number(n, number(n))
            await t.bring(number(n), f"HELP {n}")
        other = Understanding(t.here.api.db, open_vault(settings()), [OWN])
        await t.sql("UPDATE inbound_sms SET due_at = now()")
        one = asyncio.create_task(t.reading.turn())
        await asyncio.sleep(0.05)
        await t.sql("UPDATE inbound_sms SET due_at = now() WHERE state = 'received'")  # lost leases
        await asyncio.gather(one, other.turn())
        await t.understand()
        assert [c["repeated"] for c in await t.calls()] == [0] * 30
        assert await t.value("SELECT count(*) FROM checkin") == 30
        assert len(await t.replies()) == 30
        kept, fresh = await t.here.station.cells(alert_id)
        assert kept == fresh


async def test_one_that_fails_is_tried_again_and_holds_up_nobody(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with texting(database) as t:
        for n in range(3):
            await t.number(n, number(n))
            await t.bring(number(n), f"HELP {n}")
        real = deciding.decide

        async def failing(con: Any, text: Any, vault: Any) -> Any:
            if text.body == "HELP 1":
                raise LookupError("a defect")
            return await real(con, text, vault)

        with monkeypatch.context() as broken:
            broken.setattr("server.checkin.sms.understanding.decide", failing)
            await t.reading.turn()
        assert len(await t.calls()) == 2
        waiting = "SELECT detail FROM inbound_sms WHERE state = 'received'"
        assert await t.value(waiting) == "again: LookupError"
        await t.sql("UPDATE inbound_sms SET due_at = now()")
        await t.understand()
        assert len(await t.calls()) == 3


async def test_calls_for_help_are_read_first(database: str) -> None:
    async with texting(database) as t:
        app = await t.app(0)
        for n, words in enumerate(["SAFE", "away", "hello", "HELP", app.text("P"), app.text("S")]):
            await t.bring(number(n), words)
        rows = await t.sql("SELECT body FROM inbound_sms WHERE lane = 1 ORDER BY received_at")
        assert [r["body"].split()[0] for r in rows] == ["HELP", "M1"]
        claimed = await t.sql("SELECT inbound_id FROM claim_texts(2, interval '20 s')")
        first = await t.sql("SELECT inbound_id FROM inbound_sms WHERE lane = 1")
        assert {r["inbound_id"] for r in claimed} == {r["inbound_id"] for r in first}
