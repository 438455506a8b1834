"""Import of 100,000 good rows, from files to committed."""

import asyncio
import tempfile
import time
from pathlib import Path

from clients.simulator import station
from loadtests.harness import Bench, Figure
from server import db
from server.people import importing, operations

STAFF = 45_000  # with their families some 100,000 rows


async def measure(bench: Bench) -> list[Figure]:
    """import_100k_seconds."""
    dsn = await bench.database()
    await operations.add_operation(dsn, "BENCH", "Bench", "Africa/Nairobi", None)
    database = db.Database(dsn, 4)
    await database.open()
    with tempfile.TemporaryDirectory() as folder:
        await asyncio.to_thread(station.write_csv, Path(folder), STAFF, 1)
        started = time.perf_counter()
        report = await importing.run(
            database, "BENCH", [Path(folder)], dry_run=False, accept_partial=False
        )
        seconds = time.perf_counter() - started
    await database.close()
    if not report.accepted:
        raise AssertionError("the roster was refused")
    return [Figure("import_100k_seconds", seconds, "s")]
