"""Curfews, radio checks, areas of risk, and what a phone is told of its own watches."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from server.checkin.watches.looker import expand
from tests.checkin.watching import Watching, watch, watching

NAIROBI = ZoneInfo("Africa/Nairobi")
_AWAY = """
    INSERT INTO presence (operation_id, person_id, kind, from_at, until_at, source)
    VALUES (current_operation(), $1, 'leave', now() - interval '1 day', now() + interval '1 day',
            'test')
"""
_YESTERDAY = "UPDATE curfew SET last_day = last_day - 1"


def curfew(area: str = "A1", **more: Any) -> dict[str, Any]:
    """One in an hour by Nairobi's clocks, on every day."""
    soon = datetime.now(NAIROBI) + timedelta(hours=1)
    body = {"id": str(uuid4()), "area": area, "at": soon.strftime("%H:%M"), "grace_s": 300}
    return {**body, "weekdays": [1, 2, 3, 4, 5, 6, 7], **more}


async def dues(w: Watching) -> set[tuple[str, datetime]]:
    rows = await w.sql(
        "SELECT p.ref, w.due_at FROM watch w JOIN person p USING (operation_id, person_id)"
        " WHERE w.kind = 'curfew'"
    )
    return {(r["ref"], r["due_at"]) for r in rows}


async def test_a_curfew_watches_everybody_who_is_there(database: str) -> None:
    async with watching(database) as w:
        desk, phone = await w.here.operator(), await w.phone(3)
        wish = curfew()
        there = (
            "SELECT person_id FROM person p JOIN area a USING (area_id) WHERE code = 'A1' LIMIT 1"
        )
        away = await w.value(there)
        await w.sql(_AWAY, away)
        wanted = await w.value(
            "SELECT array_agg(ref ORDER BY ref) FROM person p JOIN area a USING (area_id)"
            " WHERE a.code = $1 AND p.person_id <> $2", wish["area"], away,
        )  # fmt: skip
        answers = [await desk.call("POST", "/v1/curfews", wish) for _ in range(2)]
        assert [a.status_code for a in answers] == [201, 200]
        assert answers[0].json() == answers[1].json()
        other = await desk.call("POST", "/v1/curfews", {**wish, "grace_s": 1})
        assert (other.status_code, other.json()["code"]) == (409, "id_reused")
        assert (await phone.call("POST", "/v1/curfews", curfew())).status_code == 403
        assert await expand(w.here.api.db, w.operation_id) == len(wanted)
        assert await expand(w.here.api.db, w.operation_id) == 0, "once a day"
        found = await dues(w)
        assert sorted(ref for ref, _ in found) == sorted(wanted)
        for _, due_at in found:
            assert due_at.astimezone(NAIROBI).strftime("%H:%M") == wish["at"]
        listed = (await desk.call("GET", "/v1/curfews")).json()["items"]
        assert [c["id"] for c in listed] == [wish["id"]]


async def test_who_reports_in_its_window_has_kept_a_curfew(database: str) -> None:
    async with watching(database) as w:
        desk, phone = await w.here.operator(), await w.phone(0)
        code = await w.value("SELECT code FROM area WHERE area_id = $1", await w.area_id(0))
        await desk.call("POST", "/v1/curfews", curfew(code))
        await w.report(phone)  # before the looker makes it, within its window
        await w.looker.curfews()
        await w.after(3600 + 300)
        rows = await w.sql("SELECT person_id, state FROM watch")
        states = {w.people.index(r["person_id"]): r["state"] for r in rows}
        assert states.pop(0) == "done"
        assert set(states.values()) == {"overdue"}


async def test_a_curfew_that_ends_takes_its_watches_along_but_none_that_were_missed(
    database: str,
) -> None:
    async with watching(database) as w:
        desk = await w.here.operator()
        wish = curfew()
        await desk.call("POST", "/v1/curfews", wish)
        await w.looker.curfews()
        await w.after(3000)
        await w.sql(
            "UPDATE watch SET due_at = now() - interval '1 hour',"
            " turn_at = now() - interval '1 hour'"
            " WHERE watch_id = (SELECT min(watch_id::text)::uuid FROM watch)"
        )
        await w.look()
        path = f"/v1/curfews/{wish['id']}"
        officer = await w.here.operator("operator", area_id=await w.area_id(1))
        area = await w.value("SELECT area_id FROM area WHERE code = 'A1'")
        if await w.area_id(1) != area:
            assert (await officer.call("DELETE", path)).status_code == 404
        ends = [(await desk.call("DELETE", path)).status_code for _ in range(2)]
        assert ends == [204, 204], "a repeat is answered as the first was"
        assert await w.value("SELECT count(*) FROM audit WHERE action = 'curfew.end'") == 1
        assert (await desk.call("DELETE", f"/v1/curfews/{uuid4()}")).status_code == 404
        states = [r[0] for r in await w.sql("SELECT state FROM watch")]
        assert (states.count("overdue"), set(states)) == (1, {"overdue", "cancelled"})
        await w.sql(_YESTERDAY)
        await w.looker.curfews()
        assert len(states) == await w.value("SELECT count(*) FROM watch")
        assert (await desk.call("GET", "/v1/curfews")).json()["items"] == []


async def test_a_curfew_follows_the_operations_time_zone(database: str) -> None:
    async with watching(database) as w:
        desk = await w.here.operator()
        wish = curfew()
        await desk.call("POST", "/v1/curfews", wish)
        await w.here.api.db.fetch(
            w.operation_id, "UPDATE operation SET timezone = 'Africa/Lagos'"
        )  # two hours behind: it is due in three
        assert await expand(w.here.api.db, w.operation_id) == 0, "its window has not begun"
        await w.sql("UPDATE curfew SET window_s = 4 * 3600")
        assert await expand(w.here.api.db, w.operation_id) > 0
        for _, due_at in await dues(w):
            assert due_at.astimezone(ZoneInfo("Africa/Lagos")).strftime("%H:%M") == wish["at"]


async def test_a_roll_is_called_and_ticked_by_ear(database: str) -> None:
    async with watching(database) as w:
        desk = await w.here.operator()
        due = (datetime.now(UTC) + timedelta(minutes=15)).isoformat()
        body = {"id": str(uuid4()), "due_at": due, "people": ["P1", "P2"], "callsigns": ["KILO 2"]}
        answers = [await desk.call("POST", "/v1/radio-checks", body) for _ in range(2)]
        assert [a.status_code for a in answers] == [201, 200]
        path = f"/v1/radio-checks/{body['id']}"
        for ref in ("P1", "P1"):
            ticked = await desk.call("POST", f"{path}/heard", {"ref": ref})
            assert ticked.status_code == 200, ticked.text
        assert ticked.json()["heard"] == 1
        nobody = await desk.call("POST", f"{path}/heard", {"ref": "P3"})
        assert (nobody.status_code, nobody.json()["errors"][0]["path"]) == (422, "ref")
        await w.after(901)
        roll = (await desk.call("GET", path)).json()
        assert {n["callsign"] or n["person"]["ref"]: n["state"] for n in roll["names"]} == {
            "P1": "done", "P2": "overdue", "KILO 2": "overdue",
        }  # fmt: skip
        assert (None, "duty", 0) in await w.told()
        late = await desk.call("POST", f"{path}/heard", {"ref": "KILO 2"})
        assert [n["late"] for n in late.json()["names"] if n["callsign"]] == [True]
        officer = await w.here.operator("operator", area_id=await w.area_id(0))
        seen = (await officer.call("GET", path)).json()["names"]
        assert [n["person"]["ref"] for n in seen] == ["P1"]
        refused = await officer.call("POST", "/v1/radio-checks", {**body, "id": str(uuid4())})
        assert refused.json()["errors"][0]["path"] == "people[1]"
        empty = await desk.call("POST", "/v1/radio-checks", {"id": str(uuid4()), "due_at": due})
        assert empty.status_code == 422


async def dark(w: Watching, who: Any) -> list[str]:
    answer = await who.call("GET", "/v1/watches/dark")
    assert answer.status_code == 200, answer.text
    return [p["person"]["ref"] for p in answer.json()["items"]]


async def test_who_is_dark_in_an_area_of_risk_is_shown(database: str) -> None:
    async with watching(database) as w:
        desk, phone = await w.here.operator(), await w.phone(0)
        code = await w.value("SELECT code FROM area WHERE area_id = $1", await w.area_id(0))
        there = [n for n in range(12) if await w.area_id(n) == await w.area_id(0)]
        assert await dark(w, desk) == []
        answer = await desk.call("PUT", f"/v1/areas/{code}/risk", {"dark_after_h": 2})
        assert answer.status_code == 204
        [flag] = (await desk.call("GET", "/v1/areas/risk")).json()["items"]
        assert (flag["area"], flag["dark_after_h"]) == (code, 2)
        await w.sql("UPDATE credential SET last_seen_at = now() - interval '3 hours'")
        assert await dark(w, desk) == sorted(f"P{n + 1}" for n in there), "never heard of is dark"
        await w.report(phone)
        assert await dark(w, desk) == sorted(f"P{n + 1}" for n in there if n)
        await w.pass_s(2 * 3600 + 60)
        await w.sql("UPDATE credential SET last_seen_at = now() - interval '3 hours'")
        assert len(await dark(w, desk)) == len(there)
        first = (await desk.call("GET", "/v1/watches/dark?limit=1")).json()
        rest = (await desk.call("GET", first["next"])).json()["items"]
        assert [p["person"]["ref"] for p in rest] == sorted(f"P{n + 1}" for n in there)[1:2]
        elsewhere = await w.here.operator("operator", area_id=await w.area_id(1))
        assert await dark(w, elsewhere) == []
        assert (await elsewhere.call("GET", "/v1/areas/risk")).json()["items"] == []
        assert (
            await desk.call("PUT", "/v1/areas/NOPE/risk", {"dark_after_h": 2})
        ).status_code == 404
        await desk.call("PUT", f"/v1/areas/{code}/risk", {"dark_after_h": None})
        assert await dark(w, desk) == []
        assert (await desk.call("GET", "/v1/areas/risk")).json()["items"] == []


async def test_a_phone_is_told_of_its_own_watches(database: str) -> None:
    async with watching(database) as w:
        phone = await w.phone(0)
        before = (await phone.call("GET", "/v1/self")).json()
        assert (before["watch"], before["watches"]) == (None, [])
        keys = [(await w.begin(phone, due))["id"] for due in (7200, 3600)]
        await w.begin(await w.phone(1))
        told = (await phone.call("GET", "/v1/self")).json()
        assert [t["id"] for t in told["watches"]] == keys[::-1]
        assert told["watch"] == told["watches"][0]
        await phone.call("POST", f"/v1/watches/{keys[1]}/done", {})
        left = (await phone.call("GET", "/v1/self")).json()
        assert [t["id"] for t in left["watches"]] == keys[:1]
        assert watch()["kind"] == left["watch"]["kind"]
