"""Promises 1, 2 and 3 for panics: none lost, none falsely acknowledged, its push comes.

The server is killed between a press and its answer, before the commit and after it; the phone
presses again under the same id. The worker is killed between the panic and its push.
"""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from clients.simulator.fcm import FcmServer
from clients.simulator.script import Script
from tests.promises import troubles
from tests.promises.crowd import eventually, phones
from tests.promises.places import own_postgres, seeded
from tests.support.live import LiveServer
from tests.support.seed import Station

PROMISED_S, SLACK_S = 5.0, 2.0
_LEADS = """
    INSERT INTO tree_node (operation_id, node, label, warden_id)
    VALUES (current_operation(), 'TOP', 'Top', $1) RETURNING node_id
"""
_MEMBER = """
    INSERT INTO tree_member (operation_id, node_id, person_id)
    SELECT current_operation(), node_id, m FROM tree_node, unnest($1::int[]) m
"""
_LEASES_END = "UPDATE delivery SET attempted_at = now() - interval '1 hour' WHERE state = 'sending'"
_WAITS = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND state = 'active'"


def body() -> dict[str, str]:
    return {"id": str(uuid4()), "at": datetime.now(UTC).isoformat()}


async def press(server: LiveServer, token: str, said: dict[str, str]) -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        headers = {"authorization": f"Bearer {token}"}
        return await client.post("/v1/panics", json=said, headers=headers)


async def panics(place: Station) -> list[Any]:
    found: list[Any] = await place.database.fetch(
        place.operation_id, "SELECT panic_id::text, presses, state FROM panic ORDER BY received_at"
    )
    return [tuple(r) for r in found]


async def until_blocked(dsn: str) -> None:
    con = await asyncpg.connect(dsn)
    async with asyncio.timeout(20):
        while not await con.fetch(_WAITS):  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.02)
    await con.close()


async def test_a_server_killed_between_press_and_answer_leaves_one_panic(database: str) -> None:
    async with seeded(database, 10) as place:
        first, second = await phones(place, 2)
        server = LiveServer(database, role="api")
        await asyncio.to_thread(server.start)
        before, after = body(), body()
        holder = await asyncpg.connect(database)
        await holder.execute("BEGIN; SELECT FROM stream_head FOR UPDATE")
        asking = asyncio.create_task(press(server, first.token, before))
        await until_blocked(database)
        await asyncio.to_thread(server.kill)
        with pytest.raises(httpx.TransportError):
            await asking
        await holder.execute("ROLLBACK")
        await holder.close()
        await asyncio.to_thread(server.start)
        try:
            answer = await press(server, second.token, after)  # its answer is lost on the way
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            again = await press(server, second.token, after)
            assert (again.status_code, again.json()) == (200, answer.json())
            assert (await press(server, first.token, before)).status_code in (200, 201)
        finally:
            await asyncio.to_thread(server.terminate)
        assert sorted(await panics(place)) == sorted(
            [(before["id"], 1, "open"), (after["id"], 1, "open")]
        )


@pytest.mark.parametrize("way", ["frozen", "stopped", "read_only"])
async def test_what_cannot_be_written_is_not_acknowledged(way: str) -> None:
    async with own_postgres() as postgres, seeded(postgres.dsn, 4) as place:
        [phone] = await phones(place, 1)
        with LiveServer(postgres.dsn, role="api") as server:
            said = body()
            async with getattr(troubles, way)(postgres):
                began = time.monotonic()
                answer = await press(server, phone.token, said)
                assert time.monotonic() - began < PROMISED_S + SLACK_S
                assert answer.status_code == 503, answer.text
                assert int(answer.headers["retry-after"]) > 0
            for _ in range(300):
                answer = await press(server, phone.token, said)
                if answer.status_code != 503:
                    break
                await asyncio.sleep(0.1)
            assert answer.json()["panic_id"] == said["id"]
        assert await panics(place) == [(said["id"], 1, "open")]


async def test_a_worker_killed_between_panic_and_push_is_followed_by_the_push(
    database: str, tmp_path: Path
) -> None:
    async with seeded(database, 10) as place, FcmServer(Script(any_token=True)) as fcm:
        hers, _, another = await phones(place, 3)
        await place.database.fetch(place.operation_id, _LEADS, place.people[1])
        await place.database.fetch(place.operation_id, _MEMBER, place.people[::2])
        fcm.service_account("muster-sim", tmp_path / "fcm.json")
        env = {"MUSTER_FCM_CREDENTIALS": str(tmp_path / "fcm.json"), "MUSTER_FCM_URL": fcm.fcm_url}
        worker = LiveServer(database, role="worker", **env)
        await asyncio.to_thread(worker.start)
        with LiveServer(database, role="api") as server:
            assert (await press(server, another.token, body())).status_code == 201
            await eventually(lambda: len(fcm.ledger.accepted) == 1)  # it has its access token
            fcm.script.outage, asked = "hang", fcm.stats().requests
            assert (await press(server, hers.token, body())).status_code == 201
        await eventually(lambda: fcm.stats().requests > asked)
        await asyncio.to_thread(worker.kill)
        assert len(fcm.ledger.accepted) == 1
        fcm.script.outage = None
        await asyncio.sleep(0.3)  # its connections to the database end
        await place.database.fetch(place.operation_id, _LEASES_END)
        await asyncio.to_thread(worker.start)
        try:
            await eventually(lambda: len(fcm.ledger.accepted) >= 2)
        finally:
            await asyncio.to_thread(worker.terminate)
        rows = await place.database.fetch(
            place.operation_id, "SELECT delivery_id::text FROM delivery WHERE purpose = 'panic'"
        )
        assert set(fcm.ledger.accepted) == {r[0] for r in rows}
        kept = await place.database.fetch(place.operation_id, "SELECT kind FROM job ORDER BY kind")
        assert [r[0] for r in kept] == ["panic.realert"] * 2, (
            "the count is done, the next word waits"
        )
