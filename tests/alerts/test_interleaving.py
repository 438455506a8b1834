"""Reports that arrive while an alert opens: none is lost, none counts twice, whatever the order."""

import asyncio
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.alerts import opening
from server.alerts.store import SQL
from server.checkin.actions import record_batch
from server.checkin.rules import Report
from tests.alerts.world import World, alert, world

PEOPLE = 50_000
STATUSES = ("safe", "need_help", "away")


def report(person: int, status: str, at: datetime, alert_id: uuid.UUID | None) -> Report:
    return Report(
        checkin_id=uuid.uuid4(),
        person_id=person,
        person_ref=str(person),
        status=status,
        at=at,
        sent_at=None,
        alert_id=alert_id,
        place=None,
        note=None,
        battery=None,
        reporter="self",
        actor="device:00000000-0000-0000-0000-000000000000",
        body_hash=b"x",
    )


async def called(w: World, **more: Any) -> uuid.UUID:
    """An alert on record whose job has not run yet."""
    body = alert(**more)
    async with w.client() as api:
        assert (await api.post("/v1/alerts", json=body)).status_code == 201
    return uuid.UUID(body["id"])


async def expected(w: World, alert_id: uuid.UUID) -> dict[int, tuple[Any, ...]]:
    """Who stands how, worked out anew from the reports on record."""
    since = await w.value("SELECT counts_from FROM alert WHERE alert_id = $1", alert_id)
    rows = await w.sql("SELECT * FROM checkin WHERE NOT exercise")
    best: dict[int, tuple[Any, ...]] = {}
    for r in rows:
        named = r["alert_id"] == alert_id  # who names an alert cannot have said it before it
        if not named and (r["event_at"] < since or (r["alert_id"] and r["status"] != "need_help")):
            continue
        at = max(r["event_at"], since)
        mine = (at, r["status"] == "need_help", r["checkin_id"], r["status"])
        best[r["person_id"]] = max(best.get(r["person_id"], mine), mine)
    return best


async def standing(w: World, alert_id: uuid.UUID) -> dict[int, tuple[Any, ...]]:
    rows = await w.sql(
        "SELECT * FROM alert_person WHERE alert_id = $1 AND status <> 'unaccounted'", alert_id
    )
    return {
        r["person_id"]: (r["event_at"], r["status"] == "need_help", r["checkin_id"], r["status"])
        for r in rows
    }


async def report_all_the_time(
    w: World, people: list[int], alerts: list[uuid.UUID], stop: asyncio.Event, seed: int
) -> int:
    """Batches of reports, some of them older than the alert, some naming it, some changed."""
    chance = random.Random(seed)
    told = 0
    while not stop.is_set():
        batch = [
            report(
                chance.choice(people),
                chance.choice(STATUSES),
                datetime.now(UTC) - timedelta(seconds=chance.choice((0, 0, 0, 1, 3600))),
                chance.choice((None, None, *alerts)),
            )
            for _ in range(40)
        ]
        outcomes = await record_batch(w.db, w.op, batch)
        assert not [o for o in outcomes if isinstance(o, Exception)]
        told += len(batch)
        await asyncio.sleep(0.005)
    return told


async def test_an_alert_to_50000_opens_under_reports_without_losing_one(database: str) -> None:
    async with world(database) as w:
        await w.people(PEOPLE)
        people = [r[0] for r in await w.sql("SELECT person_id FROM person LIMIT 3000")]
        other = await called(w)
        alert_id = await called(w)
        stop = asyncio.Event()
        writers = [
            asyncio.create_task(report_all_the_time(w, people, [other, alert_id], stop, n))
            for n in range(4)
        ]
        await asyncio.sleep(0.2)
        await w.run_jobs()
        await asyncio.sleep(0.3)
        stop.set()
        told = sum(await asyncio.gather(*writers))
        assert told > 100
        for key in (other, alert_id):
            assert await w.value("SELECT state FROM alert WHERE alert_id = $1", key) == "open"
            assert await standing(w, key) == await expected(w, key)
            assert await w.cells_agree(key)


async def test_opening_waits_for_the_batch_under_way(database: str) -> None:
    async with world(database) as w:
        person = await w.person("A1")
        alert_id = await called(w)
        assert await counted_meanwhile(w, alert_id, person) == {"safe": 1}


async def test_without_that_wait_the_answer_would_be_lost(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above bites: taking the lock away makes it fail."""
    monkeypatch.setitem(SQL.blocks, "hold_out_reports", "SELECT 1")
    async with world(database) as w:
        person = await w.person("A1")
        alert_id = await called(w)
        assert await counted_meanwhile(w, alert_id, person) == {"unaccounted": 1}


async def counted_meanwhile(w: World, alert_id: uuid.UUID, person: int) -> dict[str, int]:
    """A batch begins, the alert opens, the batch commits: how is the person counted?"""
    await opening.prepare(w.db, w.op, alert_id, None, None)
    async with w.db.transaction(w.op) as batch:
        await batch.execute("SELECT pg_advisory_xact_lock_shared(41, current_operation())")
        await batch.execute(
            "INSERT INTO checkin (operation_id, checkin_id, person_id, status, at, event_at,"
            " received_at, exercise, reporter, actor, body_hash)"
            " SELECT current_operation(), gen_random_uuid(), $1, 'safe', t, t, t, false, 'self',"
            " 'x', '' FROM clock_timestamp() t",
            person,
        )
        task = asyncio.create_task(opening.open_prepared(w.db, w.op, alert_id))
        await asyncio.wait([task], timeout=0.5)
    await task
    return await w.counts(alert_id)


async def test_a_worker_may_die_between_any_two_steps(database: str) -> None:
    async with world(database) as w:
        await w.people(50, phones=20)
        person = await w.value("SELECT min(person_id) FROM person")
        alert_id = await called(w)
        for _ in range(2):
            await opening.prepare(w.db, w.op, alert_id, None, None)
        await w.checkin(person, "away")
        for _ in range(2):
            await opening.open_prepared(w.db, w.op, alert_id)
        await opening.prepare(w.db, w.op, alert_id, None, None)
        await w.run_jobs()
        assert await w.counts(alert_id) == {"away": 1, "unaccounted": 49}
        assert await w.cells_agree(alert_id)
        assert await w.value("SELECT count(*) FROM delivery") == 20
        kinds = [r["kind"] for r in await w.sql("SELECT kind FROM event ORDER BY seq")]
        assert kinds == ["alert", "alert", "headcount", "alert", "headcount"]


async def test_two_workers_on_one_job_prepare_it_once(database: str) -> None:
    async with world(database) as w:
        await w.people(500, phones=100)
        alert_id = await called(w)
        await asyncio.gather(
            *(opening.prepare(w.db, w.op, alert_id, None, None) for _ in range(3)),
            *(opening.open_prepared(w.db, w.op, alert_id) for _ in range(3)),
        )
        await w.run_jobs()
        assert await w.value("SELECT state FROM alert") == "open"
        assert await w.value("SELECT count(*) FROM delivery") == 100
        assert await w.cells_agree(alert_id)


async def test_only_answers_to_this_world_and_this_call_count(database: str) -> None:
    async with world(database) as w:
        ids = {ref: await w.person(ref) for ref in ("old", "drill", "other", "help", "mine")}
        await w.checkin(ids["old"], ago_s=0)
        other = await called(w)
        alert_id = await called(w)
        await w.checkin(ids["old"], ago_s=3600)
        await w.checkin(ids["drill"], exercise=True)
        await w.checkin(ids["other"], alert_id=other)
        await w.checkin(ids["help"], "need_help", alert_id=other)
        await w.checkin(ids["mine"], "safe", alert_id=alert_id)
        await w.run_jobs()
        rows = await w.sql(
            "SELECT ref, status FROM alert_person JOIN person USING (person_id)"
            " WHERE alert_id = $1 AND status <> 'unaccounted'",
            alert_id,
        )
        assert {tuple(r) for r in rows} == {("help", "need_help"), ("mine", "safe")}


async def test_a_report_of_someone_merged_meanwhile_counts_for_who_she_is(database: str) -> None:
    async with world(database) as w, w.client() as api:
        person, walker = await w.person("A1"), await w.person("W1", kind="walk_in")
        alert_id = await called(w)
        await opening.prepare(w.db, w.op, alert_id, None, None)
        await w.checkin(walker, "need_help")
        merged = await api.post("/v1/people/W1/merge", json={"into": "A1"})
        assert merged.status_code == 200
        await opening.open_prepared(w.db, w.op, alert_id)
        rows = await w.sql("SELECT person_id, status FROM alert_person")
        assert [tuple(r) for r in rows] == [(person, "need_help")]
        assert await w.cells_agree(alert_id)
