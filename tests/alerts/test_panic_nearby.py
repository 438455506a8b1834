"""Colleagues near one who calls for help: who is told, what they learn, and what nobody learns."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from server.alerts.channels import wording
from server.alerts.panics import nearby, rules
from tests.alerts.panics import SERVED, Scene, scene

LAT, LON = 1.28641, 36.81727
SPOT = {"lat": LAT, "lon": LON, "accuracy": 5}
DEGREE_M = 111_195.0  # of latitude
_AT = """
    INSERT INTO position (operation_id, person_id, lat, lon, event_at, purpose)
    VALUES (current_operation(), $1, $2, $3, clock_timestamp() - $4 * interval '1 hour', 'checkin')
    ON CONFLICT (operation_id, person_id) DO UPDATE SET lat = excluded.lat,
      event_at = excluded.event_at
"""
SETTINGS = {"nearby_m": 1000, "desk_phone": "+254200000001"}


async def want(s: Scene, **changes: Any) -> None:
    answer = await s.desk.call("PUT", "/v1/panic-settings", {**SETTINGS, **changes})
    assert answer.status_code == 200, answer.text


async def put(s: Scene, n: int, metres: float, hours: float = 0) -> None:
    """Person n was so far north of the spot, so long ago."""
    await s.sql(_AT, s.site.station.people[n], LAT + metres / DEGREE_M, LON, hours)


async def helpers(s: Scene) -> dict[int, int]:
    rows = await s.sql("SELECT person_id, distance_m FROM panic_helper ORDER BY distance_m")
    return {s.site.station.people.index(r[0]): r[1] for r in rows}


async def asked(s: Scene, n: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await (await s.phone(n)).call("GET", "/v1/self")).json()[
        "nearby_help"
    ]
    return found


async def test_who_is_near_is_told_and_learns_no_place(database: str) -> None:
    async with scene(database) as s:
        await want(s)
        for n, metres in ((10, 240), (11, 40), (12, 990), (13, 1100), (14, 100)):
            await put(s, n, metres, 25 if n == 14 else 0)
        panic = (await s.press(3, location=SPOT))["panic_id"]
        assert await helpers(s) == {}, "no press waits for it"
        await s.work()
        assert await helpers(s) == {11: 100, 10: 200, 12: 1000}
        told = [t for t in await s.told() if t[2] >= 10]
        assert told == [(0, "sms", n) for n in (10, 11, 12)]
        rows = await s.sql("SELECT DISTINCT purpose, lane, line FROM delivery WHERE line <> '' "
                           "AND channel = 'sms'")  # fmt: skip
        assert [tuple(r) for r in rows] == [("panic", 0, wording.NEARBY_TEXT["en"])]
        [help_] = await asked(s, 10)
        since = (await s.get(panic)).json()["event_at"]
        assert help_ == {
            "panic_id": panic, "name": "Person 4", "distance_m": 200, "since": since,
            "desk_phone": "+254200000001",
        }  # fmt: skip
        assert await asked(s, 13) == []
        face = (await s.get(panic)).json()
        assert [(h["ref"], h["distance_m"]) for h in face["nearby"]] == [
            ("P12", 100), ("P11", 200), ("P13", 1000),
        ]  # fmt: skip
        assert face["facts"][-1]["detail"] == {"colleagues": 3}
        assert (await s.get(panic, "", await s.phone(1))).json()["nearby"] is None
        events = json.dumps([r[0] for r in await s.sql("SELECT data FROM event")])
        assert str(LAT) not in events + json.dumps(face)
        await s.work()
        assert len([t for t in await s.told() if t[2] >= 10]) == 3, "once"
        await s.act(panic, "acknowledge")
        assert len(await asked(s, 10)) == 1, "while it lasts"
        await s.act(panic, "resolve", {"outcome": "helped"})
        assert await asked(s, 10) == []


async def test_nobody_is_told_where_the_operation_did_not_ask_for_it(database: str) -> None:
    async with scene(database) as s:
        assert (await s.desk.call("GET", "/v1/panic-settings")).json() == {
            "nearby_m": None, "desk_phone": None,
        }  # fmt: skip
        await put(s, 10, 50)
        await s.press(3, location=SPOT)
        assert await s.value("SELECT count(*) FROM job WHERE kind = 'panic.nearby'") == 0
        await s.work()
        assert await helpers(s) == {}
        await want(s, nearby_m=None)
        await s.press(4, location=SPOT)
        await s.work()
        assert await helpers(s) == {}


async def test_what_is_silent_or_unverified_stays_so(database: str) -> None:
    async with scene(database) as s:
        await want(s)
        await put(s, 10, 50)
        await s.press(3, location=SPOT, covert=True)
        phone = await s.phone(4)
        await phone.call("PUT", "/v1/self/pin", {"pin": "4711", "duress_pin": "8020"})
        await phone.call("POST", "/v1/self/pin/verify", {"pin": "8020"})
        said = {
            "press_id": str(uuid4()), "person_id": s.site.station.people[5], "actor": "sms:1",
            "at": datetime.now(UTC).isoformat(), "verified": False, "place": [LAT, LON],
        }  # fmt: skip
        await s.sql(
            "INSERT INTO job (operation_id, kind, run_key, payload) "
            "VALUES (current_operation(), 'panic.raise', '1', $1)",
            json.dumps(said),
        )
        await s.work()
        assert await s.value("SELECT count(*) FROM panic") == 3
        assert await helpers(s) == {}
        await s.press(3)
        await s.work()
        assert await helpers(s) == {10: 100}, "pressed openly it is an open one"


async def test_family_and_who_calls_for_help_and_who_cannot_be_told_are_left_out(
    database: str,
) -> None:
    async with scene(database) as s:
        await want(s)
        people = s.site.station.people
        for n in (10, 11, 12, 13, 1):
            await put(s, n, 10 * n)
        await s.sql(
            "UPDATE person SET category = 'family', sponsor_id = $2 WHERE person_id = $1",
            people[10], people[3],
        )  # fmt: skip
        await s.press(11)
        await s.sql("DELETE FROM contact_point WHERE person_id = $1", people[12])
        await s.work()
        before = len(await s.told())
        await s.press(3, location=SPOT)
        await s.work()
        assert await helpers(s) == {1: 100, 13: 100}
        new = [t for t in await s.told() if t[2] in (1, 13)]
        assert new.count((0, "sms", 13)) == 1
        assert len(await s.told()) - before == 6, "her warden is told once, as her warden"


async def test_a_place_that_comes_later_is_looked_around_too(database: str) -> None:
    async with scene(database) as s:
        await want(s)
        panic = (await s.press(3))["panic_id"]
        await s.work()
        for n in range(2):
            if n:
                await put(s, 10, 300)
            item = {"id": str(uuid4()), "at": datetime.now(UTC).isoformat(), "lat": LAT, "lon": LON}
            await s.act(panic, "positions", {"items": [item]}, await s.phone(3))
            await s.work()
            assert await helpers(s) == ({10: 300} if n else {}), "again until somebody is near"
        await put(s, 11, 20)
        item = {"id": str(uuid4()), "at": datetime.now(UTC).isoformat(), "lat": LAT, "lon": LON}
        await s.act(panic, "positions", {"items": [item]}, await s.phone(3))
        await s.work()
        assert await helpers(s) == {10: 300}, "then nobody else"


async def test_no_more_than_the_nearest_and_only_once_however_often_it_runs(database: str) -> None:
    async with scene(database) as s:
        await want(s, nearby_m=50_000)
        people = s.site.station.people
        await s.sql(
            "INSERT INTO person (operation_id, ref, name, category, agency_id, area_id) "
            "SELECT operation_id, 'X' || n, 'X', category, agency_id, area_id "
            "FROM person, generate_series(1, 30) n WHERE ref = 'P1'"
        )
        rows = await s.sql("SELECT person_id FROM person WHERE ref LIKE 'X%' ORDER BY person_id")
        people += [r[0] for r in rows]
        for n in range(20, 50):
            await put(s, n, 1000 * (n - 19))
        await s.sql(
            "INSERT INTO contact_point (operation_id, person_id, rank, phone) "
            "SELECT operation_id, person_id, 1, '+25472' || lpad(person_id::text, 7, '0') "
            "FROM person WHERE ref LIKE 'X%'"
        )
        panic = await s.press(3, location=SPOT)
        panic_id = await s.value("SELECT panic_id FROM panic")
        for _ in range(2):
            await nearby.look(s.site.api.db, s.site.station.operation_id, panic_id, list(SERVED))
        found = await helpers(s)
        assert list(found) == list(range(20, 20 + rules.MOST_NEARBY))
        facts = (await s.get(panic["panic_id"])).json()["facts"]
        assert [f["kind"] for f in facts] == ["raised", "nearby_told"]


async def test_who_may_set_it_and_what_is_refused(database: str) -> None:
    async with scene(database) as s:
        for bad in ({"nearby_m": 99}, {"nearby_m": 50_001}, {"desk_phone": "110"}, {"x": 1}):
            refused = await s.desk.call("PUT", "/v1/panic-settings", {**SETTINGS, **bad})
            assert refused.status_code == 422
        operator, auditor = await s.site.operator("operator"), await s.site.operator("auditor")
        for caller in (operator, auditor, await s.phone(3)):
            answer = await caller.call("PUT", "/v1/panic-settings", SETTINGS)
            assert answer.status_code == 403
        await want(s)
        assert (await auditor.call("GET", "/v1/panic-settings")).json() == SETTINGS
        assert await s.value("SELECT action FROM audit") == "panic.settings"
