"""Watches that fall due in one instant, fired by two worker processes."""

import asyncio
import os
import sys

from loadtests.harness import Bench, Figure
from server import db
from tests.support.live import PUSH_KEY, ROOT
from tests.support.seed import station

WATCHES = 10_000
WORKERS = 2
READY_S = 3.0  # everything is on record by then
LONGEST_S = 120.0
WORK = """
import sys, uvloop
from server.config import Settings
from server.worker import run_worker
uvloop.run(run_worker(Settings(), sys.argv[1]))
"""
INSERT = """
    INSERT INTO watch (operation_id, watch_id, kind, person_id, counts_from, due_at, grace_s,
                       turn_at, said_at, created_by)
    SELECT current_operation(), gen_random_uuid(), 'journey', p.person_id, clock_timestamp(),
           clock_timestamp() + interval '1 day', 0, clock_timestamp() + interval '1 day',
           clock_timestamp(), 'bench'
    FROM person p ORDER BY p.person_id LIMIT $1
"""
DUE = """
    UPDATE watch SET due_at = t.at, turn_at = t.at
    FROM (SELECT clock_timestamp() + $1::float8 * interval '1 second' AS at) t
"""
FIRED = """
    SELECT count(*)::int AS fired, count(DISTINCT watch_id)::int AS watches,
           max(extract(epoch FROM at - due_at))::float8 AS seconds
    FROM watch_fact WHERE what = 'overdue'
"""

AT_WORK = "SELECT count(*)::int FROM worker_beat"


async def measure(bench: Bench) -> list[Figure]:
    """watches_10k_seconds: from the instant in which 10,000 fall due until the last has fired."""
    database = db.Database(await bench.database(), 4)
    await database.open()
    workers = [await _worker(database.dsn) for _ in range(WORKERS)]
    try:
        here = await station(database, WATCHES)
        await database.fetch(here.operation_id, INSERT, WATCHES)
        async with asyncio.timeout(LONGEST_S):
            beats = 0
            while beats < WORKERS:
                await asyncio.sleep(0.25)
                [[beats]] = await database.fetch(here.operation_id, AT_WORK)
            await database.fetch(here.operation_id, DUE, READY_S)
            fired = 0
            while fired < WATCHES:
                await asyncio.sleep(0.25)
                [row] = await database.fetch(here.operation_id, FIRED)
                fired = row["fired"]
    finally:
        ended = [w.returncode for w in workers]
        for worker in workers:
            if worker.returncode is None:
                worker.terminate()
        await asyncio.gather(*(w.wait() for w in workers))
        await database.close()
    if any(status is not None for status in ended):
        raise AssertionError(f"a worker had ended: {ended}")
    if (fired, row["watches"]) != (WATCHES, WATCHES):
        raise AssertionError(f"{fired} fired of {row['watches']} watches")
    return [Figure("watches_10k_seconds", row["seconds"], "s")]


async def _worker(dsn: str) -> asyncio.subprocess.Process:
    """A whole worker process; it keeps nothing on disk beside the database."""
    env = {**os.environ, "MUSTER_SECRET_KEY": "bench", "MUSTER_VAPID_PRIVATE_KEY": PUSH_KEY}
    quiet = asyncio.subprocess.DEVNULL
    args = (sys.executable, "-c", WORK, dsn)
    return await asyncio.create_subprocess_exec(*args, cwd=ROOT, env=env, stdout=quiet)
