"""Manifests over the whole API: seats by rule and by hand, sealed lists, amendments, papers."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from server.relocation.manifests import store
from tests.relocation.moving import Moving, moving

_OVER = """
    SELECT v.number FROM movement_vehicle v JOIN movement_seat s USING (operation_id, movement_id,
    vehicle_id) GROUP BY v.number, v.seats HAVING count(*) > v.seats OR max(s.seat) > v.seats
"""
_SEAT = """
    INSERT INTO movement_seat (operation_id, movement_id, leg_id, person_id, vehicle_id, seat,
                               by_hand, actor)
    VALUES (current_operation(), $1, $2, $3, $4, $5, true, 'test')
"""


@pytest.fixture
async def own(database: str) -> AsyncIterator[Moving]:
    """18 people and four of family; vehicles 1 and 2 of the first leg have 4 and 8 seats."""
    async with moving(database, reach="outside") as made:
        for n in range(4):
            await made.family(0, f"F{n}")
        await made.ask("POST", "/people", {"people": [f"F{n}" for n in range(4)]})
        await made.vehicle(1, seats=4)
        await made.vehicle(2, seats=8)
        yield made


def manifest(own: Moving, number: int) -> str:
    return f"/vehicles/{own.id[str(number)]}/manifest"


async def fill(own: Moving, leg: str = "FIRST", **more: Any) -> dict[str, Any]:
    return dict(await own.ask("POST", "/fill", {"leg": str(own.id[leg]), **more}))


async def refused(own: Moving, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    answer = await own.desk.call(method, own.path + path, body)
    problem = answer.json()
    return answer.status_code, [e["path"] for e in problem.get("errors", [])] or problem["code"]


async def listed(own: Moving, number: int) -> list[str]:
    found = await own.ask("GET", manifest(own, number))
    return [s["person"]["ref"] for s in found["seats"]]


async def test_a_preview_gives_nothing_and_is_applied_as_it_was_shown(own: Moving) -> None:
    seen = await fill(own, zones=["A2", "A1", "A3"])
    assert not seen["applied"]
    assert len(seen["given"]) == 12
    assert await listed(own, 2) == []
    waits = {w["person"]["ref"]: w["reason"] for w in seen["waiting"]}
    assert len(waits) == 18 + 4 - 12
    given = [g["person"]["ref"] for g in seen["given"]]
    assert given[:5] == ["P1", "F0", "F1", "F2", "F3"], "zone by zone, households together"
    await own.say(own.said("P8", "ready"))
    answer = await own.desk.call(
        "POST",
        f"{own.path}/fill",
        {"leg": str(own.id["FIRST"]), "apply": True, "mark": seen["mark"]},
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "fill_changed")
    seen = await fill(own)
    assert seen["given"][0]["person"]["ref"] == "P8", "ready before not ready"
    done = await fill(own, apply=True, mark=seen["mark"])
    assert (done["given"], done["waiting"]) == (seen["given"], seen["waiting"])
    assert len(await listed(own, 1)) == 4
    assert len(await listed(own, 2)) == 8
    again = await fill(own, apply=True)
    assert again["given"] == []
    assert again["waiting"] == seen["waiting"]


async def test_medical_need_goes_first_and_brings_its_household(own: Moving) -> None:
    about = [
        {"ref": "F2", "medical": True},
        {"ref": "P4", "papers": True, "expires_on": "2020-01-01"},
    ]
    await own.ask("PUT", "/travellers", {"items": about})
    await own.say(own.said("P8", "ready"))
    seen = await fill(own, apply=True)
    assert {g["person"]["ref"] for g in seen["given"][:5]} == {"P1", "F0", "F1", "F2", "F3"}
    assert {g["vehicle_no"] for g in seen["given"][:5]} == {2}
    assert {g["papers"] for g in seen["given"]} == {"unknown", "expired"}
    kept = await own.ask("PUT", "/travellers", {"items": [{"ref": "P4", "medical": True}]})
    assert kept["items"][0]["expires_on"] == "2020-01-01", "what is left out stays"


async def test_a_household_larger_than_any_vehicle_is_split_only_when_said(own: Moving) -> None:
    await own.vehicle(2, seats=4)
    seen = await fill(own)
    waits = {w["person"]["ref"]: w["reason"] for w in seen["waiting"]}
    assert waits["F0"] == waits["P1"] == "larger_than_vehicle"
    await fill(own, apply=True, split=["P1"], zones=["A2"])
    assert {"P1", "F0", "F1", "F2", "F3"} <= {*await listed(own, 1), *await listed(own, 2)}
    assert (await own.ask("GET", manifest(own, 1)))["apart"] == ["P1"]
    assert await refused(own, "POST", "/fill", {"leg": str(own.id["FIRST"]), "split": ["P7"]}) == (
        422, ["split[0]"],
    )  # fmt: skip


async def test_by_hand_too_many_twice_and_torn_are_refused_by_name(own: Moving) -> None:
    one, two = manifest(own, 1), manifest(own, 2)
    await own.ask("PUT", one, {"people": ["P2", "P4"]})
    for path, body, why in (
        (one, {"people": ["P2", "P4", "P5", "P6", "P8"]}, ["people"]),
        (one, {"people": ["P2", "P2"]}, ["people[1]"]),
        (one, {"people": ["P7"]}, ["people[0]"]),
        (two, {"people": ["P2"]}, ["people[0]"]),
        (two, {"people": ["P1", "F0"]}, ["people[0]", "people[1]"]),
    ):
        assert await refused(own, "PUT", path, body) == (422, why)
    await own.ask("PUT", two, {"people": ["P1", "F0"], "split": ["P1"]})
    await own.ask("PUT", two, {"people": ["P1", "F0", "P2"], "move": True})
    assert (await listed(own, 1), await listed(own, 2)) == (["P4"], ["P1", "F0", "P2"])
    await own.ask("PUT", two, {"people": ["P2", "P1"]})
    seats = (await own.ask("GET", two))["seats"]
    assert [(s["person"]["ref"], s["seat"]) for s in seats] == [("P1", 1), ("P2", 3)], "seats stay"
    status, why = await refused(
        own, "PUT", f"/vehicles/{own.id['2']}",
        {"leg": str(own.id["FIRST"]), "number": 2, "label": "Bus 2", "seats": 2},
    )  # fmt: skip
    assert (status, why) == (422, ["seats"])


async def test_a_sealed_list_stays_and_changes_are_amendments(own: Moving) -> None:
    one = manifest(own, 1)
    await own.ask("PUT", one, {"people": ["P2", "P4"]})
    body = {"id": str(uuid4()), "reason": "missed it", "take_off": ["P2"], "put_on": ["P5"]}
    assert await refused(own, "POST", f"{one}/amendments", body) == (409, "manifest_open")
    await own.vehicle(1, seats=4, state="departed")
    sealed = (await own.ask("GET", one))["seal"]
    assert [s["ref"] for s in sealed["seats"]] == ["P2", "P4"]
    assert await refused(own, "PUT", one, {"people": []}) == (409, "manifest_sealed")
    first = await own.desk.call("POST", f"{own.path}{one}/amendments", body)
    again = await own.desk.call("POST", f"{own.path}{one}/amendments", body)
    assert (first.status_code, again.status_code) == (201, 200)
    other = {**body, "reason": "another"}
    assert await refused(own, "POST", f"{one}/amendments", other) == (409, "id_reused")
    now = await own.ask("GET", one)
    assert now["seal"] == sealed
    assert [(s["person"]["ref"], s["seat"]) for s in now["seats"]] == [("P5", 1), ("P4", 2)]
    told = [(a["what"], a["person"]["ref"], a["reason"], a["by"]) for a in now["amendments"]]
    assert told == [
        ("taken_off", "P2", "missed it", "admin"),
        ("put_on", "P5", "missed it", "admin"),
    ]
    await own.ask("POST", f"{one}/seal")
    assert (await own.ask("GET", one))["seal"] == sealed
    too_many = {"id": str(uuid4()), "reason": "r", "put_on": ["P2", "P6", "P8"]}
    assert await refused(own, "POST", f"{one}/amendments", too_many) == (422, ["put_on"])


async def test_what_boarded_is_told_apart_from_the_plan(own: Moving) -> None:
    await own.ask("PUT", manifest(own, 1), {"people": ["P2", "P4"]})
    await own.say(own.said("P2", "boarded", vehicle=1), own.said("P5", "boarded", vehicle=1))
    now = await own.ask("GET", manifest(own, 1))
    assert [(s["person"]["ref"], s["aboard"]) for s in now["seats"]] == [
        ("P2", True),
        ("P4", False),
    ]
    assert [u["person"]["ref"] for u in now["unlisted"]] == ["P5"]
    seen = await fill(own)
    room = {r["vehicle_no"]: r["left"] for r in seen["vehicles"]}
    assert sum(g["vehicle_no"] == 1 for g in seen["given"]) + room[1] == 1, "she takes a seat"
    assert ("P5", "aboard", 1) in [
        (w["person"]["ref"], w["reason"], w["vehicle_no"]) for w in seen["waiting"]
    ]


async def test_a_withdrawn_vehicle_and_who_stays_give_their_seats_up(own: Moving) -> None:
    await own.ask("PUT", manifest(own, 1), {"people": ["P2", "P4"]})
    await own.ask("PUT", manifest(own, 2), {"people": ["P5"]})
    await own.vehicle(1, seats=4, state="withdrawn")
    await own.say(own.said("P5", "staying", reason="keeps the radio"))
    seen = await fill(own, apply=True)
    gone = {(r["person"]["ref"], r["reason"]) for r in seen["released"]}
    assert gone == {("P2", "withdrawn"), ("P4", "withdrawn"), ("P5", "rides_no_more")}
    assert await listed(own, 1) == []
    assert len(await listed(own, 2)) == 8
    assert "P5" not in {w["person"]["ref"] for w in seen["waiting"]}


async def test_a_warden_sees_only_her_branch_of_a_manifest(own: Moving) -> None:
    await own.ask("PUT", manifest(own, 1), {"people": ["P2", "P4"]})
    [[area_id]] = await own.sql("SELECT area_id FROM area WHERE code = 'A2'")
    north = await own.here.operator("operator", area_id=area_id)
    found = (await north.call("GET", own.path + manifest(own, 1))).json()
    assert found["given"] == 2
    assert {s["person"]["ref"] for s in found["seats"]} < {"P2", "P4"}
    device = await own.here.phone(1)
    assert (await device.call("GET", own.path + manifest(own, 1))).status_code == 403


async def test_many_desks_at_once_never_seat_too_many_nor_one_twice(own: Moving) -> None:
    chance = random.Random(5)
    refs = [f"P{n}" for n in range(1, 25) if n % 4 != 3 and n != 1]

    async def turn() -> int:
        number = chance.choice((1, 2))
        if chance.random() < 0.4:
            body = {"leg": str(own.id["FIRST"]), "apply": True, "split": ["P1"]}
            return (await own.desk.call("POST", f"{own.path}/fill", body)).status_code
        named = chance.sample(refs, chance.randint(0, 4))
        body = {"people": named, "move": chance.random() < 0.5}
        return (await own.desk.call("PUT", own.path + manifest(own, number), body)).status_code

    statuses: list[int] = []
    for _ in range(4):
        statuses += await asyncio.gather(*(turn() for _ in range(8)))
        assert not await own.sql(_OVER)
    assert {200} < set(statuses) <= {200, 409, 422, 503}, "503: busy, nothing was changed"
    assert await own.sql("SELECT FROM movement_seat")
    twice = "SELECT person_id FROM movement_seat GROUP BY leg_id, person_id HAVING count(*) > 1"
    assert not await own.sql(twice)


async def test_papers_are_of_the_day_of_the_crossing_by_the_operation_s_clocks(own: Moving) -> None:
    """At noon in Greenwich it is the next day already in Kiritimati."""
    await own.sql("UPDATE operation SET timezone = 'Pacific/Kiritimati'")
    ends = {"from": str(own.id["GATE"]), "to": str(own.id["BORDER"])}
    leg = {"kind": "road", "position": 1, **ends, "arrives_at": "2026-11-24T12:00:00Z"}
    await own.put("legs", "FIRST", leg)
    about = {"ref": "P4", "papers": True, "expires_on": "2026-11-24"}
    await own.ask("PUT", "/travellers", {"items": [about]})
    await own.ask("PUT", manifest(own, 1), {"people": ["P4"]})
    [seat] = (await own.ask("GET", manifest(own, 1)))["seats"]
    assert seat["papers"] == "expired"


async def test_one_list_is_shown_without_reading_everybody(own: Moving) -> None:
    """Of a vehicle its riders' households are read, and it comes to the same."""
    await own.ask("PUT", manifest(own, 1), {"people": ["P1", "F0"], "split": ["P1"]})
    await own.ask("PUT", manifest(own, 2), {"people": ["F1", "P4", "P5"], "split": ["P1"]})
    await own.ask("POST", f"{manifest(own, 2)}/seal")
    body = {"id": str(uuid4()), "reason": "Ill.", "take_off": ["P5"]}
    await own.ask("POST", f"{manifest(own, 2)}/amendments", body)
    await own.say(own.said("P8", "boarded", vehicle=1))
    async with own.db.transaction(own.operation_id, snapshot=True) as con:
        for number, refs in ((1, {"P1", "P8"}), (2, {"P1", "P4", "P5"}), (3, set())):
            key = own.id[str(number)]
            whole = await store.leg_of(con, own.movement, key)
            part = await store.leg_of(con, own.movement, key, alone=True)
            assert {p.household for p in part.people} == refs
            assert part.listed(key) == whole.listed(key)
            assert part.unlisted(key) == whole.unlisted(key)
            homes = {p.household_id for p in part.people}
            assert part.apart(homes) == whole.apart(homes)
            assert part.mark(key) == whole.mark(key)
    shown = await own.ask("GET", manifest(own, 2))
    assert [s["ref"] for s in shown["seal"]["seats"]] == ["F1", "P4", "P5"], "as it was sealed"
    assert shown["apart"] == ["P1"]


async def test_the_database_itself_holds_seats_and_seals(own: Moving) -> None:
    """Whoever writes: no seat over, none twice, none changed under a seal, no seal rewritten."""
    leg, vehicle, people = own.id["FIRST"], own.id["1"], own.people
    seat = (_SEAT, own.movement, leg)
    await own.sql(*seat, people[1], vehicle, 4)
    for person_id, to, number, error in (
        (people[3], vehicle, 5, asyncpg.CheckViolationError),
        (people[3], vehicle, 4, asyncpg.UniqueViolationError),
        (people[1], own.id["2"], 1, asyncpg.UniqueViolationError),
        (people[3], own.id["3"], 1, asyncpg.CheckViolationError),
    ):
        with pytest.raises(error):
            await own.sql(*seat, person_id, to, number)
    with pytest.raises(asyncpg.CheckViolationError):
        await own.sql("UPDATE movement_vehicle SET seats = 3 WHERE vehicle_id = $1", vehicle)
    await own.ask("POST", f"{manifest(own, 1)}/seal")
    for sql, args in (
        ("DELETE FROM movement_seat WHERE vehicle_id = $1", (vehicle,)),
        (_SEAT, (own.movement, leg, people[3], vehicle, 1)),
    ):
        with pytest.raises(asyncpg.CheckViolationError):
            await own.sql(sql, *args)
    for sql in (
        "UPDATE manifest_seal SET list = '[]'",
        "DELETE FROM manifest_seal",
        "UPDATE movement_seat SET seat = 2",
        "DELETE FROM manifest_amendment",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await own.sql(sql)
    [[kept]] = await own.sql("SELECT list FROM manifest_seal")
    assert [s["ref"] for s in json.loads(kept)] == ["P2"]
