"""A movement from its making to its close-out, over the whole API."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from server import stream
from server.auth import Scope
from server.relocation.board import Faces
from tests.relocation.moving import Moving, moving
from tests.support.http import Caller, site


@pytest.fixture
async def own(database: str) -> AsyncIterator[Moving]:
    async with moving(database) as made:
        yield made


async def test_everyone_of_the_origin_areas_is_in_the_count_with_family(database: str) -> None:
    async with site(database, people=24) as here:
        own = Moving(here, await here.operator())
        await own.family(0, "F1")
        await own.family(2, "F3")  # P3 lives in A4, where nobody is moved from
        await own.begin(people=["P3"])
        board = await own.ask("GET", "")
        refs = {p["ref"] for p in (await own.ask("GET", "/people"))["items"]}
    assert board["movement"]["state"] == "planned"
    assert board["population"] == board["counts"]["listed"] == 18 + 1 + 2
    assert {"F1", "P3", "F3"} <= refs
    assert "P7" not in refs
    for groups in board["by"].values():
        assert sum(g["population"] for g in groups) == board["population"]
    assert sum(c["count"] for c in board["cells"]) == board["population"]


async def test_what_is_reported_while_people_are_listed_counts(database: str) -> None:
    async with site(database, people=24) as here:
        own = Moving(here, await here.operator())
        await own.desk.call("POST", "/v1/movements", own.wish())
        await own.say(own.said("P1", "ready"), own.said("P3", "ready"))
        board = await own.ask("GET", "")
        assert (board["movement"]["state"], board["population"]) == ("preparing", 0)
        await here.work()
        board = await own.ask("GET", "")
        stages = await own.exact()
    assert board["movement"]["state"] == "planned"
    assert board["population"] == 19, "whom the desk reports is in it"
    assert (stages["ready"], stages["listed"]) == (2, 17)


async def test_the_board_tells_who_boarded_and_has_not_arrived(own: Moving) -> None:
    refs = ["P1", "P2", "P4"]
    await own.say(*(own.said(r, "at_point", 3600, point="GATE") for r in refs))
    await own.say(*(own.said(r, "boarded", 3000, vehicle=1) for r in refs))
    await own.say(*(own.said(r, "arrived", 60, vehicle=1) for r in refs[:2]))
    board = await own.ask("GET", "")
    bus = board["vehicles"][0]
    assert (bus["boarded"], bus["arrived"], bus["missing"], bus["seats_left"]) == (3, 2, 1, 47)
    assert bus["last_report_s"] >= 60
    present = {p["name"]: p["present"] for p in board["points"]}
    assert present == {"GATE": 0, "CAMP": 0, "BORDER": 2, "HAVEN": 0}
    [missed] = (await own.ask("GET", "/people", params={"missing": "true"}))["items"]
    assert (missed["ref"], missed["missing"], missed["vehicle_no"]) == ("P4", "not_arrived", 1)
    assert (await own.exact())["boarded"] == 1
    await own.say(own.said("P4", "at_point", 2000, point="GATE"))
    await own.vehicle(1, state="departed")
    await own.vehicle(2, state="departed")
    missing = (await own.ask("GET", "/people", params={"missing": "true"}))["items"]
    assert [(p["ref"], p["missing"]) for p in missing] == [("P4", "left_behind")]
    parity = (await own.ask("GET", ""))["parity"]
    assert parity["local"]["population"] + parity["international"]["population"] < 18
    assert parity["local"]["moved"] == 0.0


async def test_the_same_report_again_is_answered_with_the_first_answer(own: Moving) -> None:
    body = own.said("P1", "boarded", vehicle=2)
    first = await own.desk.call("POST", "/v1/stage-reports", body)
    again = await own.desk.call("POST", "/v1/stage-reports", {**body, "sent_at": body["at"]})
    other = await own.desk.call("POST", "/v1/stage-reports", {**body, "vehicle": 1})
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert first.json() == again.json()
    assert first.json()["vehicle_no"] == 2
    assert other.json()["code"] == "id_reused"
    await own.exact()


async def test_one_bad_item_fails_none_of_its_neighbours(own: Moving) -> None:
    bodies = [
        own.said("P1", "ready"),
        own.said("P2", "boarded", vehicle=99),
        own.said("P4", "boarded"),
        own.said("P5", "arrived", point="HAVEN") | {"point": str(uuid4())},
        own.said("nobody", "ready"),
        own.said("P6", "ready") | {"movement": str(uuid4())},
        own.said("P7", "ready"),
    ]
    results = await own.say(*bodies)
    codes = [r.get("error", {}).get("code") for r in results]
    wrong = ["bad_input", "bad_input", "bad_input", "not_found", "movement_unknown"]
    assert codes == [None, *wrong, None]
    assert (await own.exact())["ready"] == 2


async def test_a_conflict_is_queued_with_both_reports_and_a_human_decides(own: Moving) -> None:
    await own.say(own.said("P1", "boarded", 600, vehicle=1))
    await own.say(own.said("P1", "boarded", 300, vehicle=2, how="radio"))
    assert await own.stage("P1") == "in_question"
    [conflict] = (await own.ask("GET", "/conflicts"))["items"]
    assert (conflict["kind"], conflict["state"]) == ("two_vehicles", "open")
    assert (conflict["first"]["vehicle_no"], conflict["second"]["vehicle_no"]) == (1, 2)
    assert (conflict["first"]["how"], conflict["second"]["how"]) == ("desk", "radio")
    assert conflict["first"]["by"] == "admin"
    path = f"/conflicts/{conflict['id']}/resolve"
    decided = {"id": str(uuid4()), "reason": "Seen in it by the checker."}
    refused = await own.desk.call("POST", own.path + path, decided)
    assert refused.json()["errors"][0]["path"] == "stage"
    decided |= {"stage": "boarded", "vehicle": 2}
    for status in (201, 200):
        answer = await own.desk.call("POST", own.path + path, decided)
        assert (answer.status_code, answer.json()["state"]) == (status, "resolved")
    later = await own.desk.call("POST", own.path + path, {**decided, "id": str(uuid4())})
    assert (later.status_code, later.json()["code"]) == (409, "conflict_over")
    board = await own.ask("GET", "")
    assert [v["missing"] for v in board["vehicles"]] == [0, 1, 0, 0]
    assert board["conflicts"] == 0
    assert (await own.exact())["boarded"] == 1


async def test_a_late_report_explains_a_conflict_which_stays_on_record(own: Moving) -> None:
    await own.say(own.said("P1", "arrived", 60, vehicle=1))
    assert await own.stage("P1") == "in_question"
    board = await own.say(own.said("P1", "boarded", 3600, vehicle=1))
    assert await own.stage("P1") == "at_point"
    [conflict] = (await own.ask("GET", "/conflicts"))["items"]
    assert (conflict["kind"], conflict["state"]) == ("arrived_without_boarding", "explained")
    assert conflict["explained_by"] == board[0]["id"]
    await own.exact()


async def test_more_on_board_than_seats_is_a_conflict_never_a_refusal(own: Moving) -> None:
    await own.vehicle(1, seats=2)
    refs = ["P1", "P2", "P4"]
    results = await own.say(*(own.said(r, "boarded", 60, vehicle=1) for r in refs))
    assert not any("error" in r for r in results)
    [conflict] = (await own.ask("GET", "/conflicts"))["items"]
    assert (conflict["kind"], conflict["vehicle_no"]) == ("over_capacity", 1)
    assert (await own.ask("GET", ""))["vehicles"][0]["seats_left"] == -1
    await own.exact()
    await own.say(own.said("P4", "staying", reason="Gave up her seat."))
    assert (await own.ask("GET", "/conflicts"))["items"][0]["state"] == "explained"
    await own.vehicle(1, seats=1)
    [conflict] = (await own.ask("GET", "/conflicts", params={"state": "open"}))["items"]
    path = f"/conflicts/{conflict['id']}/resolve"
    await own.ask("POST", path, {"id": str(uuid4()), "reason": "A child on a lap."})
    assert (await own.ask("GET", ""))["conflicts"] == 0
    await own.exact()


async def test_a_phone_is_told_what_is_in_question(own: Moving) -> None:
    phone = await own.here.phone(0)

    async def shown() -> tuple[str, str | None]:
        [movement] = (await phone.call("GET", "/v1/self")).json()["movements"]
        [me] = movement["people"]
        return me["stage"], me["question"]

    assert await shown() == ("listed", None)
    await own.say(
        own.said("P1", "boarded", 90, vehicle=1), own.said("P1", "boarded", 60, vehicle=2)
    )
    assert await shown() == ("in_question", "two_vehicles")
    await phone.call("POST", "/v1/stage-reports", own.said(None, "arrived", vehicle=2))
    assert await shown() == ("at_point", None), "her own word settles it"
    assert (await own.ask("GET", ""))["conflicts"] == 1, "the desk still decides"


async def test_an_overload_that_was_decided_and_grows_is_a_new_conflict(own: Moving) -> None:
    async def open_now() -> list[str]:
        rows = (await own.ask("GET", "/conflicts", params={"state": "open"}))["items"]
        return [r["id"] for r in rows]

    async def decide() -> str:
        [key] = await open_now()
        body = {"id": str(uuid4()), "reason": "Children on laps."}
        await own.ask("POST", f"/conflicts/{key}/resolve", body)
        await own.exact()
        return key

    await own.vehicle(1, seats=2)
    refs = ["P1", "P2", "P3", "P5", "P6", "P7"]
    await own.say(*(own.said(r, "boarded", 600, vehicle=1) for r in refs[:3]))
    first = await decide()
    await own.say(own.said(refs[0], "arrived", 500, vehicle=1))
    assert await open_now() == [], "no more than was decided of"
    await own.say(own.said(refs[3], "boarded", 400, vehicle=1))
    second = await decide()
    assert second != first
    for ref in refs[1:4]:
        await own.say(own.said(ref, "staying", 300, reason="Got off."))
    await own.exact()
    await own.say(*(own.said(r, "boarded", 200, vehicle=1) for r in refs[1:3]))
    [third] = await open_now()
    assert third not in (first, second), "it had fitted meanwhile"
    await own.say(own.said(refs[1], "staying", 100, reason="Got off."))
    states = [c["state"] for c in (await own.ask("GET", "/conflicts"))["items"]]
    assert sorted(states) == ["explained", "resolved", "resolved"]
    await own.exact()


async def test_a_split_household_is_shown_until_it_is_together(database: str) -> None:
    async with site(database, people=24) as here:
        own = Moving(here, await here.operator())
        await own.family(0, "F1")
        await own.begin()
        assert (await own.ask("GET", ""))["split_households"] == 0
        await own.say(own.said("F1", "boarded", 600, vehicle=1))
        [split] = (await own.ask("GET", "/households"))["items"]
        where = {m["person"]["ref"]: (m["stage"], m["vehicle_no"]) for m in split["members"]}
        assert where == {"P1": ("listed", None), "F1": ("boarded", 1)}
        await own.say(own.said("P1", "boarded", 500, vehicle=1))
        assert (await own.ask("GET", "/households"))["items"] == []
        await own.say(own.said("F1", "arrived", 60), own.said("P1", "staying", 50, reason="x"))
        assert (await own.ask("GET", ""))["split_households"] == 1


async def test_critical_work_is_uncovered_when_all_who_keep_it_have_left(own: Moving) -> None:
    key = uuid4()
    work = {"name": "Radio room", "keeper": "P1", "deputies": ["P2", "P7"], "place": "Gigiri"}
    put = await own.ask("PUT", f"/functions/{key}", work)
    assert (put["cover"], put["by"]["ref"]) == ("covered", "P1")
    await own.say(own.said("P1", "boarded", vehicle=1))
    assert (await own.ask("GET", "/functions"))["items"][0]["by"]["ref"] == "P2"
    work["deputies"] = ["P2"]
    await own.ask("PUT", f"/functions/{key}", work)
    await own.say(own.said("P2", "boarded", 60, vehicle=1), own.said("P2", "boarded", vehicle=2))
    [found] = (await own.ask("GET", "/functions"))["items"]
    assert (found["cover"], found["by"]) == ("uncertain", None)
    await own.say(own.said("P2", "arrived"))
    [found] = (await own.ask("GET", "/functions"))["items"]
    assert found["cover"] == "uncovered", "from the border she keeps no radio room"
    await own.say(own.said("P2", "ready"), own.said("P1", "at_point", point="GATE"))
    [found] = (await own.ask("GET", "/functions"))["items"]
    assert (found["cover"], found["by"]["ref"]) == ("covered", "P1"), "she got off at the gate"


async def test_the_close_out_leaves_nobody_out_and_late_reports_still_count(own: Moving) -> None:
    await own.ask("POST", "/activate")
    moved = [f"P{n}" for n in range(1, 25) if n % 4 != 3]
    await own.say(*(own.said(r, "boarded", 900, vehicle=3) for r in moved[:-1]))
    await own.say(*(own.said(r, "accommodated", 600) for r in moved[:-1]))
    close = {"statement": "All are accounted for but one."}
    refused = await own.desk.call("POST", own.path + "/close", close)
    assert (refused.status_code, refused.json()["code"]) == (409, "movement_unresolved")
    wrong = close | {"unresolved": [{"ref": "P1", "reason": "?"}]}
    refused = await own.desk.call("POST", own.path + "/close", wrong)
    assert refused.json()["errors"][0]["path"] == "unresolved[0].ref"
    close["unresolved"] = [{"ref": moved[-1], "reason": "Left by her own car."}]  # type: ignore[assignment]
    for _ in range(2):
        assert (await own.ask("POST", "/close", close))["state"] == "closed"
    [late] = await own.say(own.said(moved[-1], "staying", reason="Is with friends."))
    assert late["late"]
    report = await own.ask("GET", "/report")
    assert report["board"]["counts"]["staying"] == report["board"]["late"] == 1
    assert report["board"]["at_close"]["listed"] == 1
    assert report["signed_by"] == "admin"
    assert report["unresolved"][0]["reason"] == "Left by her own car."
    done = [f["what"] for f in report["timeline"]]
    assert done[:2] == ["created", "people_listed"]
    assert done[-2:] == ["activated", "closed"]
    assert report["not_reached"] == []
    await own.exact()


async def test_the_plan_is_changed_by_saying_it_anew_but_not_what_reports_are_read_by(
    own: Moving,
) -> None:
    bus = await own.vehicle(1, callsign="Echo 1", state="departed")
    assert (bus["callsign"], bus["state"]) == ("Echo 1", "departed")
    assert bus["departed_at"]
    path = f"{own.path}/vehicles/{own.id['1']}"
    body = {"leg": str(own.id["SECOND"]), "number": 1, "label": "x", "seats": 1}
    for change in ({}, {"leg": str(own.id["FIRST"]), "number": 77}):
        answer = await own.desk.call("PUT", path, {**body, **change})
        assert (answer.status_code, answer.json()["code"]) == (409, "plan_fixed")
    taken = await own.desk.call("PUT", f"{own.path}/vehicles/{uuid4()}", body)
    assert taken.json()["errors"][0]["path"] == "number"
    point = f"{own.path}/points/{own.id['HAVEN']}"
    answer = await own.desk.call("PUT", point, {"kind": "other", "name": "x"})
    assert answer.json()["code"] == "plan_fixed"


# -- who sees and says what


async def report(who: Caller, body: dict[str, Any]) -> int:
    return (await who.call("POST", "/v1/stage-reports", body)).status_code


async def test_a_phone_reports_herself_and_her_family_and_sees_it_on_itself(own: Moving) -> None:
    phone = await own.here.phone(0)
    assert await report(phone, own.said(None, "ready")) == 201
    assert await report(phone, own.said("P2", "ready")) == 404
    outsider = await own.here.phone(2)
    assert await report(outsider, own.said(None, "ready")) == 404, "not of this movement"
    assert (await phone.call("GET", own.path)).status_code == 403
    mine = (await phone.call("GET", "/v1/self")).json()["movements"]
    assert [(m["id"], m["stage"]) for m in mine] == [(str(own.movement), "ready")]
    assert (await outsider.call("GET", "/v1/self")).json()["movements"] == []
    await own.exact()


async def test_a_phone_sees_where_its_family_is_their_seats_and_their_part_of_the_plan(
    own: Moving,
) -> None:
    for n, name in ((0, "F1"), (1, "F2")):
        await own.family(n, name)
    await own.ask("POST", "/people", {"people": ["F1", "F2"]})
    camp = {"from": str(own.id["CAMP"]), "to": str(own.id["BORDER"])}
    await own.ask("PUT", f"/legs/{uuid4()}", {"kind": "road", "position": 1, **camp})
    phone = await own.here.phone(0)

    async def movement() -> Any:
        [found] = (await phone.call("GET", "/v1/self")).json()["movements"]
        legs = [(leg["from"]["name"], leg["to"]["name"]) for leg in found["legs"]]
        return found, sorted(legs)

    async def seat(vehicle: str, name: str) -> None:
        body = {"people": [name], "split": ["P1"]}
        await own.ask("PUT", f"/vehicles/{own.id[vehicle]}/manifest", body)

    await seat("1", "P1")
    found, legs = await movement()
    assert [p["ref"] for p in found["people"]] == ["P1", "F1"]
    assert [s["vehicle_no"] for s in found["people"][0]["seats"]] == found["seats"] == [1]
    assert legs == [("BORDER", "HAVEN"), ("CAMP", "BORDER"), ("GATE", "BORDER")]
    await seat("2", "F1")
    await own.say(own.said("F1", "boarded", vehicle=2))
    found, legs = await movement()
    assert legs == [("BORDER", "HAVEN"), ("GATE", "BORDER")], "nobody of hers goes by the other"
    stands = [(p["stage"], p["vehicle_no"], p["seats"][0]["seat"]) for p in found["people"]]
    assert stands == [("listed", None, 1), ("boarded", 2, 1)]
    assert [leg["to"]["haven"] for leg in found["legs"]] == [False, True]


async def test_a_sponsor_who_is_not_moved_sees_her_family_that_is(own: Moving) -> None:
    phone = await own.here.phone(2)
    assert (await phone.call("GET", "/v1/self")).json()["movements"] == []
    await own.family(2, "F3")
    await own.ask("POST", "/people", {"people": ["F3"]})
    [found] = (await phone.call("GET", "/v1/self")).json()["movements"]
    assert (found["stage"], [p["ref"] for p in found["people"]]) == (None, ["F3"])
    assert await report(phone, own.said("F3", "ready")) == 201


async def test_an_area_operator_sees_her_people_and_steers_no_others_movement(own: Moving) -> None:
    [[area_id]] = await own.sql("SELECT area_id FROM area WHERE code = 'A1'")
    desk = await own.here.operator("operator", area_id=area_id)
    board = (await desk.call("GET", own.path)).json()
    assert board["population"] == sum(g["population"] for g in board["by"]["area"]) == 6
    assert [g["key"] for g in board["by"]["area"]] == ["A1"]
    assert (await desk.call("POST", own.path + "/activate")).status_code == 403
    [[other]] = await own.sql("SELECT area_id FROM area WHERE code = 'A4'")
    stranger = await own.here.operator("operator", area_id=other)
    assert (await stranger.call("GET", own.path)).status_code == 404
    assert (await stranger.call("GET", "/v1/movements")).json()["items"] == []


async def test_a_walk_up_joins_by_the_desks_word_or_by_being_reported(own: Moving) -> None:
    joined = await own.ask("POST", "/people", {"people": ["P3", "P1"]})
    assert joined["people"] == ["P3"]
    await own.say(own.said("P7", "at_point", point="GATE"))
    rows = (await own.ask("GET", "/people"))["items"]
    added = {r["ref"]: r["added"] for r in rows if r["added"]}
    assert added == {"P3": "added", "P7": "reported"}
    assert (await own.exact()).total() == 20


async def test_events_carry_what_a_fresh_board_shows(own: Moving) -> None:
    before = await own.ask("GET", "")
    await own.say(*(own.said(f"P{n}", "boarded", 60, vehicle=1) for n in (1, 2, 4)))
    after = await own.ask("GET", "")
    async with own.db.transaction(own.operation_id) as con:
        events = await stream.read_after(con, before["seq"])
    [kind] = Faces(own.db).kinds()
    told = msgspec.to_builtins(await kind.render(own.operation_id, Scope(), events))
    laid = cells(before) | cells(told)
    assert {k: n for k, n in laid.items() if n} == {k: n for k, n in cells(after).items() if n}
    assert [v["boarded"] for v in told["vehicles"]] == [3]
    assert told["counts"] == after["counts"]
    assert not told["plan"]


async def test_a_report_that_moves_nobody_has_no_console_fetch_the_board(own: Moving) -> None:
    """Two checkers see the same person board; a hundred consoles watch."""
    await own.say(own.said("P1", "boarded", 60, vehicle=1))
    before = await own.ask("GET", "")
    await own.say(own.said("P1", "boarded", 50, vehicle=1), own.said("P1", "ready", 90))
    async with own.db.transaction(own.operation_id) as con:
        events = await stream.read_after(con, before["seq"])
    [kind] = Faces(own.db).kinds()
    told = msgspec.to_builtins(await kind.render(own.operation_id, Scope(), events))
    assert (told["plan"], told["cells"], told["conflicts"]) == (False, [], 0)
    await own.vehicle(1, label="Red bus")
    async with own.db.transaction(own.operation_id) as con:
        events = await stream.read_after(con, before["seq"])
    told = msgspec.to_builtins(await kind.render(own.operation_id, Scope(), events))
    assert told["plan"], "what was planned changed"


def cells(board: dict[str, Any]) -> dict[Any, int]:
    """Absolute counts by cell, so that a delta laid over a board replaces what it names."""
    names = ("area", "agency", "category", "stage")
    return {tuple(c[n] for n in names): c["count"] for c in board["cells"]}


async def test_many_batches_at_once_count_each_person_once(own: Moving) -> None:
    bodies = [
        own.said(f"P{n}", stage, ago, vehicle=vehicle)
        for n in (1, 2, 4, 5, 6, 8)
        for stage, ago, vehicle in (
            ("boarded", 600, 1), ("arrived", 400, 1), ("boarded", 300, 3), ("arrived", 5, 3),
        )
    ]  # fmt: skip
    await asyncio.gather(*(own.say(b) for b in bodies + bodies[::-1]))
    stages = await own.exact()
    assert (stages["arrived"], stages["listed"]) == (6, 12)
