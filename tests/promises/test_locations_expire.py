"""Promise 16: locations expire. Exact for 72 hours, coarse until 30 days after the end, then gone.

On rows dated back, by the database's clock. `exact` looks through every table there is for points
that are older than they may be: it finds them where the mechanism is taken away.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from server.people.places import expiring
from tests.alerts.panics import Scene, scene
from tests.promises.neighbours import dump
from tests.support.live import PUSH_KEY, ROOT

LAT, LON = -1.286412, 36.817273
COARSE = (-1.29, 36.82)
WORDS = f"M1 AAAAA 7 1A2B3 P ABCDEFGH {LAT},{LON}"
# Table -> when a place came into it. Of each the steps of `expiring` know.
CAME = {
    "position": "event_at",
    "checkin": "received_at",
    "panic_position": "received_at",
    "help_call": "last_at",
    "satellite_message": "received_at",
}
OTHERS = {"area", "movement_point"}  # places that are nobody's
COLUMNS = """
    SELECT DISTINCT table_name FROM information_schema.columns c
    JOIN information_schema.tables t USING (table_schema, table_name)
    WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE'
      AND column_name ~ '(^|_)(lat|latitude|geom|location)$'
"""
AGED = """
    UPDATE position SET event_at = event_at - $1;
    UPDATE checkin SET received_at = received_at - $1, event_at = event_at - $1;
    UPDATE panic_position SET received_at = received_at - $1, event_at = event_at - $1;
    UPDATE panic SET ended_at = ended_at - $1;
    UPDATE help_call SET last_at = last_at - $1, raised_at = raised_at - $1,
                         closed_at = closed_at - $1;
    UPDATE alert SET closed_at = closed_at - $1;
    UPDATE inbound_sms SET received_at = received_at - $1;
    UPDATE job SET created_at = created_at - $1;
    UPDATE satellite_message SET received_at = received_at - $1
"""
CALLED = """
    WITH text AS (
      INSERT INTO inbound_sms (operation_id, route, sender, body, digest, lane, state,
                               understood_at)
      VALUES (current_operation(), 'kannel', '+254', $1, 'digest', 1, 'counted', now())
      RETURNING inbound_id)
    INSERT INTO help_call (operation_id, kind, verified, sender, body, inbound_id, lat, lon)
    SELECT current_operation(), 'panic', true, '+254', $1, inbound_id, $2, $3 FROM text
"""
# One that could not be understood yet, for a panic may hang on it; one that was kept as it came.
HEARD = """
    INSERT INTO satellite_message (operation_id, route, kind, imei, key, body, lane, lat, lon,
                                   accuracy_m, state, said, understood_at)
    VALUES (current_operation(), 'x', 'inreach', '1', 'a', '', 0, $1, $2, 5,
            'received', NULL, NULL),
           (current_operation(), 'x', 'inreach', '1', 'b', $3, 0, NULL, NULL, NULL,
            'not_understood', NULL, now())
"""
# Jobs that fail for ever, as whoever reads texts and satellite messages hands them on.
HANDED_ON = """
    INSERT INTO job (operation_id, kind, run_key, payload, due_at) VALUES
      (current_operation(), 'panic.raise', 'a',
       jsonb_build_object('place', jsonb_build_array($1::float8, $2::float8)), 'infinity'),
      (current_operation(), 'panic.satellite', 'a', jsonb_build_object('place',
       jsonb_build_array($1::float8, $2::float8, 5), 'later', jsonb_build_array(jsonb_build_object(
         'place', jsonb_build_array($1::float8, $2::float8, NULL)))), 'infinity'),
      (current_operation(), 'panic.heard', 'a', jsonb_build_object('items', jsonb_build_array(
         jsonb_build_object('place', jsonb_build_array($1::float8, $2::float8, 5), 'id', 'x'),
         jsonb_build_object('place', NULL, 'cancel', true))), 'infinity')
"""
WAITING = """
    INSERT INTO inbound_sms (operation_id, route, sender, body, digest, lane, due_at)
    VALUES (current_operation(), 'kannel', '+255', $1, 'digest', 1, 'infinity')
"""
RAW = f'{{"point": {{"latitude": {LAT}, "longitude": {LON}}}}}'
MANY = """
    INSERT INTO checkin (operation_id, checkin_id, person_id, status, at, event_at, received_at,
                         exercise, reporter, actor, alert_id, lat, lon, coarse, body_hash)
    SELECT current_operation(), gen_random_uuid(), $1, 'safe', m, m, m, false, 'self', 'x',
           CASE WHEN n % 3 = 0 THEN $2::uuid END, CASE WHEN n % 2 = 0 THEN 1.5 END,
           CASE WHEN n % 2 = 0 THEN 1.5 END, n > 4000, ''
    FROM generate_series(1, 20000) n, LATERAL (SELECT now() - n * interval '1 minute' AS m) t
"""


async def seed(s: Scene) -> tuple[str, str]:
    """A place in every table that holds them; the ids of the alert and the panic."""
    alert_id = str(await s.site.station.open_rollcall())
    panic = (await s.press(3, location={"lat": LAT, "lon": LON, "accuracy": 5}))["panic_id"]
    place = {"lat": LAT, "lon": LON, "accuracy": 5}
    said = {"status": "safe", "at": datetime.now(UTC).isoformat(), "location": place}
    for n, more in ((4, {}), (5, {"alert_id": alert_id})):
        answer = await (await s.phone(n)).call(
            "POST", "/v1/checkins", {**said, **more, "id": str(uuid4())}
        )
        assert answer.status_code == 201, answer.text
    await s.sql(CALLED, WORDS, LAT, LON)
    await s.sql(HEARD, LAT, LON, RAW)
    await s.sql(HANDED_ON, LAT, LON)
    await s.sql(WAITING, WORDS)
    return alert_id, panic


async def age(s: Scene, **back: float) -> None:
    """Dates all places, and all ends, so far back."""
    interval = " + ".join(f"interval '{n} {unit}'" for unit, n in back.items())
    for statement in AGED.split(";"):
        await s.sql(statement.replace("$1", f"({interval})"))


async def places(s: Scene) -> dict[str, set[Any]]:
    """What places there are, by table."""
    found: dict[str, set[Any]] = {}
    for table in CAME:
        rows = await s.sql(f"SELECT lat, lon FROM {table} WHERE lat IS NOT NULL")
        found[table] = {tuple(r) for r in rows}
    return found


async def exact(s: Scene) -> set[str]:
    """The tables that hold an exact point older than it may be."""
    found = set()
    for table, came in CAME.items():
        if await s.sql(
            f"SELECT FROM {table} WHERE lat::text ~ '\\.\\d{{3}}' "
            f"AND {came} < clock_timestamp() - interval '72 hours'"
        ):
            found.add(table)
    texts = f"SELECT FROM inbound_sms WHERE body LIKE '%{LAT}%'"
    calls = f"SELECT FROM help_call WHERE body LIKE '%{LAT}%'"
    messages = f"SELECT FROM satellite_message WHERE body LIKE '%{LAT}%' OR body LIKE '%{LON}%'"
    jobs = f"SELECT FROM job WHERE payload::text LIKE '%{LAT}%'"
    words = {"texts": texts, "calls": calls, "messages": messages, "jobs": jobs}
    return found | {name for name, sql in words.items() if await s.sql(sql)}


async def expire(s: Scene) -> None:
    await expiring.expire(s.site.api.db)


async def test_exact_for_72_hours_then_coarse_with_an_accuracy_that_says_so(database: str) -> None:
    async with scene(database) as s:
        _, panic = await seed(s)
        await age(s, hours=71)
        before = await places(s)
        await expire(s)
        assert await places(s) == before == {t: {(LAT, LON)} for t in CAME}
        export = (await s.desk.call("GET", f"/v1/panics/{panic}/export")).json()
        await age(s, hours=1, seconds=1)
        assert len(await exact(s)) == len(CAME) + 4
        await expire(s)
        assert await exact(s) == set()
        assert await places(s) == {t: {COARSE} for t in CAME}
        for table in ("position", "checkin", "panic_position", "satellite_message"):
            rows = await s.sql(f"SELECT DISTINCT accuracy_m FROM {table} WHERE lat IS NOT NULL")
            assert [r[0] for r in rows] == [805]
        told = (await s.get(panic, "?reason=review")).json()["positions"][0]
        assert (told["lat"], told["accuracy"], told["coarse"]) == (COARSE[0], 805, True)
        kept = export["panic"]["positions"][0]
        assert (kept["lat"], kept["coarse"]) == (LAT, False), "an export made before keeps its own"
        bodies = await s.sql("SELECT body FROM inbound_sms UNION ALL SELECT body FROM help_call")
        assert {r[0] for r in bodies} == {"M1 AAAAA 7 1A2B3 P ABCDEFGH [place]"}
        said = await s.sql("SELECT body FROM satellite_message WHERE body <> ''")
        assert [r[0] for r in said] == ['{"point": {"latitude": [place], "longitude": [place]}}']


async def jobs(s: Scene) -> dict[str, Any]:
    """The payloads of jobs that cannot be done, by kind."""
    rows = await s.sql("SELECT kind, payload FROM job WHERE due_at = 'infinity'")
    return {r["kind"]: json.loads(r["payload"]) for r in rows}


async def test_places_of_jobs_that_fail_for_ever_expire_and_the_jobs_wait_on(database: str) -> None:
    async with scene(database) as s:
        await seed(s)
        await age(s, hours=71)
        before = await jobs(s)
        await expire(s)
        assert await jobs(s) == before
        await age(s, hours=2)
        await expire(s)
        await expire(s)
        here = list(COARSE)
        cancelled = {"place": None, "cancel": True}
        assert await jobs(s) == {
            "panic.raise": {"place": here},
            "panic.satellite": {"place": [*here, 805], "later": [{"place": [*here, None]}]},
            "panic.heard": {"items": [{"place": [*here, 805], "id": "x"}, cancelled]},
        }
        await age(s, days=30)
        await expire(s)
        assert await jobs(s) == {
            "panic.raise": {"place": None},
            "panic.satellite": {"place": None, "later": [{"place": None}]},
            "panic.heard": {"items": [{"place": None, "id": "x"}, cancelled]},
        }


async def test_gone_30_days_after_the_end_and_not_before_one(database: str) -> None:
    async with scene(database) as s:
        alert_id, panic = await seed(s)
        await age(s, days=31)
        await expire(s)
        left = {"panic_position", "help_call", "checkin"}
        assert {t for t, found in (await places(s)).items() if found} == left, (
            "what has not ended keeps coarse places; last known ones and reports by themselves go"
        )
        assert await s.value("SELECT count(*) FROM checkin WHERE lat IS NOT NULL") == 1
        await s.act(panic, "resolve", {"outcome": "helped"})
        assert (await s.desk.call("POST", f"/v1/alerts/{alert_id}/close")).status_code == 200
        await s.sql("UPDATE help_call SET closed_at = now(), closed_by = 'x', outcome = 'helped'")
        await age(s, days=29)
        await expire(s)
        assert {t for t, found in (await places(s)).items() if found} == left
        await age(s, days=1, seconds=1)
        await expire(s)
        assert not any((await places(s)).values())
        face = (await s.get(panic, "?reason=review")).json()
        assert (face["positions"], face["position"]) == ([], None)
        assert [f["kind"] for f in face["facts"]] == ["raised", "resolved"], "what happened stays"
        assert await s.value("SELECT count(*) FROM checkin") == 2


async def test_again_it_changes_nothing_and_two_at_once_do_no_harm(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiring, "BATCH", 2)  # many batches
    async with scene(database) as s:
        _, panic = await seed(s)
        phone = await s.phone(3)
        now = datetime.now(UTC).isoformat()
        items = [{"id": str(uuid4()), "at": now, "lat": LAT, "lon": LON, "accuracy": 5}
                 for _ in range(25)]  # fmt: skip
        sent = await s.act(panic, "positions", {"items": items}, phone)
        assert sent.json()["kept"] == 25
        await age(s, days=4)
        await asyncio.gather(*(expire(s) for _ in range(3)))
        await expire(s)  # what one had held, the others passed over
        assert await exact(s) == set()
        operation_id = s.site.station.operation_id
        before = await dump(database, operation_id)
        await expire(s)
        after = await dump(database, operation_id)
        assert json.dumps(after) == json.dumps(before)
        assert {r["accuracy_m"] for r in after["panic_position"]} == {805}, "widened once"


async def test_without_a_step_exact_points_stay_and_are_found(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each mechanism taken away in turn."""
    async with scene(database) as s:
        await seed(s)
        await age(s, days=4)
        steps = expiring.STEPS
        missed = {
            "coarsen_positions": {"position"}, "coarsen_checkins": {"checkin"},
            "coarsen_trails": {"panic_position"}, "coarsen_calls": {"help_call", "calls"},
            "clear_texts": {"texts"}, "coarsen_messages": {"satellite_message"},
            "clear_messages": {"messages"}, "coarsen_jobs": {"jobs"},
        }  # fmt: skip
        for name, found in missed.items():
            monkeypatch.setattr(expiring, "STEPS", [x for x in steps if x not in missed])
            await expire(s)
            assert found <= await exact(s)
            monkeypatch.setattr(expiring, "STEPS", [name])
            await expire(s)
            assert not found & await exact(s)


async def test_what_is_due_is_found_by_index(database: str) -> None:
    """Among reports without a place, and with one that is not due."""
    async with scene(database) as s:
        alert_id = await s.site.station.open_rollcall()
        await s.sql(MANY, s.site.station.people[0], alert_id)
        owner = await asyncpg.connect(database)
        await owner.execute("ANALYZE checkin")
        await owner.close()
        async with s.site.api.db.transaction(s.site.station.operation_id) as con:
            for name in ("coarsen_checkins", "drop_checkins", "drop_answers"):
                plan = await con.fetch(f"EXPLAIN {expiring.SQL.blocks[name]}", 10)
                assert "Seq Scan on checkin" not in "\n".join(r[0] for r in plan), name


async def test_a_newer_place_is_exact_again_for_its_own_time(database: str) -> None:
    async with scene(database) as s:
        await seed(s)
        await age(s, days=4)
        await expire(s)
        place = {"lat": 2.123456, "lon": 30.123456, "accuracy": 7}
        said = {"status": "safe", "at": datetime.now(UTC).isoformat(), "location": place}
        await (await s.phone(4)).call("POST", "/v1/checkins", {**said, "id": str(uuid4())})
        await expire(s)
        person = s.site.station.people[4]
        here = "SELECT lat, accuracy_m FROM position WHERE person_id = $1"
        assert [tuple(r) for r in await s.sql(here, person)] == [(2.123456, 7)]
        await age(s, hours=73)
        await expire(s)
        assert [tuple(r) for r in await s.sql(here, person)] == [(2.12, 807)]


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (f"HELP at {LAT} , {LON} now", "HELP at [place] now"),
        ("https://maps.example/?q=-1.2864,36.8&z=3", "https://maps.example/?q=[place]&z=3"),
        ("K7Q3 SAFE 1.25, 2.50", "K7Q3 SAFE 1.25, 2.50"),
        ("room 12, floor 3", "room 12, floor 3"),
    ],
)
async def test_what_looks_like_a_place_goes_out_of_texts(
    database: str, said: str, left: str
) -> None:
    con = await asyncpg.connect(database)
    assert await con.fetchval("SELECT without_place($1)", said) == left
    assert await con.fetchval("SELECT holds_place($1)", said) == (said != left)
    await con.close()


async def test_every_table_with_a_place_is_known_and_says_what_it_is_for(database: str) -> None:
    async with scene(database) as s:
        con = await asyncpg.connect(database)
        tables = {r[0] for r in await con.fetch(COLUMNS)}
        await con.close()
        assert tables - OTHERS == set(CAME), "say in expiring.py when its places expire"
        await seed(s)
        purpose: Callable[[str], str] = lambda t: "purpose" if t == "position" else "place_for"  # noqa: E731
        for table in CAME:
            rows = await s.sql(
                f"SELECT DISTINCT {purpose(table)} FROM {table} WHERE lat IS NOT NULL"
            )
            assert rows
            assert all(r[0] for r in rows), table


WORKER = """
import sys, uvloop
from server.people.places import expiring
expiring.EVERY_S = 0.1
from server.config import Settings
from server.worker import run_worker
uvloop.run(run_worker(Settings(), sys.argv[1]))
"""


async def test_a_worker_does_it(database: str) -> None:
    async with scene(database) as s:
        await seed(s)
        await age(s, days=4)
        env = {**os.environ, "MUSTER_SECRET_KEY": "test", "MUSTER_VAPID_PRIVATE_KEY": PUSH_KEY}
        worker = await asyncio.to_thread(
            subprocess.Popen, [sys.executable, "-c", WORKER, database], cwd=ROOT, env=env
        )
        try:
            async with asyncio.timeout(60):
                while await exact(s):  # noqa: ASYNC110 - another process does it
                    await asyncio.sleep(0.1)
        finally:
            worker.terminate()
            assert await asyncio.to_thread(worker.wait, 30) == 0
