"""Promise 12: operations never mix.

Callers of one operation name everything of another on every route of the served document: nothing
is shown, nothing is touched. The same requests by the other's own callers work, so the sweep can
see. Below that, the database holds to it by itself.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from server import db
from tests.promises import their_movements, their_watches
from tests.promises.neighbours import (
    STREAM,
    TABLES,
    Case,
    Pair,
    as_superuser,
    ask,
    cases,
    dump,
    in_body,
    narrow,
    pair,
    report_safe,
)
from tests.promises.places import serving

ENDS = {"/close", "/cancel", "/merge", "DELETE "}  # what an operation does last of all to its own
PACKED = ("/xlsx", "/pdf")  # nothing can be read in these
SECRETS = {"credential_token", "enrolment_code", "operation_code_key"}  # found across operations
CALLERS = 40
BUSY = 503
# Fields of bodies that name nobody and nothing on record.
NEUTRAL = {
    "accuracy", "all", "alternate_after_s", "answer_s", "auth", "battery", "body", "category",
    "channels_after_s", "desk_phone", "email", "endpoint", "escalation", "exercise", "expires_at",
    "from", "keys", "kind", "language", "lat", "location", "lock_screen", "lon", "mode", "nearby_m",
    "note", "outcome", "p256dh", "printed", "quiet", "sent_at", "severity", "sms_text", "status",
    "subscription", "title", "until", "up_after_s", "warden_after_s",
    *their_watches.NEUTRAL,
    *their_movements.NEUTRAL,
}  # fmt: skip
# An operation's own number can't be written at all.
DENIED = (asyncpg.InsufficientPrivilegeError, asyncpg.GeneratedAlwaysError)


@pytest.fixture
async def both(database: str, tmp_path: Path) -> AsyncIterator[Pair]:
    """Both operations on a live server."""
    async with (
        serving(database) as server,
        httpx.AsyncClient(base_url=server.url, timeout=60) as client,
        pair(database, client, tmp_path) as made,
    ):
        yield made


async def test_no_route_shows_or_touches_what_is_anothers(both: Pair) -> None:
    rows = await dump(both.dsn, both.theirs.operation_id)
    assert not [table for table, found in rows.items() if not found], "nothing there to leak"
    assert not untried(both)
    found = await both.sweep()
    assert not found, found


async def test_the_same_requests_show_it_to_its_own(both: Pair) -> None:
    """The sweep's requests are good ones: whose it is gets it."""
    theirs = both.theirs
    foreign = await both.foreign(both.ours, theirs)
    plan = list(cases(both.document, theirs, theirs))
    last = "DELETE /v1/self"  # its phones have something to end, too
    plan.sort(key=lambda c: (c.route == last, any(w in c.text or w in c.route for w in ENDS)))
    shown, served = Counter[str](), Counter[str]()
    for case in plan:
        for who in theirs.callers:
            status, text = await ask(theirs, who, case)
            served[case.route] += status < 300 or status == 409
            shown[case.route] += any(word in text for word in foreign)
    named = {c.route for c in plan if c.due != "own" or "{" in c.path}
    assert not [route for route in {c.route for c in plan} if not served[route]]
    plain = {r for r in named if r[:3] == "GET" and not r.endswith(PACKED)}
    assert not [r for r in plain if not shown[r]]
    assert shown[STREAM]


def untried(two: Pair) -> list[str]:
    """Fields of bodies that are new here: try each with what is another's, or call it neutral."""
    tried, found = in_body(two.ours, two.theirs), []
    for path, methods in two.document["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            schemas = [value["schema"] for value in content.values()]
            known = set(keys([body for _, body in tried.get(f"{method.upper()} {path}", [])]))
            new = set(properties(schemas, two.document)) - known - NEUTRAL
            found += [f"{method} {path}: {name}" for name in new]
    return found


def properties(schema: Any, document: dict[str, Any]) -> Iterator[str]:
    """The names of all fields a schema has, at any depth."""
    if isinstance(schema, list):
        for inner in schema:
            yield from properties(inner, document)
    if isinstance(schema, dict):
        name = schema.get("$ref", "").rpartition("/")[2]
        if name:
            yield from properties(document["components"]["schemas"][name], document)
        yield from schema.get("properties", {})
        for inner in [*schema.get("properties", {}).values(), *map(schema.get, ("items", "anyOf"))]:
            yield from properties(inner, document)


def keys(value: Any) -> Iterator[str]:
    """The names of all fields a body has, at any depth."""
    if isinstance(value, dict):
        yield from value
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from keys(inner)


async def test_a_stream_hears_nothing_of_its_neighbours(both: Pair) -> None:
    ours, theirs = both.ours, both.theirs
    last, headers = str(uuid4()), ours.callers["admin"]
    async with (
        asyncio.timeout(60),
        ours.client.stream("GET", "/v1/stream", headers=headers) as stream,
    ):
        pieces = stream.aiter_text()
        text = await anext(pieces)
        for _ in range(10):
            await report_safe(theirs)
        await report_safe(ours, last)
        while last not in text:
            text += await anext(pieces)
    assert not [word for word in await both.foreign(ours, theirs) if word in text]
    assert text.count("event: checkin") == 1


async def test_without_row_security_the_sweep_finds_it(both: Pair) -> None:
    await unguard(both.dsn)
    found = await both.sweep(skip=STREAM)
    assert found["POST /v1/alerts", "accepts"], found
    assert found["POST /v1/alerts/preview", "accepts"], found


async def test_under_the_wrong_operation_the_sweep_finds_it(both: Pair) -> None:
    """Every transaction is made the neighbours': lists show theirs, writes land there."""
    body = f"LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT {both.theirs.operation_id}'"
    sql = f"CREATE OR REPLACE FUNCTION current_operation() RETURNS int {body}"
    await as_superuser(both.dsn, sql)
    found = await both.sweep(skip=STREAM)
    routes = {route for route, fault in found if fault == "shows"}
    lists = ("alerts", "incidents", "people", "areas", "agencies", "tree")
    assert routes >= {f"GET /v1/{name}" for name in lists}, found
    assert {table for table, fault in found if fault == "changed"} >= {"tree_node", "person"}, found


async def unguard(dsn: str) -> None:
    for table in await as_superuser(dsn, TABLES):
        await as_superuser(dsn, f"ALTER TABLE {table['name']} DISABLE ROW LEVEL SECURITY")


# Few connections, many callers


async def mingle(two: Pair) -> list[str]:
    """Callers of both operations ask at once for what is theirs; the routes that mixed them up."""
    lands = [(two.ours, two.theirs), (two.theirs, two.ours)]
    foreign = {own.mark: await two.foreign(own, other) for own, other in lands}
    mixed: list[str] = []

    async def caller(nth: int) -> None:
        own, _ = lands[nth % 2]
        plan = [c for c in cases(two.document, own, own) if is_quiet(c)]
        random.Random(nth).shuffle(plan)
        for step, case in enumerate(plan):
            status, text = await ask(own, "admin" if nth % 4 < 2 else "warden's phone", case)
            broken = status >= 500 and status != BUSY  # few connections may refuse, never mix
            if broken or any(word in text for word in foreign[own.mark]):
                mixed.append(f"{case.route}: {status}")
            try:
                if step % 4 == 0:
                    await report_safe(own)
            except AssertionError as refused:
                if str(BUSY) not in str(refused):
                    mixed.append(str(refused))

    await asyncio.gather(*(caller(nth) for nth in range(CALLERS)))
    for own, other in lands:
        if (await two.foreign(own, other)) & foreign[other.mark]:
            mixed.append(f"rows of {own.mark}")
    return mixed


def is_quiet(case: Case) -> bool:
    """Whether a request reads, or writes no more than a report."""
    return case.route != STREAM and case.route.split()[0] == "GET"


async def test_few_connections_never_mix_operations(database: str, tmp_path: Path) -> None:
    async with narrow(database, tmp_path) as two:
        assert not await mingle(two)


async def test_an_operation_that_sticks_to_its_connection_is_found(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mechanism taken away: the operation is set once a connection, not once a transaction."""

    @asynccontextmanager
    async def careless(
        self: db.Database, operation_id: int, *, lane: str = "main", snapshot: bool = False
    ) -> AsyncIterator[Any]:
        async with self.connection(lane) as con, con.transaction():
            if not await con.fetchval("SELECT current_setting('muster.operation', true)"):
                await con.execute(f"SET muster.operation = {operation_id}")
            yield con

    async with narrow(database, tmp_path) as two:
        monkeypatch.setattr(db.Database, "transaction", careless)
        assert len(await mingle(two)) > CALLERS


# What the database holds to by itself


@pytest.fixture
async def seeded(database: str, tmp_path: Path) -> AsyncIterator[Pair]:
    async with narrow(database, tmp_path) as two:
        yield two


async def refusal(con: Any, sql: str) -> type[Exception] | None:
    """What the database raises at one statement; None if it does not."""
    try:
        async with con.transaction():
            await con.execute(sql)
    except asyncpg.PostgresError as error:
        return type(error)
    return None


async def test_no_operation_is_an_error_and_never_all_or_none(seeded: Pair) -> None:
    """On a fresh connection, and on one that has served an operation."""
    tables = [r["name"] for r in await as_superuser(seeded.dsn, TABLES)]
    loud = (asyncpg.UndefinedObjectError, asyncpg.InvalidTextRepresentationError)
    con = await asyncpg.connect(**db.as_app(seeded.dsn))
    try:
        for expected in loud:
            for table in tables:
                assert await refusal(con, f"SELECT FROM {table}") is expected, table
                change = f"UPDATE {table} SET operation_id = operation_id"
                assert await refusal(con, change) in (expected, *DENIED), table
                assert await refusal(con, f"DELETE FROM {table}") in (expected, *DENIED), table
            await con.execute(f"BEGIN; SET LOCAL muster.operation = {seeded.ours.operation_id}")
            assert await con.fetchval("SELECT count(*) FROM operation") == 1
            await con.execute("COMMIT")
    finally:
        await con.close()


async def test_a_transaction_reaches_its_own_rows_only(seeded: Pair) -> None:
    ours, theirs = seeded.ours.operation_id, seeded.theirs.operation_id
    con = await asyncpg.connect(**db.as_app(seeded.dsn))
    try:
        await con.execute(f"SET muster.operation = {ours}")
        for table in [r["name"] for r in await as_superuser(seeded.dsn, TABLES)]:
            seen = await con.fetch(f"SELECT DISTINCT operation_id FROM {table}")
            assert [r[0] for r in seen] == [ours], table
            move = f"UPDATE {table} SET operation_id = {theirs}"
            assert await refusal(con, move) in DENIED, table
            take = f"UPDATE {table} SET operation_id = {ours} WHERE operation_id = {theirs}"
            assert await refusal(con, take) in (None, *DENIED), table
        dropped = f"DELETE FROM tree_member WHERE operation_id = {theirs}"
        assert await con.execute(dropped) == "DELETE 0"
    finally:
        await con.close()


_GUARDS = """
    SELECT t.name, c.relrowsecurity AND c.relforcerowsecurity AS forced,
      (SELECT a.attname FROM pg_index i JOIN pg_attribute a
         ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
       WHERE i.indrelid = c.oid AND i.indisprimary) AS leads,
      (SELECT json_agg(json_build_array(p.polcmd, pg_get_expr(p.polqual, c.oid),
                                        pg_get_expr(p.polwithcheck, c.oid)))
       FROM pg_policy p WHERE p.polrelid = c.oid
         AND p.polroles && ARRAY[0::oid, 'muster_app'::regrole]) AS policies,
      (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid
         AND NOT p.polroles <@ ARRAY['muster_app'::regrole::oid, 'muster_definer'::regrole])
        AS strangers
    FROM ({tables}) t JOIN pg_class c ON c.oid = t.name::regclass
"""
_OPEN = """
    SELECT c.oid::regclass::text AS name FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'm', 'f')
      AND has_table_privilege('muster_app', c.oid, 'SELECT, INSERT, UPDATE, DELETE')
"""
_UNIQUE = """
    SELECT i.indexrelid::regclass::text AS name, a.attname AS leads
    FROM pg_index i JOIN ({tables}) t ON t.name::regclass = i.indrelid
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indisunique
"""
_ACROSS = """
    SELECT k.conrelid::regclass::text || '.' || k.conname AS name
    FROM pg_constraint k
    JOIN ({tables}) a ON a.name::regclass = k.conrelid
    JOIN ({tables}) b ON b.name::regclass = k.confrelid
    WHERE k.contype = 'f' AND NOT EXISTS (
      SELECT FROM unnest(k.conkey, k.confkey) AS u (here, there)
      JOIN pg_attribute x ON x.attrelid = k.conrelid AND x.attnum = u.here
      JOIN pg_attribute y ON y.attrelid = k.confrelid AND y.attnum = u.there
      WHERE x.attname = 'operation_id' AND y.attname = 'operation_id')
"""


async def test_every_table_is_behind_its_operation(database: str) -> None:
    mine = "(operation_id = ( SELECT current_operation() AS current_operation))"
    tables = await as_superuser(database, _GUARDS.format(tables=TABLES.replace("ORDER BY 1", "")))
    assert len(tables) > 20
    for table in tables:
        assert table["forced"], f"{table['name']}: row security is not forced"
        assert table["leads"] == "operation_id", f"{table['name']}: its key does not lead with it"
        assert json.loads(table["policies"] or "[]") == [["*", mine, mine]], table["name"]
        assert not table["strangers"], f"{table['name']} has a policy for somebody else"
    names = {table["name"] for table in tables}
    assert {r["name"] for r in await as_superuser(database, _OPEN)} == names


async def test_no_key_reaches_across_operations(database: str) -> None:
    """Nor tells of another's rows by being taken, but for random secrets and operations' codes."""
    tables = TABLES.replace("ORDER BY 1", "")
    unique = await as_superuser(database, _UNIQUE.format(tables=tables))
    assert {r["name"] for r in unique if r["leads"] != "operation_id"} == SECRETS
    assert not await as_superuser(database, _ACROSS.format(tables=tables))


_ROLES = """
    SELECT r.rolname AS name, r.rolsuper OR r.rolbypassrls OR r.rolcanlogin OR r.rolcreaterole
      OR r.rolcreatedb OR r.rolreplication AS mighty,
      (SELECT count(*) FROM pg_auth_members m WHERE m.member = r.oid) AS memberships,
      has_schema_privilege(r.oid, 'public', 'CREATE') AS creates,
      (SELECT array_agg(pg_describe_object(d.classid, d.objid, 0)) FROM pg_shdepend d
       WHERE d.refobjid = r.oid AND d.deptype = 'o'
         AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())) AS owns
    FROM pg_roles r WHERE r.rolname IN ('muster_app', 'muster_definer') ORDER BY 1
"""
_FUNCTIONS = """
    SELECT p.oid::regprocedure::text AS name, p.prosecdef AS definer,
      p.proowner::regrole::text AS owner, p.proconfig AS config,
      has_function_privilege('muster_app', p.oid, 'EXECUTE') AS callable
    FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
"""
_VIEWS = """
    SELECT relname AS name FROM pg_class WHERE relkind = 'v'
      AND relnamespace = 'public'::regnamespace
      AND NOT coalesce(reloptions @> ARRAY['security_invoker=true'], false)
"""


async def test_the_servers_role_owns_nothing_and_becomes_nobody(database: str) -> None:
    app, definer = await as_superuser(database, _ROLES)
    for role in (app, definer):
        assert (role["mighty"], role["memberships"], role["creates"]) == (False, 0, False), role
    assert app["owns"] is None
    assert all(owned.startswith("function ") for owned in definer["owns"])
    con = await asyncpg.connect(database)
    try:
        await con.execute("SET SESSION AUTHORIZATION muster_app")
        for role in ("muster_definer", "muster", "pg_read_all_data"):
            assert await refusal(con, f"SET ROLE {role}") in DENIED, role
        assert await refusal(con, "ALTER TABLE person DISABLE ROW LEVEL SECURITY") in DENIED
        assert await refusal(con, "SET row_security = off; SELECT FROM person") is not None
    finally:
        await con.close()


async def test_what_looks_across_operations_is_closed_in(database: str) -> None:
    functions = await as_superuser(database, _FUNCTIONS)
    across = [f for f in functions if f["definer"]]
    assert len(across) >= 8
    for function in across:
        assert function["owner"] == "muster_definer", function
        assert "search_path=public, pg_temp" in (function["config"] or []), function
    assert {f["name"] for f in across if not f["callable"]} == {
        "add_operation(text,text,text,text)"
    }
    assert not await as_superuser(database, _VIEWS), "a view must see what its reader sees"


async def test_a_table_of_the_callers_own_forges_nobody(database: str) -> None:
    """A function that looked in the caller's temporary tables would believe them."""
    con = await asyncpg.connect(**db.as_app(database))
    try:
        await con.execute(
            "CREATE TEMP TABLE credential AS TABLE public.credential WITH NO DATA;"
            "CREATE TEMP TABLE operator AS TABLE public.operator WITH NO DATA;"
            "GRANT ALL ON pg_temp.credential, pg_temp.operator TO PUBLIC;"
            "INSERT INTO pg_temp.credential VALUES"
            " (1, decode(repeat('00', 32), 'hex'), 'operator', NULL, 1, now(), now());"
            "INSERT INTO pg_temp.operator VALUES (1, 1, 'forged', 'admin')"
        )
        forged = "SELECT FROM principals(ARRAY[decode(repeat('00', 32), 'hex')])"
        assert not await con.fetch(forged)
    finally:
        await con.close()
