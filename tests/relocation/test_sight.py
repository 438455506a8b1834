"""Who sees a part of a movement sees the counts, names and reports of that part alone."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from tests.relocation.moving import Moving, moving
from tests.relocation.test_merging import merge, walk_in
from tests.support.http import Caller


@pytest.fixture
async def own(database: str) -> AsyncIterator[Moving]:
    async with moving(database) as made:
        yield made


async def zone(own: Moving, code: str, role: str = "operator") -> Caller:
    """A desk of one area."""
    [[area_id]] = await own.sql("SELECT area_id FROM area WHERE code = $1", code)
    return await own.here.operator(role, area_id=area_id)


async def area_of(own: Moving, ref: str) -> str:
    [[code]] = await own.sql(
        "SELECT a.code FROM person p JOIN area a USING (operation_id, area_id) WHERE p.ref = $1",
        ref,
    )
    return str(code)


async def read(own: Moving, caller: Caller, path: str = "") -> Any:
    answer = await caller.call("GET", own.path + path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def close(own: Moving) -> None:
    people = (await own.ask("GET", "/people", params={"unsettled": "true"}))["items"]
    unresolved = [{"ref": p["ref"], "reason": "Not heard of."} for p in people]
    await own.ask("POST", "/close", {"statement": "All is told.", "unresolved": unresolved})


async def test_population_and_late_reports_are_those_in_sight(own: Moving) -> None:
    desk = await zone(own, await area_of(own, "P1"))
    await close(own)
    await own.say(own.said("P1", "ready"), own.said("P2", "ready"))
    board = await read(own, desk)
    listed = await read(own, desk, "/people")
    assert board["movement"]["population"] == board["population"] == len(listed["items"]) == 6
    assert (board["late"], (await own.ask("GET", ""))["late"]) == (1, 2)
    [row] = (await desk.call("GET", "/v1/movements")).json()["items"]
    assert (row["population"], row["unsettled"]) == (6, 6)
    warden = await own.here.operator("warden", person_id=own.people[0])
    seen = await warden.call("GET", own.path)
    if seen.status_code == 200:  # of a branch of hers
        assert seen.json()["movement"]["population"] == seen.json()["population"]


async def test_late_reports_of_who_was_merged_are_hers(own: Moving) -> None:
    await walk_in(own)
    await close(own)
    await own.say(own.said("W1", "ready", 30))
    await merge(own, "W1", "P2")
    assert (await own.ask("GET", ""))["late"] == 1


async def test_the_timeline_names_nobody_out_of_sight(own: Moving) -> None:
    await walk_in(own)
    await own.say(own.said("W1", "ready"))
    await own.ask("PUT", "/checkers/P2")
    await merge(own, "W1", "P1")
    whole = {f["what"]: f["detail"] for f in (await own.ask("GET", "/timeline"))["items"]}
    assert (whole["checker_named"], whole["person_merged"]) == ({"ref": "P2"}, {"was": "W1"})
    for ref, what in (("P1", "person_merged"), ("P2", "checker_named")):
        desk = await zone(own, await area_of(own, ref), "auditor")
        for facts in (
            (await read(own, desk, "/timeline"))["items"],
            (await read(own, desk, "/report"))["timeline"],
        ):
            told = {f["what"]: f["detail"] for f in facts}
            assert told.keys() == whole.keys()
            assert told[what] == whole[what]
            other = {"person_merged", "checker_named"} - {what}
            assert told[other.pop()] == {}


async def test_critical_work_is_shown_to_whose_people_keep_it(own: Moving) -> None:
    for name, keeper, deputy in (("Radio", "P1", "P4"), ("Health", "P2", "P5")):
        body = {"name": name, "keeper": keeper, "deputies": [deputy]}
        await own.ask("PUT", f"/functions/{uuid4()}", body)
    areas = {ref: await area_of(own, ref) for ref in ("P1", "P2", "P4", "P5")}
    for code in set(areas.values()):
        desk = await zone(own, code)
        shown = {f["name"] for f in (await read(own, desk, "/functions"))["items"]}
        due = {"Radio"} if code in (areas["P1"], areas["P4"]) else set()
        assert shown == due | ({"Health"} if code in (areas["P2"], areas["P5"]) else set())


async def test_a_list_from_a_part_of_it_takes_nobody_off_who_was_not_shown(own: Moving) -> None:
    """The desk of an area made the movement; somebody of elsewhere was added and has a seat."""
    code = await area_of(own, "P1")
    desk = await zone(own, code)
    mine = Moving(own.here, desk)
    answer = await desk.call("POST", "/v1/movements", mine.wish(origins=[code]))
    assert answer.status_code == 201, answer.text
    await own.here.work()
    await mine.plan()
    whole = Moving(own.here, own.desk)
    whole.movement, whole.id = mine.movement, mine.id
    await whole.ask("POST", "/people", {"people": ["P2"]})
    path = f"/vehicles/{mine.id['1']}/manifest"
    await whole.ask("PUT", path, {"people": ["P1", "P2"]})
    assert [s["person"]["ref"] for s in (await mine.ask("GET", path))["seats"]] == ["P1"]
    await mine.ask("PUT", path, {"people": []})
    assert [s["person"]["ref"] for s in (await whole.ask("GET", path))["seats"]] == ["P2"]


async def test_nobody_hears_herself_over_the_radio(own: Moving) -> None:
    phone = await own.here.phone(0)
    said = own.said(None, "ready", how="radio")
    assert (await phone.call("POST", "/v1/stage-reports", said)).status_code == 201
    [report] = (await own.ask("GET", "/people/P1"))["reports"]
    assert report["how"] == "app"


async def test_a_seat_on_a_withdrawn_vehicle_is_shown_to_no_phone(own: Moving) -> None:
    phone = await own.here.phone(0)
    await own.ask("PUT", f"/vehicles/{own.id['1']}/manifest", {"people": ["P1"]})

    async def shown() -> Any:
        [movement] = (await phone.call("GET", "/v1/self")).json()["movements"]
        return movement["seats"], movement["people"][0]["seats"]

    numbers, seats = await shown()
    assert (numbers, [s["vehicle_no"] for s in seats]) == ([1], [1])
    await own.vehicle(1, state="withdrawn")
    assert await shown() == ([], [])
