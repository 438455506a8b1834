"""Who is near is found among 100,000 positions by index, and only the nearest are looked up; so are
the ways of a few."""

import asyncio
import math
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server import db
from server.alerts.panics import rules
from server.alerts.panics.store import SQL
from tests.support.postgres import TestServer
from tests.support.seed import Station, station
from tests.test_queries_trees import explained

PEOPLE = 100_000
CITY = (-1.28641, 36.81727)
# One in ten in the city, the others all over a country.
_PLACED = """
    INSERT INTO position (operation_id, person_id, lat, lon, event_at, purpose)
    SELECT current_operation(), p,
           CASE WHEN n % 10 = 0 THEN $2 + (random() - 0.5) / 10 ELSE -5 + random() * 10 END,
           CASE WHEN n % 10 = 0 THEN $3 + (random() - 0.5) / 10 ELSE 34 + random() * 8 END,
           clock_timestamp(), 'checkin'
    FROM unnest($1::int[]) WITH ORDINALITY AS u (p, n)
"""
_NUMBERS = """
    INSERT INTO contact_point (operation_id, person_id, rank, phone)
    SELECT current_operation(), p, 1, '+2547' || lpad(p::text, 8, '0') FROM unnest($1::int[]) p
"""


async def _seed(dsn: str) -> Station:
    own = db.Database(dsn, 4)
    await own.open()
    place = await station(own, people=PEOPLE, areas=50)
    async with own.transaction(place.operation_id) as con:
        await con.execute(_PLACED, place.people, *CITY)
        await con.execute(_NUMBERS, place.people)
    await own.close()
    return place


@pytest.fixture(scope="module")
def crowd(postgres: TestServer) -> Iterator[Station]:
    dsn = postgres.fresh()
    yield asyncio.run(_seed(dsn))
    postgres.drop(dsn)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from nodes(inner)


@pytest.mark.parametrize("metres", [500, 5_000, 50_000])
async def test_the_near_are_found_by_index(crowd: Station, metres: int) -> None:
    own = db.Database(crowd.database.dsn, 4)
    await own.open()
    squares = rules.squares(*CITY, metres)
    args = (crowd.people[0], *squares, *CITY, metres, ["+254"], rules.MOST_NEARBY)
    async with own.transaction(crowd.operation_id) as con:
        found = await con.fetch(SQL.near, *args)
        truth = await con.fetch(
            "SELECT person_id FROM position WHERE person_id <> $1 "
            "ORDER BY metres($2, $3, lat, lon), person_id LIMIT $4",
            crowd.people[0], *CITY, rules.MOST_NEARBY,
        )  # fmt: skip
        plan = await explained(con, SQL.near, *args)
    await own.close()
    assert [r["person_id"] for r in found] == [r["person_id"] for r in truth]
    read = [n for n in nodes(plan) if n.get("Relation Name") == "position"]
    assert all("Seq" not in n["Node Type"] for n in read)
    seen = sum(n["Actual Rows"] + n.get("Rows Removed by Filter", 0) for n in read)
    assert seen < PEOPLE / 4, "the country's other people are not looked at"
    persons = [n for n in nodes(plan) if n.get("Relation Name") == "person"]
    assert sum(n["Actual Loops"] for n in persons) < 200, "nor are those of the city, all of them"


async def test_the_ways_of_a_few_are_found_by_key(crowd: Station) -> None:
    """One who is named twice is told once."""
    own = db.Database(crowd.database.dsn, 4)
    await own.open()
    few = crowd.people[:10]
    async with own.transaction(crowd.operation_id) as con:
        ways = await con.fetch("SELECT * FROM ways_of($1, $2)", few + few, ["+254"])
        [read] = await con.fetch(
            "SELECT seq_scan, idx_tup_fetch FROM pg_stat_xact_user_tables "
            "WHERE relname = 'contact_point'"
        )
    await own.close()
    assert sorted(w["person_id"] for w in ways) == sorted(few)
    assert {w["channel"] for w in ways} == {"sms"}
    assert (read["seq_scan"], read["idx_tup_fetch"] <= 20 * len(few)) == (0, True)


def off(a: tuple[float, float], b: tuple[float, float]) -> float:
    """The same reckoning, by vectors."""
    (la, lo), (lb, lp) = [tuple(map(math.radians, x)) for x in (a, b)]
    dot = math.sin(la) * math.sin(lb) + math.cos(la) * math.cos(lb) * math.cos(lo - lp)
    return 6371008.8 * math.acos(max(-1.0, min(1.0, dot)))


@given(
    st.floats(-90, 90), st.floats(-180, 180), st.integers(100, 50_000), st.integers(0, 2**32 - 1)
)
def test_the_squares_hold_all_that_is_near(lat: float, lon: float, metres: int, seed: int) -> None:
    """Over the date line and at the poles too."""
    rows, columns = rules.squares(lat, lon, metres)
    chance = random.Random(seed)
    high = metres / 111_000
    for _ in range(50):
        there = (
            max(-90.0, min(90.0, lat + chance.uniform(-high, high))),
            (lon + 180 + chance.uniform(-1, 1) * min(180.0, high * 20)) % 360 - 180,
        )
        if off((lat, lon), there) <= metres * 0.999:
            assert math.floor(there[0] * rules.SQUARES) in rows
            assert math.floor(there[1] * rules.SQUARES) in columns


async def test_the_database_measures_as_we_do(database: str) -> None:
    own = db.Database(database, 4)
    await own.open()
    chance = random.Random(7)
    async with own.connection() as con:
        for _ in range(200):
            a, b = [(chance.uniform(-90, 90), chance.uniform(-180, 180)) for _ in range(2)]
            measured = await con.fetchval("SELECT metres($1, $2, $3, $4)", *a, *b)
            assert math.isclose(measured, off(a, b), rel_tol=1e-6, abs_tol=1)
    await own.close()
