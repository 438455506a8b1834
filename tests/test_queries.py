"""Every query fits the schema; the hot ones find their rows by index, also before any ANALYZE."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from server import db
from server.checkin import store
from server.checkin.rules import Answer
from tests.support.seed import Station, station

SERVER = Path(db.__file__).parent
BLOCKS = [
    pytest.param(sql, id=f"{file.parent.relative_to(SERVER)}/{name}")
    for file in sorted(SERVER.rglob("queries.sql"))
    for name, sql in db.NamedSql(file).blocks.items()
]
TEMPORARY = "CREATE TEMP TABLE"


@pytest.fixture
async def place(database: str) -> AsyncIterator[Station]:
    own = db.Database(database, 4)
    await own.open()
    yield await station(own, people=5000)
    await own.close()


async def test_every_query_fits_the_schema(database: str) -> None:
    """As the role that runs it. Queries on an import's own temporary tables need those first."""
    con = await asyncpg.connect(**db.as_app(database))
    made = [p.values[0] for p in BLOCKS if TEMPORARY in str(p.values[0])]
    wrong: list[str] = []
    async with con.transaction():
        for sql in made:
            await con.execute(str(sql))
        for block in BLOCKS:
            if block.values[0] in made or _is_utility(str(block.values[0])):
                continue
            try:
                async with con.transaction():
                    await con.prepare(str(block.values[0]))
            except asyncpg.PostgresError as error:
                wrong.append(f"{block.id}: {error}")
    await con.close()
    assert not wrong
    assert len(BLOCKS) > 50


def _is_utility(sql: str) -> bool:
    """Commands that PostgreSQL does not prepare."""
    words = "\n".join(line for line in sql.splitlines() if not line.startswith("--")).split()
    return words[0] in ("ANALYZE", "LOCK", "SET", "COPY", "TRUNCATE")


@pytest.mark.parametrize("table", ["alert_person", "cell"])
async def test_a_batch_reads_only_its_own_rows_of_a_fresh_roll_call(
    place: Station, table: str
) -> None:
    """Minutes before any autovacuum: a plan that scans the alert would read 5,000 rows."""
    alert_id = await place.open_rollcall()
    answers = [_answer(alert_id, person_id) for person_id in place.people[:10]]
    async with place.database.transaction(place.operation_id) as con:
        moves = await store.take_answers(con, answers, datetime.now(UTC))
        deltas = {(m.alert_id, m.area_id, m.agency_id, m.category, m.was): -1 for m in moves}
        await store.move_cells(con, deltas)
        row = await con.fetchrow(
            "SELECT seq_scan, idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = $1", table
        )
    assert row["seq_scan"] == 0
    assert 0 < row["idx_tup_fetch"] <= 60


def _answer(alert_id: UUID, person_id: int) -> Answer:
    now = datetime.now(UTC)
    return Answer(alert_id, person_id, "safe", now, now, uuid4(), False, 1)


async def test_a_claim_reads_the_queue_by_its_index(place: Station) -> None:
    alert_id = await place.open_rollcall()
    async with place.database.transaction(place.operation_id) as con:
        await con.execute(
            "INSERT INTO delivery (operation_id, alert_id, person_id, channel, endpoint, lane) "
            "SELECT current_operation(), $1, person_id, 'fcm', person_id::text, 2 FROM person",
            alert_id,
        )
    owner = await asyncpg.connect(place.database.dsn)
    await owner.execute("ANALYZE delivery")
    await owner.close()
    async with place.database.connection() as con, con.transaction():
        claimed = await con.fetch(
            "SELECT * FROM claim_deliveries(ARRAY['fcm'], 50, interval '30 s')"
        )
        row = await con.fetchrow(
            "SELECT seq_scan, idx_tup_fetch FROM pg_stat_xact_user_tables "
            "WHERE relname = 'delivery'"
        )
    assert len(claimed) == 50
    assert row["seq_scan"] == 0
    assert row["idx_tup_fetch"] < 500


async def test_the_ways_to_everybody_are_found_without_pairing_people_and_areas(
    place: Station,
) -> None:
    """Before any preview and on every list: pairs would be a hundred million at 100,000 people."""
    tree = (
        "WITH made AS (INSERT INTO area (operation_id, code, name, kind) "
        "SELECT current_operation(), 'T' || n, 'T', 'zone' FROM generate_series(1, 100) n "
        "RETURNING area_id) INSERT INTO tree_node (operation_id, node, label, area_id, warden_id) "
        "SELECT current_operation(), area_id, 'T', area_id, $1 + area_id FROM made"
    )
    async with place.database.transaction(place.operation_id) as con:
        await con.execute(tree, place.people[0])
        await con.execute("ANALYZE person, tree_node")
        sql = "EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM reach_of($1)"
        [plan] = msgspec.json.decode(await con.fetchval(sql, place.people))
    assert _removed(plan["Plan"]) < 10 * len(place.people)


def _removed(node: dict[str, Any]) -> float:
    """How many pairs of rows a plan made only to drop them."""
    own = node.get("Rows Removed by Join Filter", 0) * node.get("Actual Loops", 1)
    return float(own + sum(_removed(child) for child in node.get("Plans", [])))
