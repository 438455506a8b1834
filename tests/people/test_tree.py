"""The tree over HTTP: reading, editing, its versions, its health."""

from typing import Any

import httpx
import pytest

from server.auth import Scope
from server.people.tree import board
from server.stream import Event
from tests.people import roster
from tests.people.house import House


def body(**more: Any) -> dict[str, Any]:
    """The node N-WES as the house has it."""
    return {
        "parent": "ROOT", "label": "Zone WES", "area": "WES", "warden": "P5", "alternates": ["P4"],
        "reason": "New staff", "version": 0, **more,
    }  # fmt: skip


async def put(house: House, desk: str, node: str = "N-WES", **more: Any) -> httpx.Response:
    return await house.call("PUT", f"/v1/tree/nodes/{node}", desk, json=body(**more))


async def nodes(house: House, desk: str, **query: str) -> dict[str, Any]:
    found = await house.get("/v1/tree", desk, params=query)
    return {n["node"]: n for n in found["items"]}


async def events(house: House) -> int:
    return int(await house.sql("SELECT count(*) FROM event WHERE kind = 'tree'"))


async def test_a_change_is_a_version_an_audit_row_and_an_event(house: House) -> None:
    desk = await house.operator()
    made = await put(house, desk, warden="P4", alternates=["P5"], members=["P4", "P1"], answer_s=90)
    assert made.status_code == 200, made.text
    face = {
        "node": "N-WES", "parent": "ROOT", "label": "Zone WES", "area": "WES", "warden": "P4",
        "alternates": ["P5"], "members": ["P1", "P4"], "answer_s": 90,
    }  # fmt: skip
    assert made.json() == {"version": 1, "node": face}
    live = (await nodes(house, desk))["N-WES"]
    assert {key: live[key] for key in face} == face
    assert (await nodes(house, desk, version="1"))["N-WES"]["members"] == ["P1", "P4"]
    (kept,) = (await house.get("/v1/tree/versions", desk))["items"]
    assert (kept["version"], kept["made_by"], kept["reason"], kept["nodes"]) == (
        1, "Desk", "New staff", 3,
    )  # fmt: skip
    assert await house.sql("SELECT count(*) FROM audit WHERE action = 'tree.put'") == 1
    assert await events(house) == 1


async def test_an_old_version_stays_readable_and_says_nothing_of_now(house: House) -> None:
    desk = await house.operator()
    await put(house, desk, label="First")
    await put(house, desk, label="Second", version=1)
    old = await nodes(house, desk, version="1")
    assert old["N-WES"]["label"] == "First"
    assert [old["N-WES"][key] for key in ("people", "staff", "issues", "score")] == [None] * 4
    assert (await nodes(house, desk))["N-WES"]["label"] == "Second"
    assert (await house.call("GET", "/v1/tree?version=9", desk)).status_code == 404


async def test_a_change_of_a_tree_not_seen_is_refused_and_names_the_version(house: House) -> None:
    desk = await house.operator()
    assert (await put(house, desk, label="Mine")).status_code == 200
    lost = await put(house, desk, label="Other")
    assert (lost.status_code, lost.json()["code"]) == (409, "tree_changed")
    assert "version 1" in lost.json()["detail"]
    repeat = await put(house, desk, label="Mine")  # its answer was lost
    assert (repeat.status_code, repeat.json()["version"]) == (200, 1)
    gone = await house.call("DELETE", "/v1/tree/nodes/N-WES?version=0", desk)
    assert gone.json()["code"] == "tree_changed"
    assert await events(house) == 1


@pytest.mark.parametrize(
    ("wrong", "field", "said"),
    [
        ({"parent": "N-WES"}, "parent", "above itself"),
        ({"parent": "NONE"}, "parent", "there is no node"),
        ({"area": "MOON"}, "area", "there is no area"),
        ({"warden": "P9"}, "warden", "there is no person"),
        ({"alternates": ["P5"]}, "alternates", "names the warden"),
        ({"alternates": ["P4", "P4"]}, "alternates", "twice"),
        ({"alternates": ["P4;P1"]}, "alternates", ""),
        ({"members": ["P9"]}, "members", "there is no person"),
        ({"label": "  "}, "label", "empty"),
        ({"answer_s": 5}, "answer_s", ""),
    ],
)
async def test_what_cannot_stand_is_refused_with_field_and_remedy(
    house: House, wrong: dict[str, Any], field: str, said: str
) -> None:
    desk = await house.operator()
    answer = await put(house, desk, **wrong)
    assert answer.status_code == 422, answer.text
    errors = answer.json()["errors"]
    assert any(e["path"].startswith(field) and said.lower() in e["message"].lower() for e in errors)
    assert await events(house) == 0


async def test_a_circle_through_others_is_refused(house: House) -> None:
    answer = await put(
        house, await house.operator(), "ROOT", parent="N-WES", area="NBO", alternates=[]
    )
    assert "ROOT > N-WES" in answer.text


async def test_a_walk_in_answers_for_nobody(house: House) -> None:
    await house.sql("UPDATE person SET kind = 'walk_in' WHERE ref = 'P4'")
    answer = await put(house, await house.operator(), "N-NEW", warden="P4", alternates=[])
    assert answer.json()["errors"][0]["path"] == "warden"


async def test_those_below_a_removed_node_hang_below_its_parent(house: House) -> None:
    desk = await house.operator()
    await put(house, desk, "N-MID", area="NBO", warden="P1")
    await put(house, desk, parent="N-MID", version=1)
    gone = await house.call("DELETE", "/v1/tree/nodes/N-MID?version=2", desk)
    assert gone.json() == {"version": 3}
    left = await nodes(house, desk)
    assert left["N-WES"]["parent"] == "ROOT"
    assert "N-MID" not in left
    again = await house.call("DELETE", "/v1/tree/nodes/N-MID?version=3", desk)
    assert again.status_code == 404


async def test_an_operator_of_some_areas_changes_only_these(house: House) -> None:
    desk = await house.operator()
    mine = await house.operator(area="WES")
    assert (await put(house, mine, label="West")).status_code == 200
    for more in (
        {"area": "GIG"}, {"area": None}, {"parent": "N-GIG"}, {"warden": "P1"}, {"members": ["P1"]},
    ):  # fmt: skip
        answer = await put(house, mine, version=1, **more)
        assert answer.status_code == 422, (more, answer.text)
    assert (await put(house, mine, "N-GIG", version=1)).status_code == 404
    below = await put(house, mine, "N-WES-1", parent="N-WES", version=1)
    assert below.status_code == 201
    gone = await house.call("DELETE", "/v1/tree/nodes/N-GIG?version=2", mine)
    assert gone.status_code == 404
    assert (await house.call("GET", "/v1/tree?version=1", mine)).status_code == 404
    assert (await house.call("GET", "/v1/tree/versions", mine)).status_code == 403
    assert (await put(house, await house.operator("auditor"), version=2)).status_code == 403
    warden = (await house.device(desk, "P5"))["token"]
    assert (await put(house, warden, version=2)).status_code == 403


async def test_a_new_warden_sees_her_branch_at_once(house: House) -> None:
    desk = await house.operator()
    phone = (await house.device(desk, "P4"))["token"]
    assert len((await house.get("/v1/people", phone))["items"]) == 2  # alternate of WES
    await put(house, desk, "N-GIG", area="GIG", label="Zone GIG", warden="P4", alternates=[])
    assert len((await house.get("/v1/people", phone))["items"]) == 5


async def test_an_import_that_changes_the_tree_is_a_version(empty: House, tmp_path: Any) -> None:
    files = roster.good(tmp_path)
    assert (await roster.run(empty, files, dry_run=True)).accepted
    assert await events(empty) == 0
    for _ in range(2):
        await roster.run(empty, files)
    assert await events(empty) == 1
    desk = await empty.operator()
    (kept,) = (await empty.get("/v1/tree/versions", desk))["items"]
    assert (kept["version"], kept["made_by"], kept["nodes"]) == (1, "system", 3)
    plain = {
        key: value["members"] for key, value in (await nodes(empty, desk, version="1")).items()
    }
    assert plain == {key: value["members"] for key, value in (await nodes(empty, desk)).items()}


async def test_viewers_of_all_of_it_are_told(house: House) -> None:
    (kind,) = board.kinds()
    told = [Event(1, "tree", {"version": 4}), Event(2, "tree", {"version": 5})]
    assert await kind.render(1, Scope(), told) == {"version": 5}
    assert await kind.render(1, Scope(areas=(1,)), told) is None
    assert await kind.render(1, Scope(nodes=(1,), people=frozenset([1])), told) is None


# -- how it stands


async def test_each_node_says_who_answers_and_how_she_can_be_reached(house: House) -> None:
    desk = await house.operator()
    await house.device(desk, "P5", push={"kind": "fcm", "token": "t"})
    west = (await nodes(house, desk))["N-WES"]
    warden, alternate = west["staff"]
    assert (warden["ref"], warden["role"], warden["fresh"], warden["number"]) == (
        "P5", "warden", True, True,
    )  # fmt: skip
    assert warden["heard_at"]
    assert (alternate["ref"], alternate["role"], alternate["fresh"]) == ("P4", "alternate", False)
    assert alternate["heard_at"] is None
    assert west["people"] == 1  # P4; a warden is of the node above
    assert [i["kind"] for i in west["issues"]] == ["alternate_not_fresh"]
    assert west["score"] == 90


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE push_address SET dead_at = now()",
        "UPDATE credential SET last_seen_at = now() - interval '25 hours'",
        "UPDATE device SET revoked_at = now()",
        "DELETE FROM push_address",
    ],
)
async def test_a_phone_that_cannot_be_woken_is_not_fresh(house: House, change: str) -> None:
    desk = await house.operator()
    await house.device(desk, "P5", push={"kind": "fcm", "token": "t"})
    await house.sql(change)
    assert (await nodes(house, desk))["N-WES"]["staff"][0]["fresh"] is False
    assert "warden_not_fresh" in [i["kind"] for i in (await nodes(house, desk))["N-WES"]["issues"]]


async def test_health_names_who_has_no_node(house: House) -> None:
    desk = await house.operator()
    await house.sql(
        "INSERT INTO person (operation_id, ref, name, category, agency_id, area_id)"
        " SELECT operation_id, 'LOST', 'Lost', category, agency_id,"
        " (SELECT area_id FROM area WHERE code = 'KE') FROM person WHERE ref = 'P4'"
    )
    found = await house.get("/v1/tree/health", desk)
    (orphans,) = [i for i in found["issues"] if i["kind"] == "orphans"]
    assert (orphans["refs"], orphans["count"], orphans["node"]) == (["LOST"], 1, None)
    assert found["orphans"] == 1
    root = next(n for n in found["nodes"] if n["node"] == "ROOT")
    assert root == {"node": "ROOT", "label": "Nairobi", "people": 0, "score": 20}
    assert found["issues"][0]["severity"] == "critical"
    expected = sum(n["people"] * n["score"] for n in found["nodes"]) // found["people"]
    assert found["score"] == expected
    west = await house.get("/v1/tree/health", await house.operator(area="WES"))
    assert [n["node"] for n in west["nodes"]] == ["N-WES"]
    assert west["orphans"] == 0
    phone = (await house.device(desk, "P5"))["token"]
    branch = await house.get("/v1/tree/health", phone)
    assert [n["node"] for n in branch["nodes"]] == ["N-WES"]
    assert branch["orphans"] is None


async def test_an_empty_operation_has_no_score(empty: House) -> None:
    found = await empty.get("/v1/tree/health", await empty.operator())
    assert (found["score"], found["people"], found["issues"]) == (None, 0, [])


async def test_a_warden_who_is_away_and_nobody_else_there(house: House) -> None:
    desk = await house.operator()
    away = (
        "INSERT INTO presence (operation_id, person_id, kind, from_at, until_at, source)"
        " SELECT operation_id, person_id, 'leave', now() - interval '1 day',"
        " now() + interval '1 day', 'test' FROM person WHERE ref = $1"
    )
    await house.sql(away, "P5")
    assert (await nodes(house, desk))["N-WES"]["issues"][0]["kind"] == "warden_away"
    await house.sql(away, "P4")
    west = (await nodes(house, desk))["N-WES"]
    assert (west["issues"][0]["kind"], west["issues"][0]["refs"]) == ("nobody_here", ["P5", "P4"])
