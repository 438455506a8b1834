"""The queue over time and over size: claims while somebody reads for long, cost per recipient."""

import statistics
import time
from uuid import uuid4

import asyncpg

from loadtests.harness import Bench, Figure
from loadtests.pushing import outbox
from server import db
from server.alerts.deliveries.claims import Claims
from server.alerts.deliveries.store import LEASE
from server.alerts.opening import open_prepared, prepare
from server.alerts.outcomes import Claimed, Told, write_outcomes
from server.alerts.sender import BATCH
from tests.support.seed import Station, station

JOBS = 800  # a round; as many a second is what promise 9 asks for
ROUNDS = 120
FIRST = 5  # until connections and plans are there
WINDOW = 50  # rounds at the start and at the end
SIZES = (1_000, 10_000, 50_000, 200_000)
PHONES = """
    WITH d AS (
      INSERT INTO device (operation_id, device_id, person_id, platform, sms_id5, sms_key)
      SELECT current_operation(), gen_random_uuid(), p.person_id, 'sim', p.ref, '' FROM person p
      RETURNING device_id)
    INSERT INTO push_address (operation_id, device_id, kind, address)
    SELECT current_operation(), device_id, 'fcm', 'sim:' || device_id FROM d
"""
CALLED = """
    WITH i AS (
      INSERT INTO incident (operation_id, incident_id, title, exercise, opened_by)
      VALUES (current_operation(), $1, 'Bench', false, 'bench') RETURNING incident_id)
    INSERT INTO alert (operation_id, alert_id, incident_id, kind, severity, mode, audience, title,
                       body, exercise, state, body_sha256, created_by, counts_from)
    SELECT current_operation(), $1, incident_id, 'rollcall', 'urgent', 'broadcast',
           '{"all": true}', 'Bench', 'Bench', false, 'preparing', '', 'bench', clock_timestamp()
    FROM i
"""


async def under_a_long_read(bench: Bench) -> list[Figure]:
    """claim_p99_flat: p99 of claims at the end, against the start, of a queue in full use."""
    times: list[float] = []
    async with outbox(bench, JOBS) as box:
        reader = await asyncpg.connect(box.database.dsn)
        claims = Claims(box.database, "fcm")
        async with reader.transaction(isolation="repeatable_read", readonly=True):
            await reader.fetchval("SELECT count(*) FROM delivery")
            for _ in range(FIRST + ROUNDS):
                await box.fill(JOBS)
                done = 0
                while done < JOBS:
                    started = time.perf_counter()
                    rows = await claims.claim(BATCH, LEASE)
                    times.append((time.perf_counter() - started) * 1000)
                    told = [_accepted(row) for row in rows]
                    await write_outcomes(box.database, box.station.operation_id, told)
                    done += len(rows)
        await claims.idle()
        await reader.close()
    each = len(times) // (FIRST + ROUNDS)
    early = times[each * FIRST : each * (FIRST + WINDOW)]
    return [Figure("claim_p99_flat", _p99(times[-each * WINDOW :]), "ms", _p99(early))]


def _p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


def _accepted(row: asyncpg.Record) -> Told:
    fields = ("operation_id", "delivery_id", "alert_id", "channel", "endpoint", "attempts")
    claim = Claimed(*(row[name] for name in fields), send_by=0.0)
    return Told(claim, "accepted", 0.0, "projects/muster-sim/messages/0:1", None)


async def over_size(bench: Bench) -> list[Figure]:
    """recipients_flat and recipients_50k_seconds: resolved, written, opened, first claimed."""
    seconds = {size: await _opened(bench, size) for size in SIZES}
    each = {size: took / size * 1e6 for size, took in seconds.items()}
    return [
        Figure("recipients_flat", each[SIZES[-1]], "us", each[SIZES[0]]),
        Figure("recipients_50k_seconds", seconds[50_000], "s"),
    ]


async def _opened(bench: Bench, people: int) -> float:
    """Seconds from the call to the first claim, for so many people with a phone each."""
    database = db.Database(await bench.database(), 8)
    await database.open()
    try:
        place: Station = await station(database, people, 24, 4)
        await database.fetch(place.operation_id, PHONES)
        con = await asyncpg.connect(database.dsn)
        await con.execute("VACUUM ANALYZE")
        await con.close()
        rounds = range(5 if people < 10_000 else 1)  # a small one is soon lost in the noise
        took = [await _once(database, place, people) for _ in rounds]
        return statistics.median(took)
    finally:
        await database.close()


async def _once(database: db.Database, place: Station, people: int) -> float:
    alert_id = uuid4()
    await database.fetch(place.operation_id, CALLED, alert_id)
    started = time.perf_counter()
    await prepare(database, place.operation_id, alert_id, None, None)
    await open_prepared(database, place.operation_id, alert_id)
    claims = Claims(database, "fcm")
    if not await claims.claim(BATCH, LEASE):
        raise AssertionError("nothing to claim")
    took = time.perf_counter() - started
    sql = "SELECT count(*) FROM delivery WHERE alert_id = $1"
    [row] = await database.fetch(place.operation_id, sql, alert_id)
    if row[0] != people:
        raise AssertionError(f"{row[0]} deliveries for {people} people")
    end = "UPDATE alert SET state = 'cancelled', closed_at = now() WHERE alert_id = $1"
    await database.fetch(place.operation_id, end, alert_id)
    await claims.idle()
    return took
