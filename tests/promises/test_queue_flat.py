"""Promise 9: the queue stays flat, however long somebody reads an old state of the database.

What decides is how many pages a claim touches, not how long it takes. The figure in time is a
row of the bench.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from server import db
from server.alerts.deliveries import claims
from server.alerts.deliveries.claims import Claims
from server.alerts.deliveries.floors import Floors
from server.alerts.deliveries.store import LEASE
from server.alerts.outcomes import Claimed, Told, write_outcomes
from tests.promises.places import LONG
from tests.support.seed import Station, station

BATCH = 400
ROUNDS = 3_600 if LONG else 40  # long: 1.4 million, as 800/s for half an hour
QUEUE = """
    INSERT INTO delivery (operation_id, delivery_id, alert_id, person_id, channel, endpoint, round,
                          lane)
    SELECT current_operation(), uuidv7(), $1, n, 'fcm', gen_random_uuid()::text, $2, 2
    FROM generate_series(1, $3::int) n
"""
CLAIM = """
    EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)
    SELECT * FROM claim_deliveries(ARRAY['fcm'], $1, interval '30 s', $2::text::jsonb)
"""
LEFT = "SELECT count(*) FROM delivery WHERE live"


@pytest.fixture
async def place(database: str) -> AsyncIterator[Station]:
    own = db.Database(database, 8)
    await own.open()
    yield await station(own, people=50)
    await own.close()


async def queue(place: Station, alert_id: UUID, count: int, number: int = 0) -> None:
    async with place.database.transaction(place.operation_id) as con:
        await con.execute(QUEUE, alert_id, number % 30_000, count)


async def settle(place: Station, rows: list[Any]) -> None:
    """The provider took them all."""
    told = [
        Told(
            Claimed(
                r["operation_id"], r["delivery_id"], r["alert_id"], r["channel"], r["endpoint"],
                r["attempts"], 0.0,
            ),
            "accepted", 0.0, "sim", None,
        )
        for r in rows
    ]  # fmt: skip
    await write_outcomes(place.database, place.operation_id, told)


async def pages(place: Station, floors: str, most: int = 1) -> int:
    """How many pages a claim from these floors touches. It is taken back."""
    async with place.database.connection() as con:
        await con.execute("BEGIN")
        [plan] = json.loads(await con.fetchval(CLAIM, most, floors))
        await con.execute("ROLLBACK")
    return int(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"])


@asynccontextmanager
async def a_long_read(dsn: str) -> AsyncIterator[None]:
    """Somebody counts, in one snapshot, and takes her time."""
    con = await asyncpg.connect(dsn)
    async with con.transaction(isolation="repeatable_read", readonly=True):
        await con.fetchval("SELECT count(*) FROM delivery")
        yield
    await con.close()


async def pump(place: Station, alert_id: UUID, own: Claims, rounds: int, first: int = 0) -> None:
    """Queues, claims and finishes, batch after batch."""
    for n in range(first, first + rounds):
        await queue(place, alert_id, BATCH, n)
        rows = await own.claim(BATCH, LEASE)
        assert len(rows) == BATCH
        await settle(place, rows)


async def test_a_claim_reads_no_more_after_many_than_after_few(place: Station) -> None:
    alert_id = await place.open_rollcall()
    own = Claims(place.database, "fcm")
    async with a_long_read(place.database.dsn):
        await pump(place, alert_id, own, 10)
        early = await pages(place, own.floors.argument())
        await pump(place, alert_id, own, ROUNDS, 10)
        late = await pages(place, own.floors.argument())
        from_the_start = await pages(place, "{}")
        await own.idle()
    print(f"pages a claim touches: {early} early, {late} late, {from_the_start} without floors")
    assert from_the_start > BATCH * ROUNDS / 30, "the read keeps in the way what is done"
    assert late < 200, "twenty rows on a page, and no more than some thousand to pass over"
    assert await _value(place, LEFT) == 0


async def _value(place: Station, sql: str) -> Any:
    [row] = await place.database.fetch(place.operation_id, sql)
    return row[0]


async def test_a_claim_touches_no_index(place: Station) -> None:
    """An index that names what a claim changes would cost every claim an entry in each."""
    await queue(place, await place.open_rollcall(), 100)
    async with place.database.connection() as con:
        await con.execute("BEGIN")
        await con.fetch("SELECT * FROM claim_deliveries(ARRAY['fcm'], 100, interval '30 s')")
        row = await con.fetchrow(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables"
            " WHERE relname = 'delivery'"
        )
        await con.execute("ROLLBACK")
    assert row["n_tup_upd"] == 100
    assert row["n_tup_hot_upd"] >= 90, "but where a page was full"


async def test_what_a_slow_writer_queued_long_ago_is_claimed_at_once(place: Station) -> None:
    """It was due before the floors of today; they did not rise past a writer under way."""
    alert_id = await place.open_rollcall()
    own = Claims(place.database, "fcm")
    async with place.database.transaction(place.operation_id) as slow:
        await slow.execute(QUEUE, alert_id, 29_999, 7)
        for n in range(4):
            await pump(place, alert_id, own, 3, 3 * n)
            await asyncio.sleep(claims.LEARN_EVERY_S)
    assert len(await own.claim(BATCH, LEASE)) == 7
    await own.idle()


async def test_what_the_newest_writer_of_all_has_queued_is_claimed_at_once(
    place: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody wrote after it: a snapshot's end does not count it among those under way."""
    monkeypatch.setattr(claims, "IDLE_S", 0.0)
    alert_id = await place.open_rollcall()
    own = Claims(place.database, "fcm")
    await pump(place, alert_id, own, 1)
    for n in range(10, 15):
        async with place.database.transaction(place.operation_id) as con:
            await con.execute(QUEUE, alert_id, n, 3)
            for _ in range(3):
                assert await own.claim(BATCH, LEASE) == []
        assert len(await own.claim(BATCH, LEASE)) == 3
    await own.idle()


async def test_with_floors_that_trust_the_clock_it_would_be_passed_over(
    place: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mechanism taken away: a floor rises to the time of the look, whoever is writing."""
    learn = Floors.learn

    def trusting(self: Floors, seen: Any, lows: Any) -> None:
        learn(self, type(seen)(seen.began, seen.next, seen.next), lows)

    monkeypatch.setattr(Floors, "learn", trusting)
    alert_id = await place.open_rollcall()
    own = Claims(place.database, "fcm")
    async with place.database.transaction(place.operation_id) as slow:
        await slow.execute(QUEUE, alert_id, 29_999, 7)
        for n in range(4):
            await pump(place, alert_id, own, 3, 3 * n)
            await asyncio.sleep(claims.LEARN_EVERY_S)
    assert await own.claim(BATCH, LEASE) == []
    await own.idle()


async def test_what_another_worker_gave_back_or_left_behind_is_claimed(place: Station) -> None:
    """A claim that was rolled back, and one whose worker died, are below no floor."""
    alert_id = await place.open_rollcall()
    own = Claims(place.database, "fcm")
    await queue(place, alert_id, 5, 29_999)
    async with place.database.connection() as other:
        await other.execute("BEGIN")
        args = (["fcm"], 5, LEASE, "{}")
        taken = await other.fetch(
            "SELECT * FROM claim_deliveries($1, $2, $3, $4::text::jsonb)", *args
        )
        assert len(taken) == 5
        await pump(place, alert_id, own, 3)
        await asyncio.sleep(claims.LEARN_EVERY_S)
        await pump(place, alert_id, own, 3, 3)
        await other.execute("ROLLBACK")
    assert len(await own.claim(5, LEASE)) == 5
    await pump(place, alert_id, own, 3, 6)
    await asyncio.sleep(claims.LEARN_EVERY_S)
    assert await own.claim(5, LEASE) == [], "not before the lease is over"
    assert len(await own.claim(5, timedelta(0))) == 5
    await own.idle()


async def test_what_was_written_against_the_rules_is_found_by_the_next_full_look(
    place: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert_id = await place.open_rollcall()
    own = Claims(place.database, "fcm")
    await pump(place, alert_id, own, 3)
    await asyncio.sleep(claims.LEARN_EVERY_S)
    await own.claim(1, LEASE)
    await queue(place, alert_id, 3, 29_999)
    owner = await asyncpg.connect(place.database.dsn)
    past = datetime.now(UTC) - timedelta(days=1)
    await owner.execute("UPDATE delivery SET due_at = $1 WHERE live", past)
    await owner.close()
    assert await own.claim(BATCH, LEASE) == []
    monkeypatch.setattr(time, "monotonic", lambda: 1e12)
    await own.claim(BATCH, LEASE)  # its look is due
    await own.idle()
    assert len(await own.claim(BATCH, LEASE)) == 3


async def test_alerts_of_one_id_in_two_operations_have_each_a_queue_of_their_own(
    place: Station,
) -> None:
    """Ids are made by clients. Of the one that is open all goes out, of the other nothing."""
    alert_id = await place.open_rollcall()
    other = await station(place.database, people=5, code="TWO")
    await other.open_rollcall(state="preparing", alert_id=alert_id)
    await queue(place, alert_id, 3)
    await queue(other, alert_id, 5)
    own = Claims(place.database, "fcm")
    rows = await own.claim(BATCH, LEASE)
    assert [r["operation_id"] for r in rows] == [place.operation_id] * 3
    await settle(place, rows)
    async with place.database.connection() as con:
        lows = await con.fetch("SELECT * FROM delivery_lows(ARRAY['fcm'])")
    named = [(r["alert"], r["low"]) for r in lows]
    assert named == [(f"{place.operation_id}/{alert_id}", None), ("", None)]
    await _opened(other)
    assert len(await own.claim(BATCH, LEASE)) == 5, "no floor of the one is the other's"
    await own.idle()


async def _opened(place: Station) -> None:
    async with place.database.transaction(place.operation_id) as con:
        await con.execute("UPDATE alert SET state = 'open'")


async def test_an_alert_that_is_not_open_yet_is_in_nobodys_way(place: Station) -> None:
    """50,000 of one that is still being prepared, and 100 that may go."""
    urgent, waiting = await place.open_rollcall(), await place.open_rollcall()
    owner = await asyncpg.connect(place.database.dsn)
    await owner.execute("UPDATE alert SET state = 'preparing' WHERE alert_id = $1", waiting)
    await queue(place, waiting, 50_000)
    await queue(place, urgent, 100)
    own = Claims(place.database, "fcm")
    assert len(await own.claim(1, LEASE)) == 1
    assert await pages(place, own.floors.argument(), 100) < 2_500, "50,000 rows are 3,300 pages"
    await owner.execute("UPDATE alert SET state = 'open' WHERE alert_id = $1", waiting)
    await owner.close()
    claimed = [r["alert_id"] for r in await own.claim(500, LEASE)]
    assert claimed.count(urgent) == 99
    assert claimed.count(waiting) == 401, "at once when it opens"


async def test_what_is_too_late_is_stopped_by_the_claim_that_meets_it(place: Station) -> None:
    sql = (
        "INSERT INTO delivery (operation_id, channel, endpoint, lane, purpose, line, expires_at,"
        " state, attempted_at, attempts, error)"
        " VALUES (current_operation(), 'fcm', $1, 1, 'reply', 'x',"
        " now() + $2::float8 * interval '1 s', $3, now() - interval '1 hour', 1, $4)"
    )
    rows = [
        ("late", -1.0, "queued", None),
        ("silent", -1.0, "queued", "unknown: no answer"),
        ("left", -1.0, "sending", None),
        ("timely", 60.0, "queued", None),
    ]
    for row in rows:
        await place.database.fetch(place.operation_id, sql, *row)
    own = Claims(place.database, "fcm")
    assert [r["endpoint"] for r in await own.claim(10, LEASE)] == ["timely"]
    found = await place.database.fetch(
        place.operation_id, "SELECT endpoint, state FROM delivery WHERE finished_at IS NOT NULL"
    )
    assert {(r["endpoint"], r["state"]) for r in found} == {
        ("late", "stopped"), ("silent", "unknown"), ("left", "unknown"),
    }  # fmt: skip
