"""Promise 8: overdue alarms survive clock faults.

Each deadline fires once, by the database's clock: whatever the worker's own clock shows or however
it jumps, after a pause and after a kill, with two workers at it, over the nights on which clocks
are changed. What holds it is taken away at the end, and then it fails.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from server import db
from server.checkin.watches import looker
from server.checkin.watches.looker import expand, look
from server.checkin.watches.store import SQL
from tests.support.live import PUSH_KEY, ROOT
from tests.support.seed import Station, station

MANY = 10_000
# A whole worker process, whose own clock shows as many seconds more as a file says at that moment.
WORKER = """
import datetime, os, sys, time
real, said = time.time, sys.argv[2]
def shift():
    with open(said) as file:
        return float(file.read() or 0)
time.time = lambda: real() + shift()
time.time_ns = lambda: int(time.time() * 1e9)
import server.clock
server.clock.now = lambda: datetime.datetime.fromtimestamp(time.time(), datetime.UTC)
import uvloop
from server.config import Settings
from server.worker import run_worker
print("clock", round(time.time() - real()), flush=True)
uvloop.run(run_worker(Settings(), sys.argv[1]))
"""
INSERT = """
    INSERT INTO watch (operation_id, watch_id, kind, person_id, counts_from, due_at, grace_s,
                       turn_at, said_at, created_by)
    SELECT current_operation(), gen_random_uuid(), 'journey', $4, clock_timestamp(), t.due, $3::int,
           t.due + $3::int * interval '1 second', clock_timestamp(), 'test'
    FROM (SELECT clock_timestamp() + $2::float8 * interval '1 second' AS due
          FROM generate_series(1, $1::int)) t
    RETURNING watch_id
"""
ALL_ONCE = """
    SELECT count(*)::int AS facts, count(DISTINCT f.watch_id)::int AS watches,
           (SELECT count(*) FROM watch WHERE state = 'overdue')::int AS overdue,
           min(extract(epoch FROM f.at - f.due_at))::float8 AS earliest_s,
           max(extract(epoch FROM f.at - f.due_at))::float8 AS latest_s
    FROM watch_fact f WHERE f.what = 'overdue'
"""


class Place:
    """An operation whose watches wait for workers, and the workers."""

    def __init__(self, here: Station, clock: Path) -> None:
        self.here, self.clock = here, clock
        self.workers: list[subprocess.Popen[str]] = []

    async def sql(self, text: str, *args: Any) -> list[Any]:
        return await self.here.database.fetch(self.here.operation_id, text, *args)

    async def watches(self, many: int, due_s: float, grace_s: int = 0) -> list[Any]:
        """So many watches, all due in the same instant."""
        rows = await self.sql(INSERT, many, due_s, grace_s, self.here.people[0])
        return [r[0] for r in rows]

    async def worker(self) -> subprocess.Popen[str]:
        """A worker process, at work."""
        env = {**os.environ, "MUSTER_SECRET_KEY": "test", "MUSTER_VAPID_PRIVATE_KEY": PUSH_KEY,
               "MUSTER_DATABASE_URL": self.here.database.dsn}  # fmt: skip
        command = [sys.executable, "-c", WORKER, self.here.database.dsn, str(self.clock)]
        made = await asyncio.to_thread(
            subprocess.Popen, command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True
        )
        self.workers.append(made)
        assert made.stdout
        line = await asyncio.to_thread(made.stdout.readline)
        assert line.split() == ["clock", str(round(float(self.clock.read_text())))], line
        return made

    async def overdue(self, least: int, within_s: float = 90) -> dict[str, Any]:
        """How the fired stand, once so many have."""
        async with asyncio.timeout(within_s):
            while True:
                [row] = await self.sql(ALL_ONCE)
                if row["overdue"] >= least:
                    return dict(row)
                await asyncio.sleep(0.1)

    async def each_once(self, watches: int) -> None:
        """So many have fired, each once, none before its time."""
        found = await self.overdue(watches)
        print({k: found[k] for k in ("earliest_s", "latest_s")})
        assert (found["facts"], found["watches"], found["overdue"]) == (watches,) * 3
        assert found["earliest_s"] >= 0
        doubled = "SELECT FROM event WHERE kind = 'watch' GROUP BY data HAVING count(*) > 1"
        assert not await self.sql(doubled)


@asynccontextmanager
async def place(dsn: str, folder: Path) -> AsyncIterator[Place]:
    own = db.Database(dsn, 6)
    await own.open()
    clock = folder / "clock"
    clock.write_text("0")
    made = Place(await station(own, 20), clock)
    try:
        yield made
    finally:
        for worker in made.workers:
            worker.kill()
            worker.communicate(timeout=10)
        await own.close()


@pytest.mark.parametrize("shift", [3600, -3600])
async def test_a_worker_whose_clock_is_an_hour_off_fires_on_time(
    database: str, tmp_path: Path, shift: int
) -> None:
    async with place(database, tmp_path) as own:
        own.clock.write_text(str(shift))
        await own.worker()
        await own.watches(3, due_s=1)
        await own.watches(2, due_s=1800)  # over already, by a clock that is an hour fast
        await own.each_once(3)


async def test_a_clock_that_jumps_fires_nothing_twice_and_nothing_early(
    database: str, tmp_path: Path
) -> None:
    async with place(database, tmp_path) as own:
        await own.worker()
        await own.watches(2, due_s=1800)
        for n, shift in enumerate((3600, 0, -3600, 86_400, 0), 1):
            await own.watches(2, due_s=0.5)
            own.clock.write_text(str(shift))
            await own.each_once(2 * n)


async def test_what_fell_due_in_a_pause_fires_once_at_the_resume(
    database: str, tmp_path: Path
) -> None:
    async with place(database, tmp_path) as own:
        worker = await own.worker()
        await own.watches(1, due_s=0)
        await own.each_once(1)
        os.kill(worker.pid, signal.SIGSTOP)
        await own.watches(5, due_s=-600)  # what ten minutes of pause leave
        await own.watches(5, due_s=1)
        await own.sql("SELECT pg_sleep(1.5)")
        assert (await own.overdue(1))["overdue"] == 1, "nobody is there to look"
        os.kill(worker.pid, signal.SIGCONT)
        await own.each_once(11)
        steps = {r[0] for r in await own.sql("SELECT step FROM watch")}
        assert steps == {1}, "the next step is five minutes after it was told, not after it was due"


async def test_ten_thousand_due_in_one_second_fire_once_each_with_two_workers_one_killed(
    database: str, tmp_path: Path
) -> None:
    async with place(database, tmp_path) as own:
        first, _ = await own.worker(), await own.worker()
        await own.watches(MANY, due_s=1)
        await own.overdue(500)
        first.kill()
        await own.worker()
        await own.each_once(MANY)


OFFER = """
    INSERT INTO watch_hand_over (operation_id, hand_over_id, watch_id, to_area_id, expect_by,
                                 turn_at, body_sha256, created_by)
    SELECT current_operation(), gen_random_uuid(), w.watch_id, (SELECT min(area_id) FROM area),
           t.at, t.at, '', 'test'
    FROM watch w, (SELECT clock_timestamp() + $1::float8 * interval '1 second' AS at) t
    WHERE NOT EXISTS (SELECT FROM watch_hand_over h WHERE h.watch_id = w.watch_id)
"""
UNHEARD = """
    SELECT count(*)::int AS facts, count(DISTINCT hand_over_id)::int AS offers,
           min(extract(epoch FROM at - due_at))::float8 AS earliest_s
    FROM watch_fact WHERE what = 'unheard'
"""


async def test_convoys_nobody_has_heard_alarm_once_each_whatever_two_workers_clocks_show(
    database: str, tmp_path: Path
) -> None:
    async with place(database, tmp_path) as own:
        await own.watches(300, due_s=86_400)
        await own.sql(OFFER, 1.0)
        await own.watches(5, due_s=86_400)
        await own.sql(OFFER, 1800.0)  # over already, by a clock that is an hour fast
        own.clock.write_text("3600")
        first, _ = await own.worker(), await own.worker()
        async with asyncio.timeout(90):
            while True:
                [row] = await own.sql(UNHEARD)
                if row["facts"] >= 300:
                    break
                await asyncio.sleep(0.1)
        first.kill()
        await own.sql("SELECT pg_sleep(1)")
        [row] = await own.sql(UNHEARD)
        assert (row["facts"], row["offers"]) == (300, 300)
        assert row["earliest_s"] >= 0
        assert await own.sql("SELECT FROM watch WHERE room_id IS NOT NULL") == []


async def test_what_one_worker_holds_the_other_passes_over(database: str, tmp_path: Path) -> None:
    async with place(database, tmp_path) as own:
        here, held = own.here, own.here.database
        await own.watches(10, due_s=0)
        async with held.transaction(here.operation_id) as con:
            assert len(await con.fetch(SQL.claim, 6)) == 6
            assert await look(held, here.operation_id) == 4
            await con.execute("ROLLBACK")  # as the server does when a worker has died
        assert await look(held, here.operation_id) == 6
        await own.each_once(10)


NIGHTS = [  # zone, the moment it is, wall time, the deadline
    ("Europe/Berlin", "2026-03-29T00:10Z", "02:30", "2026-03-29T01:00Z"),
    ("Europe/Berlin", "2026-10-25T00:10Z", "02:30", "2026-10-25T00:30Z"),
    ("America/New_York", "2026-03-08T06:10Z", "02:30", "2026-03-08T07:00Z"),
    ("America/New_York", "2026-11-01T05:10Z", "01:30", "2026-11-01T05:30Z"),
    ("Africa/Cairo", "2026-04-23T21:30Z", "00:30", "2026-04-23T22:00Z"),
    ("Africa/Cairo", "2026-10-29T20:10Z", "23:30", "2026-10-29T20:30Z"),
    ("Africa/Nairobi", "2026-03-29T00:10Z", "04:30", "2026-03-29T01:30Z"),
]
CURFEW = """
    INSERT INTO curfew (operation_id, curfew_id, area_id, wall, weekdays, window_s, grace_s,
                        last_day, body_sha256, created_by)
    SELECT current_operation(), gen_random_uuid(), min(area_id), $1::text::time, '{1,2,3,4,5,6,7}',
           3600, 0, $2::text::date - 2, '', 'test' FROM area
"""


@pytest.mark.parametrize(("zone", "now", "wall", "due"), NIGHTS)
async def test_a_curfew_comes_once_on_the_nights_that_clocks_are_changed(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    zone: str, now: str, wall: str, due: str,
) -> None:  # fmt: skip
    """The database says when it is; each look of that night is a minute later."""
    async with place(database, tmp_path) as own:
        await own.sql("UPDATE operation SET timezone = $1", zone)
        day = "SELECT ($1::text::timestamptz AT TIME ZONE $2)::date::text"
        [today] = await own.sql(day, due, zone)
        await own.sql(CURFEW, wall, today[0])
        await own.sql("UPDATE curfew SET last_day = $1::text::date - 1", today[0])
        for minute in range(0, 180, 20):
            at = f"SELECT timestamptz '{now}' + interval '{minute} minutes'"
            monkeypatch.setitem(SQL.blocks, "clock", at)
            await expand(own.here.database, own.here.operation_id)
        rows = await own.sql("SELECT DISTINCT due_at = $1::text::timestamptz FROM watch", due)
        assert [r[0] for r in rows] == [True]
        [people] = await own.sql("SELECT count(*), count(DISTINCT person_id) FROM watch")
        assert people[0] == people[1] > 0


async def test_without_the_locks_and_the_index_some_would_fire_twice(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mechanism taken away: what one worker holds, the other takes too."""
    unheld = SQL.claim.replace("FOR UPDATE SKIP LOCKED", "")
    assert unheld != SQL.claim
    con = await asyncpg.connect(database)
    await con.execute("DROP INDEX watch_fact_once")
    await con.close()
    both_have_looked = asyncio.Barrier(2)
    leaders = looker._leaders

    async def slowly(*args: Any) -> Any:
        await both_have_looked.wait()
        return await leaders(*args)

    async with place(database, tmp_path) as own:
        await own.watches(10, due_s=0)
        monkeypatch.setitem(SQL.blocks, "claim", unheld)
        monkeypatch.setattr(looker, "_leaders", slowly)
        args = (own.here.database, own.here.operation_id)
        await asyncio.gather(look(*args), look(*args))
        with pytest.raises(AssertionError):
            await own.each_once(10)
