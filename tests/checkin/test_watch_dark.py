"""Who is dark in an area of risk is an alarm by itself; where somebody was last known to be."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from server.auth import Scope
from server.checkin.watches.board import Faces
from server.checkin.watches.dark.looker import sift
from server.checkin.watches.dark.store import SQL
from server.stream import Event
from tests.checkin.test_watch_desks import curfew
from tests.checkin.watching import Watching, watching
from tests.support.http import Caller

_SEEN = "UPDATE credential SET last_seen_at = now() - interval '3 hours'"
_EVENTS = "SELECT data FROM event WHERE kind = 'watch' AND data ? 'dark' ORDER BY seq"
_ALARMS = """
    SELECT p.ref, l.ended_at IS NULL AS stands, l.heard FROM dark_alarm l
    JOIN person p USING (operation_id, person_id) ORDER BY l.raised_at, p.ref
"""
_MOVE = "UPDATE person SET area_id = $2 WHERE person_id = $1"
_WHERE = """
    SELECT area_id, ended_at IS NULL, heard FROM dark_alarm WHERE person_id = $1 ORDER BY raised_at
"""
_PLACE = """
    INSERT INTO position (operation_id, person_id, lat, lon, accuracy_m, event_at, purpose)
    VALUES (current_operation(), $1, 1.25, 36.5, 12, now() - interval '40 minutes', 'checkin')
"""
_LOGS = "SELECT actor, reason FROM watch_fact WHERE what = 'position_read' ORDER BY at"


async def alarms(w: Watching) -> list[tuple[str, bool, bool | None]]:
    return [tuple(r) for r in await w.sql(_ALARMS)]


async def code_of(w: Watching, n: int) -> str:
    sql = "SELECT code FROM area WHERE area_id = $1"
    return str(await w.value(sql, await w.area_id(n)))


async def there(w: Watching, code: str) -> list[str]:
    sql = "SELECT ref FROM person JOIN area a USING (area_id) WHERE a.code = $1 ORDER BY 1"
    return [r[0] for r in await w.sql(sql, code)]


async def risk(w: Watching, desk: Caller, code: str, hours: int | None) -> None:
    answer = await desk.call("PUT", f"/v1/areas/{code}/risk", {"dark_after_h": hours})
    assert answer.status_code == 204


async def test_who_falls_dark_is_an_alarm_once_until_heard_of(database: str) -> None:
    async with watching(database) as w:
        desk, phone = await w.here.operator(), await w.phone(0)
        code = await code_of(w, 0)
        refs = await there(w, code)
        assert len(refs) > 1
        await w.looker.dark()
        assert await alarms(w) == []
        await risk(w, desk, code, 2)
        await w.sql(_SEEN)
        args = (w.here.api.db, w.operation_id)
        await asyncio.gather(*(sift(*args) for _ in range(4)))  # as several workers do
        await w.looker.dark()
        assert await alarms(w) == [(ref, True, None) for ref in refs]
        told = [len(r[0].split(",")) for r in await w.sql(_EVENTS)]
        assert sum(told) == len(refs), "each is told of once"
        listed = (await desk.call("GET", "/v1/watches/dark")).json()["items"]
        assert all(p["raised_at"] for p in listed)
        await w.report(phone)
        await w.looker.dark()
        await w.looker.dark()
        after = await alarms(w)
        assert [a for a in after if not a[1]] == [("P1", False, True)]
        await w.pass_s(2 * 3600 + 60)
        await w.sql(_SEEN)
        await w.looker.dark()
        assert [a[1] for a in await alarms(w) if a[0] == "P1"] == [False, True], "a second time"


async def test_a_look_while_another_is_under_way_raises_nothing(database: str) -> None:
    async with watching(database) as w:
        await risk(w, await w.here.operator(), await code_of(w, 0), 2)
        args = (w.here.api.db, w.operation_id)
        async with w.here.api.db.transaction(w.operation_id) as con:
            await con.fetch(SQL.alone)
            assert (await sift(*args), await alarms(w)) == (0, [])
        assert await sift(*args) == len(await alarms(w)) > 0


async def test_who_is_dark_and_expected_elsewhere_is_an_alarm_there(database: str) -> None:
    async with watching(database) as w:
        desk, home, area = await w.here.operator(), await w.area_id(0), await w.area_id(1)
        for n in (0, 1):
            await risk(w, desk, await code_of(w, n), 2)
        await w.looker.dark()
        await w.sql(_MOVE, w.people[0], area)
        for _ in range(3):
            await w.looker.dark()
        rows = [tuple(r) for r in await w.sql(_WHERE, w.people[0])]
        assert rows == [(home, False, False), (area, True, None)]


async def test_a_whole_operation_that_falls_dark_is_told_of_in_parts(database: str) -> None:
    async with watching(database, people=1204) as w:
        desk = await w.here.operator()
        for n in range(4):
            await risk(w, desk, await code_of(w, n), 2)
        await w.looker.dark()
        told = [len(json.loads(r[0])["dark"]) for r in await w.sql(_EVENTS)]
        assert told == [500, 500, len(await alarms(w)) - 1000]


async def test_any_word_and_any_call_is_heard_of(database: str) -> None:
    """Never heard of is dark; a report or a phone's call is enough, whichever is the newer."""
    async with watching(database) as w:
        desk, code = await w.here.operator(), await code_of(w, 0)
        here = [n for n in range(12) if await w.area_id(n) == await w.area_id(0)]
        one, two, never = here[:3]
        phones = [await w.phone(one), await w.phone(two)]
        for phone in phones:
            await w.report(phone, ago_s=3 * 3600)
        await w.sql(_SEEN)
        await risk(w, desk, code, 2)
        listed = await dark(desk)
        assert {f"P{n + 1}" for n in (one, two, never)} <= set(listed)
        assert listed[f"P{never + 1}"] is None
        assert listed[f"P{one + 1}"] is not None
        await w.report(phones[0])
        await w.sql(_SEEN)
        assert set(listed) - set(await dark(desk)) == {f"P{one + 1}"}, "her report is enough"
        await w.sql("UPDATE credential SET last_seen_at = now() WHERE kind = 'device'")
        assert set(await dark(desk)) == set(listed) - {f"P{n + 1}" for n in (one, two)}


async def dark(desk: Caller) -> dict[str, str | None]:
    """Who is dark, and when she was last heard of."""
    answer = await desk.call("GET", "/v1/watches/dark")
    return {p["person"]["ref"]: p["heard_at"] for p in answer.json()["items"]}


async def test_an_alarm_that_ends_without_a_word_does_not_say_that_she_was_heard(
    database: str,
) -> None:
    async with watching(database) as w:
        desk, code = await w.here.operator(), await code_of(w, 0)
        await risk(w, desk, code, 2)
        await w.looker.dark()
        await risk(w, desk, code, None)
        await w.looker.dark()
        assert {(stands, heard) for _, stands, heard in await alarms(w)} == {(False, False)}


async def test_viewers_are_told_who_is_dark_in_their_areas(database: str) -> None:
    async with watching(database) as w:
        desk, code = await w.here.operator(), await code_of(w, 0)
        await risk(w, desk, code, 2)
        await w.looker.dark()
        ids = await w.value("SELECT array_agg(alarm_id::text) FROM dark_alarm")
        [kind] = Faces(w.here.api.db).kinds()
        told = [Event(1, "watch", {"dark": ids})]
        faces: Sequence[Any] = [
            await kind.render(w.operation_id, Scope(areas=areas), told)
            for areas in (None, (await w.area_id(0),), (await w.area_id(1),))
        ]
        assert [p["person"]["ref"] for p in faces[1]["dark"]] == await there(w, code)
        assert faces[0] == faces[1]
        assert faces[2] is None
        assert faces[1]["watches"] == []


async def test_a_curfew_may_make_its_area_one_of_risk_while_it_is_in_force(database: str) -> None:
    async with watching(database) as w:
        desk, code = await w.here.operator(), await code_of(w, 0)
        wish = curfew(code, dark_after_h=2)
        made = await desk.call("POST", "/v1/curfews", wish)
        assert made.json()["dark_after_h"] == 2
        await w.looker.dark()
        assert [a[0] for a in await alarms(w)] == await there(w, code)
        await desk.call("DELETE", f"/v1/curfews/{wish['id']}")
        await w.looker.dark()
        assert not [a for a in await alarms(w) if a[1]]
        plain = await desk.call("POST", "/v1/curfews", curfew(code))
        assert plain.json()["dark_after_h"] is None
        bad = await desk.call("POST", "/v1/curfews", curfew(code, dark_after_h=0))
        assert bad.json()["errors"][0]["path"] == "dark_after_h"


async def position(who: Caller, key: str, reason: str | None = "respond") -> Any:
    query = "" if reason is None else f"?reason={reason}"
    return await who.call("GET", f"/v1/watches/{key}/position{query}")


async def test_a_position_is_shown_for_a_reason_once_overdue_and_each_reading_is_noted(
    database: str,
) -> None:
    async with watching(database) as w:
        phone, desk = await w.phone(0), await w.here.operator()
        officer = await w.here.operator("operator", area_id=await w.area_id(0))
        other = await w.here.operator("operator", area_id=await w.area_id(1))
        auditor = await w.here.operator("auditor")
        await w.sql(_PLACE, w.people[0])
        key = (await w.begin(phone))["id"]
        early = await position(desk, key)
        assert (early.status_code, early.json()["code"]) == (409, "not_overdue")
        await w.after(3700)
        for reason in (None, "curious"):
            refused = await position(desk, key, reason)
            assert (refused.status_code, refused.json()["errors"][0]["path"]) == (422, "reason")
        assert (await position(other, key)).status_code == 404
        for who in (auditor, phone):
            assert (await position(who, key)).status_code == 403
        assert await w.sql(_LOGS) == []
        place = (await position(officer, key)).json()["position"]
        assert (place["lat"], place["lon"], place["accuracy"]) == (1.25, 36.5, 12)
        assert 2400 <= place["age_s"] < 2600
        await position(desk, key, "review")
        assert [r["reason"] for r in await w.sql(_LOGS)] == ["respond", "review"]
        shown = (await w.get(auditor, key))["timeline"]
        read = [(f["by"], f["reason"]) for f in shown if f["what"] == "position_read"]
        assert read == [("operator", "respond"), ("admin", "review")]
        own = (await w.get(phone, key))["timeline"]
        assert not [f for f in own if f["what"] == "position_read"]
        await phone.call("POST", f"/v1/watches/{key}/done", {})
        assert (await position(desk, key)).json()["code"] == "not_overdue", "help is not needed"


async def test_a_position_is_shown_of_who_is_dark_and_null_where_none_is_known(
    database: str,
) -> None:
    async with watching(database) as w:
        phone, desk = await w.phone(0), await w.here.operator()
        key = (await w.begin(phone, 36_000))["id"]
        await risk(w, desk, await code_of(w, 0), 2)
        await w.sql(_SEEN)
        await w.looker.dark()
        found = await position(desk, key)
        assert (found.status_code, found.json()) == (200, {"watch_id": key, "position": None})
        assert len(await w.sql(_LOGS)) == 1
        said = {"id": str(uuid4()), "status": "safe", "at": datetime.now(UTC).isoformat()}
        await phone.call("POST", "/v1/checkins", said)
        await w.looker.dark()
        assert (await position(desk, key)).status_code == 409
