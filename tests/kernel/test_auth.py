"""Who is calling and what they may do, on real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from server import auth
from server.auth import ALLOWED, Authenticator, Scope
from server.errors import Forbidden, Unauthenticated
from tests.support.http import Site, site

_USED = """
    INSERT INTO credential (operation_id, token_sha256, kind, operator_id, last_seen_at)
    SELECT current_operation(), key, 'session', $2, now() - interval '1 h'
    FROM unnest($1::bytea[]) AS key
"""
_FRESH = "SELECT count(*) FROM credential WHERE last_seen_at > now() - interval '1 min'"


@pytest.fixture
async def here(database: str) -> AsyncIterator[Site]:
    async with site(database) as own:
        yield own


@asynccontextmanager
async def as_owner(here: Site) -> AsyncIterator[Any]:
    """A connection of the schema's owner, past every policy."""
    con = await asyncpg.connect(here.api.db.dsn)
    try:
        yield con
    finally:
        await con.close()


def fresh(here: Site) -> Authenticator:
    """An authenticator that remembers nothing, as in another process."""
    return Authenticator(here.api.db)


async def test_a_token_leads_to_its_caller(here: Site) -> None:
    phone, desk = await here.phone(2), await here.operator("operator")
    device = await fresh(here).principal(phone.token)
    assert (device.kind, device.role, device.person_ref) == ("device", "device", "P3")
    officer = await fresh(here).principal(desk.token)
    assert (officer.kind, officer.role, officer.area_id) == ("operator", "operator", None)


async def test_many_callers_at_once_are_each_themselves(here: Site) -> None:
    phones = [await here.phone(n) for n in range(30)]
    door = fresh(here)
    found = await asyncio.gather(*(door.principal(p.token) for p in phones))
    assert [p.person_ref for p in found] == [f"P{n + 1}" for n in range(30)]


@pytest.mark.parametrize(
    "ending",
    [
        "UPDATE credential SET revoked_at = now()",
        "UPDATE credential SET expires_at = now() - interval '1 s'",
        "UPDATE device SET revoked_at = now()",
    ],
)
async def test_what_is_revoked_or_expired_opens_nothing(here: Site, ending: str) -> None:
    phone = await here.phone(0)
    async with here.api.db.transaction(here.station.operation_id) as con:
        await con.execute(ending)
    with pytest.raises(Unauthenticated):
        await fresh(here).principal(phone.token)


async def test_a_session_left_alone_for_twelve_hours_is_over(here: Site) -> None:
    token = auth.new_token()
    async with here.api.db.transaction(here.station.operation_id) as con:
        operator_id = await con.fetchval(
            "INSERT INTO operator (operation_id, name, role) "
            "VALUES (current_operation(), 'o', 'operator') RETURNING operator_id"
        )
        await con.execute(
            "INSERT INTO credential (operation_id, token_sha256, kind, operator_id) "
            "VALUES (current_operation(), $1, 'session', $2)",
            auth.digest(token),
            operator_id,
        )
    assert (await fresh(here).principal(token)).kind == "session"
    async with here.api.db.transaction(here.station.operation_id) as con:
        await con.execute("UPDATE credential SET last_seen_at = now() - interval '13 h'")
    with pytest.raises(Unauthenticated):
        await fresh(here).principal(token)


async def test_use_is_written_down_now_and_then(here: Site) -> None:
    phone = await here.phone(0)
    async with here.api.db.transaction(here.station.operation_id) as con:
        await con.execute("UPDATE credential SET last_seen_at = now() - interval '1 h'")
    door = fresh(here)
    await door.principal(phone.token)
    await door.write_last_seen()
    rows = await here.api.db.fetch(
        here.station.operation_id, "SELECT now() - last_seen_at < interval '1 min' FROM credential"
    )
    assert [r[0] for r in rows] == [True]


async def test_the_use_of_many_is_written_down_in_parts(here: Site) -> None:
    """Who waits for one of them keeps none of the others from being on record."""
    tokens = sorted((auth.new_token() for _ in range(1500)), key=auth.digest)
    made = (
        "INSERT INTO operator (operation_id, name, role) VALUES ($1, 'o', 'operator') RETURNING *"
    )
    operation_id = here.station.operation_id
    async with here.api.db.transaction(operation_id) as con:
        row = await con.fetchrow(made, operation_id)
        keys = [auth.digest(t) for t in tokens]
        await con.execute(_USED, keys, row["operator_id"])
    door = fresh(here)
    await asyncio.gather(*(door.principal(t) for t in tokens))
    async with here.api.db.transaction(operation_id) as con:
        await con.execute("SELECT FROM credential WHERE token_sha256 = $1 FOR UPDATE", keys[-1])
        writing = asyncio.create_task(door.write_last_seen())
        async with asyncio.timeout(30):
            while (await here.api.db.fetch(operation_id, _FRESH))[0][0] < 1000:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    await writing
    assert (await here.api.db.fetch(operation_id, _FRESH))[0][0] == 1500


async def test_a_database_that_is_away_loses_no_use_and_ends_nothing(here: Site) -> None:
    phone = await here.phone(0)
    door = fresh(here)
    await door.principal(phone.token)
    async with as_owner(here) as con:
        await con.execute("UPDATE credential SET last_seen_at = now() - interval '1 h'")
        await con.execute("ALTER TABLE credential RENAME TO away")
        keeping = asyncio.create_task(auth.keep_last_seen(door, 0.01))
        await asyncio.sleep(0.2)
        assert not keeping.done(), "an API process would have ended with it"
        await con.execute("ALTER TABLE away RENAME TO credential")
        await asyncio.sleep(0.2)
        keeping.cancel()
        assert await con.fetchval("SELECT now() - last_seen_at < interval '1 min' FROM credential")


async def _node(here: Site, warden: int, *, parent: int | None, members: list[int]) -> int:
    people = here.station.people
    async with here.api.db.transaction(here.station.operation_id) as con:
        node = await con.fetchval(
            "INSERT INTO tree_node (operation_id, node, parent_id, label, warden_id) VALUES "
            "(current_operation(), gen_random_uuid()::text, $1, 'n', $2) RETURNING node_id",
            parent,
            people[warden],
        )
        await con.executemany(
            "INSERT INTO tree_member (operation_id, node_id, person_id) "
            "VALUES (current_operation(), $1, $2)",
            [(node, people[m]) for m in members],
        )
    return int(node)


async def test_a_warden_sees_her_branch_and_all_below(here: Site) -> None:
    top = await _node(here, 0, parent=None, members=[1, 2])
    await _node(here, 3, parent=top, members=[4])
    people = here.station.people
    upper = await fresh(here).principal((await here.phone(0)).token)
    lower = await fresh(here).principal((await here.phone(3)).token)
    assert (await fresh(here).scope(upper)).people == {people[n] for n in range(5)}
    assert (await fresh(here).scope(lower)).people == {people[3], people[4]}


async def test_a_phone_of_somebody_who_is_no_warden_has_no_scope(here: Site) -> None:
    phone = await fresh(here).principal((await here.phone(0)).token)
    with pytest.raises(Forbidden):
        await fresh(here).authorize(phone, "headcount.read")
    await fresh(here).authorize(phone, "checkin.report")


async def test_an_area_scope_holds_the_areas_below(here: Site) -> None:
    async with here.api.db.transaction(here.station.operation_id) as con:
        ids = [r[0] for r in await con.fetch("SELECT area_id FROM area ORDER BY 1")]
        await con.execute("UPDATE area SET parent_id = $1 WHERE area_id = $2", ids[0], ids[1])
    desk = await here.operator("operator", area_id=ids[0])
    scope = await fresh(here).scope(await fresh(here).principal(desk.token))
    assert set(scope.areas or ()) == {ids[0], ids[1]}
    assert not scope.whole


async def test_who_sees_everything_sees_everything(here: Site) -> None:
    desk = await here.operator("auditor")
    assert await fresh(here).scope(await fresh(here).principal(desk.token)) == Scope()


def test_no_role_is_misspelt() -> None:
    known = {"admin", "operator", "auditor", "warden", "device"}
    assert set().union(*ALLOWED.values()) <= known
    writes = ("alert.open", "alert.steer", "person.write", "incident.write")
    assert not any("auditor" in ALLOWED[action] for action in writes)
