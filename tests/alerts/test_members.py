"""Additions and merges: explicit, recorded, and everybody counted once at every moment."""

import uuid
from typing import Any

import httpx

from tests.alerts.test_lifecycle import opened
from tests.alerts.world import World, world


def walk_in(**more: Any) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "kind": "walk_in", "name": "Amina", "area": "KE-N1", **more}


async def add(api: httpx.AsyncClient, alert_id: str, body: dict[str, Any]) -> httpx.Response:
    return await api.post(f"/v1/alerts/{alert_id}/people", json=body)


async def test_a_walk_in_is_counted_from_the_same_commit(database: str) -> None:
    async with world(database) as w, w.client() as api:
        await w.person("A1")
        body = await opened(w, api)
        new = walk_in(status="need_help", note="Leg hurt")
        first = await add(api, body["id"], new)
        assert first.status_code == 201, first.text
        shown = first.json()
        assert shown["ref"].startswith("W-")
        assert (shown["status"], shown["added"], shown["note"]) == (
            "need_help",
            "walk_in",
            "Leg hurt",
        )
        assert shown["reported_by"]["kind"] == "operator"
        assert await w.cells_agree(body["id"])
        assert await w.counts(body["id"]) == {"unaccounted": 1, "need_help": 1}
        again = await add(api, body["id"], new)
        assert (again.status_code, again.json()) == (200, shown)
        assert (await add(api, body["id"], {**new, "name": "Other"})).status_code == 409
        assert await w.value("SELECT count(*) FROM person") == 2
        (told,) = await w.events("checkin")
        assert told["items"][0][4] == [body["id"]]


async def test_what_cannot_be_added_is_refused_by_field(database: str) -> None:
    async with world(database) as w, w.client() as api:
        await w.person("A1")
        body = await opened(w, api)
        for change, path in (
            ({"name": None}, "name"),
            ({"area": None}, "area"),
            ({"area": "XX"}, "area"),
            ({"agency": "Nobody"}, "agency"),
            ({"ref": "NONE"}, "ref"),
            ({"status": "fine"}, "status"),
        ):
            answer = await add(api, body["id"], walk_in(**change))
            assert answer.status_code == 422, answer.text
            assert [e["path"] for e in answer.json()["errors"]] == [path]
        assert (await add(api, body["id"], walk_in(ref="A1"))).status_code == 409
        assert (await add(api, str(uuid.uuid4()), walk_in())).status_code == 404
        unnamed = await add(api, body["id"], walk_in(kind="unnamed", name=None))
        assert unnamed.json()["name"] == f"Unnamed {unnamed.json()['ref']}"
        assert await w.cells_agree(body["id"])


async def test_a_roster_person_comes_with_what_she_said_before(database: str) -> None:
    async with world(database) as w, w.client() as api:
        await w.person("A1", "KE-N1")
        visitor = await w.person("A2", "KE-S")
        await w.phone(visitor)
        body = await opened(w, api, audience={"areas": ["KE-N"]})
        await w.checkin(visitor, "safe")
        shown = (await add(api, body["id"], walk_in(ref="A2", kind="visitor"))).json()
        assert (shown["ref"], shown["status"], shown["added"]) == ("A2", "safe", "visitor")
        assert shown["area"]["code"] == "KE-N1", "visitors count where they visit"
        assert await w.cells_agree(body["id"])
        assert await w.value("SELECT count(*) FROM delivery") == 1, "and she is told"


async def test_a_warden_adds_within_her_branch(database: str) -> None:
    async with world(database) as w, w.client() as api:
        warden = await w.person("W1", "KE-N1")
        member = await w.person("A1", "KE-N1")
        await w.person("A2", "KE-S")
        await w.sql(
            "WITH n AS (INSERT INTO tree_node (operation_id, node, label, area_id, warden_id)"
            " VALUES (current_operation(), 'n1', 'North', $1, $2) RETURNING node_id)"
            " INSERT INTO tree_member (operation_id, node_id, person_id)"
            " SELECT current_operation(), node_id, $3 FROM n",
            w.areas["KE-N1"],
            warden,
            member,
        )
        device = await w.phone(warden)
        body = await opened(w, api)
        async with w.client(f"phone-{device}") as phone:
            refused = await add(phone, body["id"], walk_in(area="KE-S"))
            assert [e["path"] for e in refused.json()["errors"]] == ["area"]
            made = await add(phone, body["id"], walk_in(status="safe"))
            assert made.status_code == 201, made.text
            assert made.json()["reported_by"]["kind"] == "warden"
            assert made.json()["reach"] == "warden", "she stays in the warden's sight"
        south = await opened(w, api, audience={"areas": ["KE-S"]})
        async with w.client(f"phone-{device}") as phone:
            assert (await add(phone, south["id"], walk_in())).status_code == 404


async def people_of(w: World, alert_id: str) -> dict[str, str]:
    rows = await w.sql(
        "SELECT ref, status FROM alert_person JOIN person USING (person_id) WHERE alert_id = $1",
        alert_id,
    )
    return {r["ref"]: r["status"] for r in rows}


async def test_two_records_of_one_person_become_one_in_every_alert(database: str) -> None:
    async with world(database) as w, w.client() as api:
        await w.person("A1", "KE-N1")
        both = await opened(w, api)
        other_only = await opened(w, api, audience={"areas": ["KE-S"]})
        real_only = await opened(w, api, audience={"areas": ["KE-N"]})
        walker = (await add(api, both["id"], walk_in(status="safe"))).json()["ref"]
        walker_id = await w.value("SELECT person_id FROM person WHERE ref = $1", walker)
        await add(api, other_only["id"], walk_in())
        await w.sql(
            "UPDATE alert_person SET person_id = $2 WHERE alert_id = $1",
            other_only["id"],
            walker_id,
        )
        await w.checkin(walker_id, "need_help")
        merged = await api.post(f"/v1/people/{walker}/merge", json={"into": "A1"})
        assert merged.status_code == 200, merged.text
        assert merged.json() == {"ref": "A1", "merged": [walker]}
        for body in (both, other_only, real_only):
            assert await people_of(w, body["id"]) == {"A1": "need_help"}
            assert await w.cells_agree(body["id"])
        again = await api.post(f"/v1/people/{walker}/merge", json={"into": "A1"})
        assert again.json() == merged.json()


async def test_only_added_persons_are_merged_and_only_into_the_roster(database: str) -> None:
    async with world(database) as w, w.client() as api:
        await w.person("A1")
        await w.person("A2")
        await w.person("W1", kind="walk_in")
        await w.person("W2", kind="walk_in")
        for ref, into, status in (
            ("NONE", "A1", 404),
            ("A2", "A1", 409),
            ("W1", "NONE", 422),
            ("W1", "W2", 422),
            ("W1", "A1", 200),
            ("W1", "A2", 409),
            ("%00", "A2", 404),
        ):
            answer = await api.post(f"/v1/people/{ref}/merge", json={"into": into})
            assert answer.status_code == status, (ref, into, answer.text)


async def test_a_report_under_way_in_the_old_name_is_counted_after_all(database: str) -> None:
    async with world(database) as w, w.client() as api:
        await w.person("A1")
        body = await opened(w, api)
        walker = (await add(api, body["id"], walk_in())).json()["ref"]
        walker_id = await w.value("SELECT person_id FROM person WHERE ref = $1", walker)
        assert (await api.post(f"/v1/people/{walker}/merge", json={"into": "A1"})).is_success
        await w.checkin(walker_id, "need_help")
        await w.sql("UPDATE job SET due_at = now() WHERE kind = 'person.refold'")
        await w.run_jobs()
        assert await people_of(w, body["id"]) == {"A1": "need_help"}
        assert await w.cells_agree(body["id"])
