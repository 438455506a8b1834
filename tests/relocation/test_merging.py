"""Two records that are one person: in movements she is counted once, with all that both had."""

from typing import Any
from uuid import uuid4

from tests.relocation.moving import Moving, moving
from tests.support.http import Caller

_WALK_IN = """
    INSERT INTO person (operation_id, ref, name, category, agency_id, area_id, kind)
    SELECT operation_id, $2, 'Nobody known', 'local', agency_id, area_id, 'walk_in' FROM person
    WHERE person_id = $1 RETURNING person_id
"""
_PAPERS = "SELECT person_id, held FROM travel_paper"
_MOVERS = """
    SELECT m.stage, m.area_id, m.added FROM movement_person m JOIN person p USING (person_id)
    WHERE p.ref = $1
"""


async def walk_in(own: Moving, ref: str = "W1", area_of: int = 0) -> int:
    """Somebody at a checkpoint whom nobody knew, now on record."""
    [[person_id]] = await own.sql(_WALK_IN, own.people[area_of], ref)
    return int(person_id)


async def merge(own: Moving, ref: str, into: str) -> None:
    """Makes one of two; the movement follows by its job."""
    answer = await own.desk.call("POST", f"/v1/people/{ref}/merge", {"into": into})
    assert answer.status_code == 200, answer.text
    await own.here.work()


async def refs(own: Moving) -> list[str]:
    return [r["ref"] for r in (await own.ask("GET", "/people", params={"limit": 200}))["items"]]


async def conflicts(own: Moving) -> dict[str, str]:
    rows = (await own.ask("GET", "/conflicts"))["items"]
    return {r["kind"]: r["person"]["ref"] for r in rows if r["state"] == "open"}


async def test_of_two_in_one_movement_one_remains_with_the_reports_of_both(database: str) -> None:
    async with moving(database) as own:
        await walk_in(own)
        await own.say(own.said("W1", "boarded", 900, vehicle=1))
        await own.say(own.said("P1", "ready", 1200), own.said("P1", "arrived", 60, point="BORDER"))
        assert await conflicts(own) == {"arrived_without_boarding": "P1"}
        before = await own.exact()
        await merge(own, "W1", "P1")
        after = await own.exact()
        assert after.total() == before.total() - 1
        assert await own.stage("P1") == "at_point", "she had boarded, as W1"
        assert "W1" not in await refs(own)
        assert await conflicts(own) == {}
        [old] = (await own.ask("GET", "/conflicts"))["items"]
        assert (old["state"], old["explained_by"]) == ("explained", None), "kept"
        await merge(own, "W1", "P1")
        assert await own.exact() == after
        report = await own.ask("GET", "/report")
        assert [f["what"] for f in report["timeline"]].count("person_merged") == 1


async def test_what_both_cannot_have_done_is_a_conflict_of_hers(database: str) -> None:
    async with moving(database) as own:
        await walk_in(own)
        await own.vehicle(1, seats=1)
        await own.say(own.said("W1", "boarded", 900, vehicle=1))
        await own.say(
            own.said("P1", "boarded", 800, vehicle=2), own.said("W1", "arrived", 99, vehicle=3)
        )
        assert await conflicts(own) == {"two_vehicles": "W1"}
        await merge(own, "W1", "P1")
        await own.exact()
        found = await own.sql("SELECT kind, person_id, state FROM movement_conflict")
        assert {r["person_id"] for r in found} == {own.people[0]}
        assert "two_vehicles" in await conflicts(own)
        assert await own.stage("P1") == "in_question"


async def test_who_alone_was_in_it_is_replaced_with_seat_code_and_offices(database: str) -> None:
    async with moving(database) as own:
        listed = await refs(own)
        far = next(n for n in range(len(own.people)) if f"P{n + 1}" not in listed)
        into = f"P{far + 1}"
        other = await walk_in(own)
        await own.ask("POST", "/people", {"people": ["W1"]})
        await own.sql("SELECT give_movement_codes($1, $2)", own.movement, [other])
        seats = f"/vehicles/{own.id['1']}/manifest"
        await own.ask("PUT", seats, {"people": ["P1", "W1"]})
        about = {"ref": "W1", "papers": True, "expires_on": "2030-01-01", "medical": True}
        await own.ask("PUT", "/travellers", {"items": [about]})
        work = {"name": "Radio", "keeper": "P2", "deputies": ["W1"]}
        await own.ask("PUT", f"/functions/{uuid4()}", work)
        code = await own.desk.call("POST", "/v1/people/W1/code", {"do": "issue"})
        await own.ask("POST", f"{seats}/seal")
        [area] = [r["area_id"] for r in await own.sql(_MOVERS, "W1")]
        await merge(own, "W1", into)
        await own.exact()
        [row] = await own.sql(_MOVERS, into)
        assert tuple(row) == ("listed", area, "added"), "where the other was counted"
        person = own.people[far]
        assert await own.sql("SELECT person_id FROM movement_code") == [(person,)]
        assert [tuple(r) for r in await own.sql(_PAPERS)] == [(person, True)]
        assert await own.sql("SELECT person_id FROM medical_need") == [(person,)]
        assert await own.sql("SELECT deputies FROM movement_function") == [([person],)]
        manifest = await own.ask("GET", seats)
        assert sorted(s["person"]["ref"] for s in manifest["seats"]) == sorted(["P1", into])
        assert {(a["what"], a["person"]["ref"]) for a in manifest["amendments"]} == {
            ("taken_off", "W1"), ("put_on", into)}  # fmt: skip
        scanned = await _scan(own, code.json()["code"])
        assert scanned.status_code == 201, scanned.text
        assert await own.stage(into) == "boarded"


async def _scan(own: Moving, code: str) -> Any:
    """A checker scans a code that was printed for the walk-in."""
    await own.ask("PUT", "/checkers/P3")
    checker: Caller = await own.here.phone(2)
    body = own.said(None, "boarded", 60, vehicle=1, code=code)
    return await checker.call("POST", "/v1/stage-reports", body)


async def test_reports_under_the_old_name_that_come_later_are_hers(database: str) -> None:
    async with moving(database) as own:
        await walk_in(own)
        await own.say(own.said("W1", "at_point", 900, point="GATE"))
        late = own.said("W1", "boarded", 600, vehicle=1)
        await own.ask("PUT", "/checkers/P3")
        checker = await own.here.phone(2)
        await merge(own, "W1", "P1")
        answers = [await checker.call("POST", "/v1/stage-reports", late) for _ in range(2)]
        assert [a.status_code for a in answers] == [201, 200]
        assert (await own.say(own.said("W1", "arrived", 60, vehicle=1)))[0]["stage"] == "arrived"
        assert await own.stage("P1") == "at_point"
        assert "W1" not in await refs(own), "nobody joins again under the old name"
        assert (await own.exact()).total() == len(await refs(own))


async def test_a_merge_while_people_are_listed_counts_her_once(database: str) -> None:
    async with moving(database) as own:
        second = Moving(own.here, own.desk)
        await walk_in(own)
        wish = second.wish(id=str(second.movement), people=["W1"])
        assert (await own.desk.call("POST", "/v1/movements", wish)).status_code == 201
        await second.say(second.said("W1", "ready", 60), second.said("P1", "notified", 600))
        merged = await own.desk.call("POST", "/v1/people/W1/merge", {"into": "P1"})
        assert merged.status_code == 200
        await own.here.work()
        assert "W1" not in await refs(second)
        assert await second.stage("P1") == "ready"
        await second.exact()


async def test_her_page_and_every_count_of_a_vehicle_hold_what_both_reported(database: str) -> None:
    async with moving(database) as own:
        await walk_in(own)
        await own.say(own.said("W1", "boarded", 900, vehicle=1), own.said("P1", "ready", 1200))
        await merge(own, "W1", "P1")
        page = await own.ask("GET", "/people/P1")
        assert [r["stage"] for r in page["reports"]] == ["boarded", "ready"]
        [bus] = [v for v in (await own.ask("GET", ""))["vehicles"] if v["number"] == 1]
        found = await own.ask("GET", "/people", params={"vehicle": 1, "counted": "boarded"})
        assert [p["ref"] for p in found["items"]] == ["P1"]
        assert bus["boarded"] == 1
