"""What viewers of the stream are told of alerts and deliveries."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from server import stream
from server.alerts.board import kinds
from server.alerts.deliveries.progress import Progress, tell
from server.auth import Scope
from tests.alerts.test_lifecycle import opened
from tests.alerts.world import World, alert, world


async def told(w: World, name: str, alert_id: str, scope: Scope, **more: Any) -> Any:
    (kind,) = [k for k in kinds(w.db) if k.name == name]
    event = stream.Event(1, name, {"alert_id": alert_id, **more})
    assert kind.key is not None
    assert kind.key(event) == alert_id
    return await kind.render(w.op, scope, [event])


async def test_each_viewer_is_told_of_what_is_in_sight(database: str) -> None:
    async with world(database) as w, w.client() as api:
        north, south = await w.person("A1", "KE-N1"), await w.person("A2", "KE-S")
        await w.phone(north)
        await w.phone(south)
        body = await opened(w, api, audience={"areas": ["KE-N"]})
        key = body["id"]
        shown = await api.get(f"/v1/alerts/{key}")
        assert await told(w, "alert", key, Scope()) == {"alert": shown.json()}
        sees = Scope(areas=(w.areas["KE-N1"],))
        blind = Scope(areas=(w.areas["KE-S"],))
        warden = Scope(nodes=(1,), people=frozenset({north}))
        other = Scope(nodes=(1,), people=frozenset({south}))
        assert (await told(w, "alert", key, sees)) is not None
        assert (await told(w, "alert", key, warden)) is not None
        assert (await told(w, "alert", key, blind)) is None
        assert (await told(w, "alert", key, other)) is None
        counts = {"queued": 1, "accepted": 0, "delivered": 0, "seen": 0, "answered": 0, "failed": 0}
        assert await told(w, "delivery", key, Scope()) == {"alert_id": key, "counts": counts}
        assert (await told(w, "delivery", key, sees))["counts"] == counts
        assert (await told(w, "delivery", key, blind)) is None
        assert (await told(w, "delivery", key, warden)) is None
        await tell(w.db, w.op, {UUID(key)})
        (event,) = await w.events("delivery")
        await w.value("DELETE FROM delivery RETURNING 1")
        for scope in (Scope(), sees):
            shown = await told(w, "delivery", key, scope, areas=event["areas"])
            assert shown == {"alert_id": key, "counts": counts}, "a message waits for no count"
        for scope in (blind, warden):
            assert await told(w, "delivery", key, scope, areas=event["areas"]) is None


async def test_the_last_event_has_the_last_counts(database: str) -> None:
    """Who counted first and tells last would leave consoles with old counts."""
    async with world(database) as w, w.client() as api:
        await w.phone(await w.person("A1"))
        key = (await opened(w, api))["id"]
        async with w.db.transaction(w.op, lane="report") as con:
            await con.execute("SELECT FROM stream_head FOR UPDATE")
            first = asyncio.create_task(tell(w.db, w.op, {UUID(key)}))
            await until_waiting(con, 1)
            await con.execute("UPDATE delivery SET accepted_at = now()")
            second = asyncio.create_task(tell(w.db, w.op, {UUID(key)}))
            await until_waiting(con, 2)
        await asyncio.gather(first, second)
        accepted = [e["areas"][0][2] for e in await w.events("delivery")]
        assert accepted == [0, 1]


async def until_waiting(con: Any, count: int) -> None:
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    async with asyncio.timeout(20):
        while await con.fetchval(waiting) < count:  # noqa: ASYNC110 - the database has no event
            await asyncio.sleep(0.01)


async def test_progress_is_told_at_most_twice_a_second(database: str) -> None:
    async with world(database) as w, w.client() as api:
        await w.person("A1")
        body = alert()
        await api.post("/v1/alerts", json=body)
        progress = Progress(w.db)
        for _ in range(200):
            progress.touch(w.op, body["id"])
            await asyncio.sleep(0.005)
        await progress.idle()
        assert 1 <= len(await w.events("delivery")) <= 4


async def test_progress_is_told_at_once_at_the_end_and_never_after(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with world(database) as w, w.client() as api:
        await w.person("A1")
        body = alert()
        await api.post("/v1/alerts", json=body)
        progress = Progress(w.db, every_s=3600)
        progress.touch(w.op, body["id"])
        async with asyncio.timeout(10):
            await progress.stop()
        assert len(await w.events("delivery")) == 1
        progress.touch(w.op, body["id"])
        await w.db.close()
        await asyncio.sleep(0)
        assert "delivery progress" not in {t.get_name() for t in asyncio.all_tasks()}
        assert "progress_not_told" not in capsys.readouterr().out


async def test_a_cascade_without_a_tree_reaches_everybody_at_once(database: str) -> None:
    async with world(database) as w, w.client() as api:
        await w.people(3, phones=3)
        body = await opened(w, api, mode="cascade")
        shown = (await api.get(f"/v1/alerts/{body['id']}")).json()
        assert (shown["mode"], shown["delivered_as"]) == ("cascade", "cascade")
        assert await w.value("SELECT count(*) FROM delivery") == 3
