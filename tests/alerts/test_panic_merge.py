"""Two records turn out to be one person: her panics are hers, of two one goes on in the other."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx

from server.alerts.panics import store
from server.alerts.panics.press import Press
from server.alerts.panics.pressing import Caller, press
from tests.alerts.panics import SERVED, Scene, scene

SPOT = {"lat": 1.25, "lon": 36.5, "accuracy": 9}
PINS = {"pin": "4711", "duress_pin": "8020"}


async def walk_in(s: Scene, alert_id: UUID) -> tuple[str, int]:
    """Somebody nobody had listed, in an alert; her ref and her number in the scene."""
    area = await s.value("SELECT code FROM area ORDER BY area_id LIMIT 1")
    body = {"id": str(uuid4()), "kind": "walk_in", "name": "Amina", "area": area}
    added = await s.desk.call("POST", f"/v1/alerts/{alert_id}/people", body)
    assert added.status_code == 201, added.text
    ref = added.json()["ref"]
    person_id = await s.value("SELECT person_id FROM person WHERE ref = $1", ref)
    s.site.station.people.append(person_id)
    return ref, len(s.site.station.people) - 1


async def merge(s: Scene, ref: str, into: str) -> httpx.Response:
    answer = await s.desk.call("POST", f"/v1/people/{ref}/merge", {"into": into})
    assert answer.status_code == 200, answer.text
    return answer


async def send(s: Scene, n: int, panic: str) -> dict[str, Any]:
    item = {"id": str(uuid4()), "at": datetime.now(UTC).isoformat(), "lat": 2.0, "lon": 36.0}
    answer = await s.act(panic, "positions", {"items": [item]}, await s.phone(n))
    assert answer.status_code < 300, answer.text
    return dict(answer.json())


async def test_her_panic_is_hers_and_counts_for_who_remains(database: str) -> None:
    async with scene(database) as s:
        alert_id = await s.site.station.open_rollcall()
        ref, n = await walk_in(s, alert_id)
        await (await s.phone(n)).call("PUT", "/v1/self/pin", PINS)
        panic = (await s.press(n, location=SPOT))["panic_id"]
        await s.work()
        assert (await s.status(n, alert_id), await s.status(3, alert_id)) == (
            "need_help", "unaccounted",
        )  # fmt: skip
        await merge(s, ref, "P4")
        assert await s.status(3, alert_id) == "need_help", "from the same commit on"
        face = (await s.get(panic)).json()
        assert (face["person"]["ref"], face["state"]) == ("P4", "open")
        assert face["facts"][-1]["kind"] == "person_merged"
        assert face["facts"][-1]["detail"] == {"was": ref}
        assert await s.value("SELECT person_id FROM position") == s.site.station.people[3]
        own = (await (await s.phone(3)).call("GET", "/v1/self")).json()
        assert own["panic"]["id"] == panic
        assert own["pin_set"] is True
        assert await send(s, n, panic) == {"kept": 1, "more": True}, "known by her old name yet"
        taken = await s.act(panic, "cancel", {"pin": "4711"}, await s.phone(n))
        assert taken.json() == {"panic_id": panic, "state": "cancelled"}
        await s.act(panic, "close", {"outcome": "false_alarm"})
        assert await s.status(3, alert_id) == "unaccounted"


async def test_of_two_that_are_live_the_later_goes_on_in_the_earlier(database: str) -> None:
    async with scene(database) as s:
        alert_id = await s.site.station.open_rollcall()
        ref, n = await walk_in(s, alert_id)
        first = (await s.press(3, covert=True))["panic_id"]
        later = (await s.press(n, location=SPOT))["panic_id"]
        await s.act(later, "acknowledge")
        await merge(s, ref, "P4")
        one = (await s.get(first, "?reason=respond")).json()
        assert (one["state"], one["presses"], one["covert"]) == ("open", 2, False)
        assert [p["lat"] for p in one["positions"]] == [SPOT["lat"]]
        assert [f["kind"] for f in one["facts"]] == ["raised", "joined"]
        other = (await s.get(later)).json()
        assert (other["state"], other["outcome"]) == ("resolved", "passed_on")
        assert other["facts"][-2]["detail"] == {"outcome": "passed_on", "into": first}
        assert await s.status(3, alert_id) == "need_help", "told openly once, it is an open one"
        assert await send(s, n, later) == {"kept": 1, "more": True}, "her phone need not know"
        again = await s.press(n)
        assert (again["panic_id"], again["merged"]) == (first, True)
        jobs = await s.sql("SELECT run_key FROM job WHERE kind = 'panic.realert'")
        assert [j[0] for j in jobs] == [first]
        await s.later(600)
        assert (await s.get(first)).json()["round"] > 0, "until a named human has this one"


async def test_a_covert_one_stays_covert_beside_one_that_nothing_vouches_for(database: str) -> None:
    async with scene(database) as s:
        alert_id = await s.site.station.open_rollcall()
        ref, n = await walk_in(s, alert_id)
        first = await s.text(n)
        await s.press(3, covert=True)
        await merge(s, ref, "P4")
        one = (await s.get(first)).json()
        assert (one["state"], one["covert"], one["verified"]) == ("open", True, True)
        assert (await (await s.phone(3)).call("GET", "/v1/self")).json()["panic"]["id"] == first
        assert {c for _, c, _ in await s.told()} == {"duty"}, "no warden hears of it"


async def test_who_was_told_of_one_near_them_knows_of_the_one_that_goes_on(database: str) -> None:
    async with scene(database) as s:
        alert_id = await s.site.station.open_rollcall()
        ref, n = await walk_in(s, alert_id)
        await s.desk.call("PUT", "/v1/panic-settings", {"nearby_m": 1000})
        here = (
            "INSERT INTO position (operation_id, person_id, lat, lon, event_at, purpose) "
            "VALUES (current_operation(), $1, $2, $3, clock_timestamp(), 'checkin')"
        )
        await s.sql(here, s.site.station.people[9], SPOT["lat"], SPOT["lon"])
        first = (await s.press(3))["panic_id"]
        await s.press(n, location=SPOT)
        await s.work()
        await merge(s, ref, "P4")
        await s.work()
        help_ = (await (await s.phone(9)).call("GET", "/v1/self")).json()["nearby_help"]
        assert [h["panic_id"] for h in help_] == [first]
        assert [t for t in await s.told() if t[2] == 9] == [(0, "sms", 9)], "once"


async def test_words_not_yet_sent_are_of_the_one_that_goes_on(database: str) -> None:
    async with scene(database) as s:
        alert_id = await s.site.station.open_rollcall()
        ref, n = await walk_in(s, alert_id)
        await s.press(n)
        await s.press(3)
        before = await s.value("SELECT count(*) FROM delivery WHERE state = 'queued'")
        await merge(s, ref, "P4")
        assert before == await s.value(
            "SELECT count(*) FROM delivery d JOIN panic c USING (panic_id) "
            "WHERE d.state = 'queued' AND c.state = 'open' AND NOT moot(d)"
        )


async def test_a_silent_one_stays_apart_and_silent(database: str) -> None:
    async with scene(database) as s:
        alert_id = await s.site.station.open_rollcall()
        ref, n = await walk_in(s, alert_id)
        for who in (n, 3):
            await (await s.phone(who)).call("PUT", "/v1/self/pin", PINS)
            said = await (await s.phone(who)).call("POST", "/v1/self/pin/verify", {"pin": "8020"})
            assert said.status_code == 200
        await s.work()
        await s.press(3)
        told = await s.told()
        answer = await merge(s, ref, "P4")
        assert answer.json() == {"ref": "P4", "merged": [ref]}
        rows = await s.sql("SELECT duress, state, presses FROM panic ORDER BY duress, state")
        assert [tuple(r) for r in rows] == [
            (False, "open", 1), (True, "open", 2), (True, "resolved", 1),
        ]  # fmt: skip
        assert await s.told() == told
        area = await s.value("SELECT area_id FROM person WHERE ref = 'P4'")
        zone = await s.site.operator("operator", area_id=area)
        shown = (await zone.call("GET", "/v1/panics")).json()["items"]
        assert [p["duress"] for p in shown] == [False]


async def test_a_press_for_who_was_merged_a_moment_ago_joins(database: str) -> None:
    """A phone's identity is remembered for some seconds, in other processes longest."""
    async with scene(database) as s:
        alert_id = await s.site.station.open_rollcall()
        ref, n = await walk_in(s, alert_id)
        first = (await s.press(3))["panic_id"]
        was = s.site.station.people[n]
        await merge(s, ref, "P4")
        stale = Caller(was, f"device:{UUID(int=1)}", "app")
        args = (s.site.api.db, s.site.station.operation_id, stale, [Press(press_id=uuid4())])
        [done] = await press(*args, SERVED)
        assert (str(done.panic_id), done.merged) == (first, True)
        assert await s.value("SELECT count(*) FROM panic WHERE person_id = $1", was) == 0


async def test_a_press_that_is_being_written_is_waited_for(database: str) -> None:
    """Else it would be on record for who was merged, and nobody would carry it on."""
    async with scene(database) as s:
        ref, n = await walk_in(s, await s.site.station.open_rollcall())
        hers, api = s.site.station.people[n], s.site.api
        async with api.db.transaction(s.site.station.operation_id, lane="panic") as con:
            await store.begin(con, hers, [uuid4()], False)
            merging = asyncio.create_task(merge(s, ref, "P4"))
            done, _ = await asyncio.wait({merging}, timeout=1)
            assert not done
        await merging


async def test_the_pins_that_were_set_last_stay(database: str) -> None:
    async with scene(database) as s:
        alert_id = await s.site.station.open_rollcall()
        ref, n = await walk_in(s, alert_id)
        for who, pins in ((3, PINS), (n, {"pin": "1234", "duress_pin": "5678"})):
            await (await s.phone(who)).call("PUT", "/v1/self/pin", pins)
        await merge(s, ref, "P4")
        phone = await s.phone(3)
        for pin, status in (("4711", 403), ("1234", 200)):
            said = await phone.call("POST", "/v1/self/pin/verify", {"pin": pin})
            assert said.status_code == status
