"""What a desk asks of a movement beside its board: whom a count is made of, and one by one."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.relocation.moving import Moving, moving


@pytest.fixture
async def own(database: str) -> AsyncIterator[Moving]:
    async with moving(database) as made:
        yield made


async def refs(own: Moving, **params: Any) -> list[str]:
    """The people that filters leave."""
    found = (await own.ask("GET", "/people", params=params))["items"]
    return sorted(p["ref"] for p in found)


async def ride(own: Moving) -> None:
    """P1 and P2 ride in 1 as far as the border and P1 on in 3; P4 is in 1 still, P5 in 2."""
    await own.say(*(own.said(r, "boarded", 3000, vehicle=1) for r in ("P1", "P2", "P4")))
    await own.say(*(own.said(r, "at_point", 2000, vehicle=1, point="BORDER") for r in ("P1", "P2")))
    await own.say(own.said("P1", "boarded", 1000, vehicle=3), own.said("P5", "boarded", vehicle=2))


async def test_every_count_of_a_vehicle_and_a_point_leads_to_its_people(own: Moving) -> None:
    await ride(own)
    board = await own.ask("GET", "")
    for vehicle in board["vehicles"]:
        for count in ("boarded", "arrived", "missing"):
            found = await refs(own, vehicle=vehicle["number"], counted=count)
            assert len(found) == vehicle[count], (vehicle["number"], count)
    assert await refs(own, vehicle=1, counted="boarded") == ["P1", "P2", "P4"]
    assert await refs(own, vehicle=1, counted="arrived") == ["P1", "P2"]
    assert await refs(own, vehicle=1, counted="missing") == ["P4"]
    assert await refs(own, vehicle=1) == ["P4"], "who is on it now"
    for point in board["points"]:
        assert len(await refs(own, point=point["id"])) == point["present"]
    refused = await own.desk.call("GET", f"{own.path}/people?counted=boarded")
    assert refused.json()["errors"][0]["path"] == "vehicle"


async def test_every_group_and_side_leads_to_its_people(own: Moving) -> None:
    await ride(own)
    board = await own.ask("GET", "")
    for by, groups in board["by"].items():
        for group in groups:
            assert len(await refs(own, **{by: group["key"]})) == group["population"]
            aboard = await refs(own, **{by: group["key"]}, stage="boarded")
            assert len(aboard) == group["counts"]["boarded"]
    for side in ("local", "international"):
        assert len(await refs(own, side=side)) == board["parity"][side]["population"]
    here, away = await refs(own, expected="here"), await refs(own, expected="elsewhere")
    assert (len(here), len(away)) == (board["population"], board["elsewhere"])


async def test_who_is_unsettled_is_counted_in_the_list_and_named(own: Moving) -> None:
    await ride(own)
    await own.say(own.said("P8", "staying", reason="Keeps the radio room."))
    await own.say(own.said("P9", "arrived", vehicle=4))
    [listed] = (await own.desk.call("GET", "/v1/movements")).json()["items"]
    assert (listed["unsettled"], listed["conflicts"]) == (17, 1)
    assert len(await refs(own, unsettled="true")) == 17
    [[area_id]] = await own.sql("SELECT area_id FROM area WHERE code = 'A1'")
    zone = await own.here.operator("operator", area_id=area_id)
    [seen] = (await zone.call("GET", "/v1/movements")).json()["items"]
    hers = (await zone.call("GET", f"{own.path}/people?unsettled=true")).json()["items"]
    board = (await zone.call("GET", own.path)).json()
    assert (seen["unsettled"], seen["conflicts"]) == (len(hers), board["conflicts"])
    assert 0 < len(hers) <= seen["population"] == board["population"] == 6, "of whom she sees"


async def test_who_is_counted_where_she_visits_is_a_side_of_her_own(own: Moving) -> None:
    assert (await own.ask("GET", ""))["visitors"] is None, "nobody is no 0 %"
    await own.sql(
        "UPDATE person SET area_id = (SELECT area_id FROM area WHERE code = 'A4') WHERE ref = 'P1'"
    )
    await own.say(own.said("P1", "boarded", vehicle=1))
    visitors = (await own.ask("GET", ""))["visitors"]
    assert (visitors["population"], visitors["moved"]) == (1, 1.0)
    assert visitors["counts"]["boarded"] == 1
    assert await refs(own, visiting="true") == ["P1"]


async def test_one_person_is_shown_with_every_report_of_her(own: Moving) -> None:
    await own.say(own.said("P1", "arrived", 60, vehicle=1))
    await own.say(own.said("P1", "ready", 3600), own.said("P1", "notified", 7200, how="radio"))
    seen = await own.ask("GET", "/people/P1")
    assert (seen["person"]["ref"], seen["person"]["stage"]) == ("P1", "in_question")
    told = [(r["stage"], r["how"], r["by"]) for r in seen["reports"]]
    assert told == [
        ("arrived", "desk", "admin"), ("ready", "desk", "admin"), ("notified", "radio", "admin"),
    ]  # fmt: skip
    [conflict] = (await own.ask("GET", "/conflicts"))["items"]
    assert conflict["stands"] == {"stage": "in_question", "vehicle_no": None, "point": None}
    assert conflict["second"] == seen["reports"][0]
    for ref in ("P3", "nobody", "%"):  # of the operation, not of the movement; of neither
        assert (await own.desk.call("GET", f"{own.path}/people/{ref}")).status_code == 404
    [[area_id]] = await own.sql("SELECT area_id FROM area WHERE code = 'A2'")
    zone = await own.here.operator("operator", area_id=area_id)
    answers = [(await zone.call("GET", f"{own.path}/people/P{n}")).status_code for n in (1, 2)]
    assert sorted(answers) == [200, 404]


async def test_late_reports_are_found_and_the_timeline_is_told_alone(own: Moving) -> None:
    await own.ask("POST", "/activate")
    await own.vehicle(1, state="departed")
    people = [{"ref": r, "reason": "Not heard of."} for r in await refs(own, unsettled="true")]
    await own.ask("POST", "/close", {"statement": "All is told.", "unresolved": people})
    await own.say(own.said("P1", "boarded", vehicle=1))
    assert await refs(own, late="true") == ["P1"]
    rows = await own.sql("SELECT area_id FROM area WHERE code IN ('A1', 'A2') ORDER BY code")
    zones = [await own.here.operator("operator", area_id=row[0]) for row in rows]
    late = [(await zone.call("GET", own.path)).json()["late"] for zone in zones]
    assert sorted(late) == [0, 1], "an area's desk counts the late reports of its own people"
    facts = (await own.ask("GET", "/timeline"))["items"]
    told = [f["what"] for f in facts]
    assert told[0] == "created"
    assert told[-4:] == ["activated", "manifest_sealed", "vehicle_departed", "closed"]
    assert [f["at"] for f in facts] == sorted(f["at"] for f in facts)
    assert (await own.ask("GET", "/report"))["timeline"] == facts
