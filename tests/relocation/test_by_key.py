"""A batch of reports reads only its own rows, whatever the statistics know of a movement."""

from datetime import UTC, datetime
from uuid import uuid4

import asyncpg

from server.relocation import store
from server.relocation.actions import record
from server.relocation.plan.known import Plan
from server.relocation.store import Report
from tests.relocation.moving import Moving, moving

TABLES = ["movement_person", "movement_cell", "movement_count"]
READ = """
    SELECT relname, seq_scan, idx_tup_fetch FROM pg_stat_xact_user_tables
    WHERE relname = ANY ($1::text[])
"""
LISTED = "SELECT person_id FROM movement_person ORDER BY person_id LIMIT 10"
MOST = 60  # rows of a table that ten reports may read


def report(own: Moving, person_id: int, stage: str, vehicle: int | None) -> Report:
    now = datetime.now(UTC)
    who = (own.movement, person_id, "P1")
    return Report(
        uuid4(), *who, stage, vehicle, None, None, now, now, "device:1", "self", "app", b""
    )


async def batch(
    own: Moving, people: list[int], stage: str, vehicle: int | None
) -> dict[str, tuple[int, int]]:
    """People report; sequential scans, and rows read, of each table."""
    async with own.db.transaction(own.operation_id) as con:
        before = {r[0]: (r[1], r[2]) for r in await con.fetch(READ, TABLES)}
        begun = await store.begin_reports(con, [own.movement])
        reports = [report(own, n, stage, vehicle) for n in people]
        for outcome in await record(con, Plan(), own.operation_id, reports, *begun):
            assert not isinstance(outcome, Exception)
        after = await con.fetch(READ, TABLES)
    return {r[0]: (r[1] - before[r[0]][0], r[2] - before[r[0]][1]) for r in after}


async def test_a_batch_reads_only_its_own_rows(database: str) -> None:
    """The tables were looked at while empty: a plan made by their size reads them whole."""
    owner = await asyncpg.connect(database)
    await owner.execute("VACUUM ANALYZE")
    await owner.close()
    async with moving(database, people=400) as own:
        listed = [r[0] for r in await own.sql(LISTED)]
        for stage, vehicle in (("ready", None), ("boarded", 1), ("arrived", 1)):
            for table, (scans, rows) in (await batch(own, listed, stage, vehicle)).items():
                assert scans == 0, f"{table} was read whole"
                assert rows <= MOST, f"{table}: {rows} rows read"
