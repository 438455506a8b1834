"""What a tree asks of 20,000 people costs in rows what it must, also before any ANALYZE."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import msgspec
import pytest

from server import db
from server.alerts.branch import reading as branch
from server.alerts.branch.messages import BranchQuery
from server.alerts.branch.store import SQL as BRANCH
from server.alerts.escalation.store import SQL as ESCALATION
from server.auth import Authenticator, Principal
from server.checkin.store import SQL as CHECKIN
from server.people.tree import health
from server.people.tree.store import SQL as TREE
from tests.support.postgres import TestServer
from tests.support.seed import Station, station

PEOPLE = 20_000
NODES = """
    WITH top AS (
      INSERT INTO tree_node (operation_id, node, label, warden_id)
      VALUES (current_operation(), 'TOP', 'T', $1) RETURNING node_id)
    INSERT INTO tree_node (operation_id, node, label, area_id, warden_id, parent_id)
    SELECT current_operation(), a.code, a.code, a.area_id,
           (SELECT min(person_id) FROM person p WHERE p.area_id = a.area_id), top.node_id
    FROM area a, top
"""
NAMED = """
    WITH own AS (
      INSERT INTO tree_node (operation_id, node, label, parent_id)
      SELECT current_operation(), 'N' || n, 'N', node_id
      FROM tree_node, generate_series(0, 99) n WHERE node = 'TOP'
      RETURNING node_id, node)
    INSERT INTO tree_member (operation_id, node_id, person_id)
    SELECT current_operation(), node_id, p FROM unnest($1::int[]) p
    JOIN own ON node = 'N' || p % 100
"""
READ = """
    SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::int FROM pg_stat_xact_user_tables
    WHERE relname IN ('person', 'tree_member', 'presence')
"""


async def seeded(dsn: str) -> Station:
    own = db.Database(dsn, 4)
    await own.open()
    place = await station(own, people=PEOPLE, areas=200, agencies=8)
    async with own.transaction(place.operation_id) as con:
        await con.execute(NODES, place.people[0])
    await own.close()
    return place


@pytest.fixture(scope="module")
def made(postgres: TestServer) -> Iterator[Station]:
    dsn = postgres.fresh()
    yield asyncio.run(seeded(dsn))
    postgres.drop(dsn)


@pytest.fixture
async def large(made: Station) -> AsyncIterator[Station]:
    own = db.Database(made.database.dsn, 4)
    await own.open()
    yield Station(made.operation_id, made.people, own)
    await own.close()


async def explained(con: Any, sql: str, *args: Any) -> dict[str, Any]:
    """The plan of a statement as it ran."""
    [plan] = msgspec.json.decode(
        await con.fetchval(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}", *args)
    )
    return dict(plan["Plan"])


def handled(node: dict[str, Any], but: str = "") -> float:
    """How many rows a plan touched, those it dropped included, and those of one table left out."""
    if but and node.get("Relation Name") == but:
        return 0.0
    loops = node.get("Actual Loops", 1)
    dropped = node.get("Rows Removed by Join Filter", 0) + node.get("Rows Removed by Filter", 0)
    own = (node["Actual Rows"] + dropped) * loops
    return float(own + sum(handled(child, but) for child in node.get("Plans", [])))


@pytest.mark.parametrize("learned", [False, True])
async def test_everybodys_node_is_found_without_pairing_people_and_nodes(
    large: Station, learned: bool
) -> None:
    async with large.database.transaction(large.operation_id) as con:
        if learned:
            await con.execute("ANALYZE person, tree_node, area")
        plan = await explained(con, TREE.people)
    assert handled(plan) < 60 * PEOPLE  # pairs would be 4,000,000


async def test_the_health_of_a_tree_reads_each_table_a_few_times(large: Station) -> None:
    async with large.database.transaction(large.operation_id) as con:
        await health.check(con)
        rows = await con.fetch(
            "SELECT relname, seq_scan, idx_scan, seq_tup_read + idx_tup_fetch AS read"
            " FROM pg_stat_xact_user_tables WHERE relname IN ('person', 'tree_node', 'device')"
        )
    read = {r["relname"]: r["read"] or 0 for r in rows}
    assert read["person"] < 12 * PEOPLE
    assert read["tree_node"] < 12 * PEOPLE


async def test_a_branch_of_everybody_finds_answers_by_key(large: Station) -> None:
    """In the first minute of a roll call, whose rows no statistics know."""
    alert_id = await large.open_rollcall()
    async with large.database.transaction(large.operation_id) as con:
        page = (large.people, [alert_id], [], None, None, None, 2001)
        rows = await con.fetch(BRANCH.people, *page)
        await con.fetch(BRANCH.alerts, large.people)
        await con.fetch(BRANCH.standing, [alert_id], large.people[:2000])
        read = await con.fetchrow(
            "SELECT seq_scan, idx_tup_fetch FROM pg_stat_xact_user_tables"
            " WHERE relname = 'alert_person'"
        )
    assert len(rows) == 2001
    assert read["seq_scan"] == 0
    assert read["idx_tup_fetch"] <= 3 * PEOPLE


async def test_a_page_of_a_large_branch_reads_details_of_its_own_people_only(
    large: Station,
) -> None:
    await large.open_rollcall()
    who = Principal("session", large.operation_id, "warden", b"", person_id=large.people[0])
    scope = await Authenticator(large.database).scope(who)
    assert len(scope.people or ()) == PEOPLE
    found = await branch.branch(large.database, who, scope, BranchQuery(limit=50), [])
    assert (len(found.items), found.population) == (50, PEOPLE)
    ids = large.people[:50]
    async with large.database.transaction(large.operation_id) as con:
        for sql, more in ((BRANCH.phones, ()), (BRANCH.known, ([],))):
            assert handled(await explained(con, sql, ids, *more), but="area") < PEOPLE / 2


async def test_those_expected_elsewhere_are_found_by_their_own_index(large: Station) -> None:
    alert_id = await large.open_rollcall()
    async with large.database.transaction(large.operation_id) as con:
        await con.execute(
            "UPDATE alert_person SET expected = 'elsewhere' WHERE alert_id = $1 AND person_id = ANY"
            " ($2)",
            alert_id,
            large.people[:20],
        )
        await con.execute("ANALYZE alert_person")
        plan = await explained(con, CHECKIN.elsewhere, alert_id, None, None)
    assert handled(plan) < 200


async def test_a_look_at_a_cascade_reads_the_asked_leaders_by_key(large: Station) -> None:
    """Each second of a cascade: all nodes asked, of an alert whose rows no statistics know."""
    alert_id = await large.open_rollcall()
    nodes = 201
    async with large.database.transaction(large.operation_id) as con:
        await con.execute(
            "INSERT INTO alert_node (operation_id, alert_id, node_id, node, label, warden_id,"
            " people, state, asked_at, charge) SELECT operation_id, $1, node_id, node, label,"
            " warden_id, 1, 'asked', now(), 0 FROM tree_node",
            alert_id,
        )
        found = await con.fetchrow(ESCALATION.look, alert_id)
        read = await con.fetchrow(
            "SELECT seq_scan, idx_tup_fetch FROM pg_stat_xact_user_tables"
            " WHERE relname = 'alert_person'"
        )
    assert (found["begun"], found["asked"], found["answered"]) == (True, True, [])
    assert read["seq_scan"] == 0
    assert 0 < read["idx_tup_fetch"] <= 2 * nodes


@pytest.mark.parametrize("learned", [False, True])
async def test_a_persons_leaders_are_found_by_key_and_are_the_same(
    large: Station, learned: bool
) -> None:
    """A call for help waits for this. Half of the people are named in nodes."""
    con = await asyncpg.connect(**db.as_app(large.database.dsn))
    try:
        await con.execute(f"BEGIN; SET LOCAL muster.operation = {large.operation_id}")
        await con.execute(NAMED, large.people[1::2])
        if learned:
            await con.execute("SET ROLE NONE; ANALYZE tree_member; SET ROLE muster_app")
        all_of_them = dict(await con.fetch("SELECT * FROM node_of_people($1)", large.people))
        for n in (0, 1, 2, 777, 778, PEOPLE - 1):
            before = await con.fetchval(READ)
            found = await con.fetch("SELECT * FROM node_of_people($1)", [large.people[n]])
            assert await con.fetchval(READ) - before < PEOPLE / 20
            assert [tuple(r) for r in found] == [(large.people[n], all_of_them[large.people[n]])]
    finally:
        await con.close()
