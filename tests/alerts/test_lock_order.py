"""The order of locks: nobody who checks in waits for what takes long about an alert."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from server.alerts import opening, store
from server.checkin import store as checkins
from server.checkin.actions import record_batch
from tests.alerts.test_interleaving import called, report
from tests.alerts.test_members import walk_in
from tests.alerts.world import World, world

BOUND_S = 15
WAITING = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)

FREE = "SELECT FROM alert WHERE alert_id = $1 FOR NO KEY UPDATE NOWAIT"


async def somebody_waits(w: World) -> None:
    """Returns when a transaction waits for another one's lock."""
    owner = await asyncpg.connect(w.dsn)
    async with asyncio.timeout(BOUND_S):
        while not await owner.fetchval(WAITING):  # noqa: ASYNC110 - the database has no event
            await asyncio.sleep(0.02)
    await owner.close()


async def adds(w: World, alert_id: uuid.UUID, **who: str) -> None:
    async with w.client() as api:
        answer = await api.post(f"/v1/alerts/{alert_id}/people", json=walk_in(**who))
        assert answer.status_code == 201, answer.text


async def merges(w: World, _: uuid.UUID) -> None:
    async with w.client() as api:
        answer = await api.post("/v1/people/V1/merge", json={"into": "A1"})
        assert answer.status_code == 200, answer.text


async def opens(w: World, alert_id: uuid.UUID) -> None:
    await opening.open_prepared(w.db, w.op, alert_id)


async def ends(w: World, alert_id: uuid.UUID) -> None:
    async with w.client() as api:
        verb = "cancel" if await state(w, alert_id) == "preparing" else "close"
        assert (await api.post(f"/v1/alerts/{alert_id}/{verb}")).status_code == 200


async def state(w: World, alert_id: uuid.UUID) -> Any:
    return await w.value("SELECT state FROM alert WHERE alert_id = $1", alert_id)


@pytest.mark.parametrize("act", [adds, merges, opens, ends])
async def test_reports_go_on_while_somebody_waits_for_a_long_turn(
    database: str, act: Callable[[World, uuid.UUID], Awaitable[None]]
) -> None:
    async with world(database) as w:
        person = await w.person("A1")
        await w.person("V1", kind="visitor")
        alert_id = await called(w)
        await opening.prepare(w.db, w.op, alert_id, None, None)
        if act is not opens:
            await w.run_jobs()
            await adds(w, alert_id, ref="V1")
        async with w.db.transaction(w.op) as turn:
            await store.lock_alert(turn, alert_id)
            task = asyncio.ensure_future(act(w, alert_id))
            await somebody_waits(w)
            said = report(person, "safe", datetime.now(UTC), None)
            async with asyncio.timeout(BOUND_S):
                await record_batch(w.db, w.op, [said])
            assert not task.done()
        await task
        assert await w.cells_agree(alert_id)
        counts = await w.counts(alert_id)
        assert counts["safe"] == 1, "and what was said meanwhile counts"


@pytest.mark.parametrize("act", [adds, merges])
async def test_late_answers_and_changes_of_an_ended_alert_never_wait_in_a_ring(
    database: str, act: Callable[[World, uuid.UUID], Awaitable[None]]
) -> None:
    async with world(database) as w:
        await w.person("A1")
        await w.person("V1", kind="visitor")
        alert_id = await called(w)
        await w.run_jobs()
        await adds(w, alert_id, ref="V1")
        await ends(w, alert_id)
        async with w.db.transaction(w.op) as batch:
            await checkins.begin_batch(batch)
            task = asyncio.ensure_future(act(w, alert_id))
            await somebody_waits(w)
            await batch.execute(FREE, alert_id)
            await checkins.add_late(batch, {alert_id: 1})
        await task
        assert await w.value("SELECT late FROM alert") == 1
        assert await w.cells_agree(alert_id)


async def test_an_opening_waits_for_no_other_operations_statistics(database: str) -> None:
    """One table is analyzed by one at a time; whoever does it may take as long as it takes."""
    async with world(database) as w:
        await w.people(20, phones=20)
        alert_id = await called(w)
        owner = await asyncpg.connect(w.dsn)
        async with owner.transaction():
            await owner.execute("LOCK TABLE alert_person IN SHARE UPDATE EXCLUSIVE MODE")
            async with asyncio.timeout(BOUND_S):
                await w.run_jobs()
            assert await state(w, alert_id) == "open"
        await owner.close()
        assert await w.value("SELECT count(*) FROM delivery") == 20
