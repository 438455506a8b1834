"""What callers may ask of alerts, and how they are refused."""

import uuid
from typing import Any

from tests.alerts.world import World, alert, world


def paths(answer: Any) -> list[str]:
    return [e["path"] for e in answer.json()["errors"]]


BAD: list[tuple[dict[str, Any], str]] = [
    ({"audience": {}}, "audience"),
    ({"audience": {"all": True, "areas": ["KE"]}}, "audience"),
    ({"audience": {"all": False}}, "audience.all"),
    ({"audience": {"areas": ["KE", "XX"]}}, "audience.areas[1]"),
    ({"audience": {"agencies": ["Nobody"]}}, "audience.agencies[0]"),
    ({"audience": {"tree_node": "none"}}, "audience.tree_node"),
    ({"audience": {"polygon": {"type": "Polygon"}}}, "audience.polygon"),
    ({"audience": {"areas": []}}, "audience.areas"),
    ({"audience": {"everyone": True}}, "audience"),
    ({"title": "  "}, "title"),
    ({"title": "x" * 201}, "title"),
    ({"title": "a\x00b"}, "title"),
    ({"kind": "party"}, "kind"),
    ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
    ({"expires_at": "1001-01-01T00:00:00Z"}, "expires_at"),
    ({"expires_at": "2099-01-01T00:00:00Z"}, "expires_at"),
    ({"expires_at": "2099-01-01T00:00:00"}, "expires_at"),
    ({"incident_id": str(uuid.uuid4())}, "incident_id"),
    ({"exercise": "no"}, "exercise"),
    ({"surprise": 1}, "(body)"),
    ({"id": "7"}, "id"),
]


async def test_bad_input_names_its_field(database: str) -> None:
    async with world(database) as w, w.client() as api:
        for change, path in BAD:
            answer = await api.post("/v1/alerts", json=alert(**change))
            assert (answer.status_code, paths(answer)) == (422, [path]), answer.text
        assert await w.value("SELECT count(*) FROM alert") == 0


async def test_only_operators_open_alerts(database: str) -> None:
    async with world(database) as w:
        person = await w.person("A1")
        device = await w.phone(person)
        await w.operator("auditor", role="auditor")
        for token in (f"phone-{device}", "auditor"):
            async with w.client(token) as api:
                assert (await api.post("/v1/alerts", json=alert())).status_code == 403


async def test_a_phone_sees_the_alerts_that_hold_its_person(database: str) -> None:
    async with world(database) as w, w.client() as boss:
        inside, outside = await w.person("A1", "KE-N1"), await w.person("A2", "KE-S")
        body = alert(audience={"areas": ["KE-N"]})
        await boss.post("/v1/alerts", json=body)
        await w.run_jobs()
        async with w.client(f"phone-{await w.phone(inside)}") as phone:
            shown = (await phone.get(f"/v1/alerts/{body['id']}")).json()
            assert shown["title"] == body["title"]
            assert shown["created_by"] is None
            assert len((await phone.get("/v1/alerts")).json()["items"]) == 1
            assert (await phone.post(f"/v1/alerts/{body['id']}/close")).status_code == 403
        async with w.client(f"phone-{await w.phone(outside)}") as phone:
            assert (await phone.get(f"/v1/alerts/{body['id']}")).status_code == 404
            assert (await phone.get("/v1/alerts")).json()["items"] == []


async def test_an_operator_of_an_area_acts_within_it(database: str) -> None:
    async with world(database) as w, w.client() as boss:
        await w.operator("north", area="KE-N")
        await w.person("A1", "KE-N1")
        await w.person("A2", "KE-S")
        theirs = alert(audience={"areas": ["KE-S"]})
        ours = alert()
        for body in (theirs, ours):
            await boss.post("/v1/alerts", json=body)
        await w.run_jobs()
        async with w.client("north") as north:
            assert (await north.get(f"/v1/alerts/{theirs['id']}")).status_code == 404
            assert (await north.get(f"/v1/alerts/{ours['id']}")).status_code == 200
            assert (await north.post(f"/v1/alerts/{theirs['id']}/close")).status_code == 404
            assert (await north.post(f"/v1/alerts/{ours['id']}/close")).status_code == 403
            refused = await north.post("/v1/alerts", json=alert(audience={"areas": ["KE-S"]}))
            assert paths(refused) == ["audience.areas[0]"], "what is not hers does not exist"
            own = alert()
            assert (await north.post("/v1/alerts", json=own)).status_code == 201
            await w.run_jobs()
            shown = (await north.get(f"/v1/alerts/{own['id']}")).json()
            assert shown["population"] == 1, "everybody is everybody of her areas"
            assert (await north.post(f"/v1/alerts/{own['id']}/close")).status_code == 200


async def test_the_list_is_paged_newest_first(database: str) -> None:
    async with world(database) as w, w.client() as api:
        made = []
        for _ in range(5):
            body = alert()
            await api.post("/v1/alerts", json=body)
            made.append(body["id"])
        seen: list[str] = []
        address = "/v1/alerts?limit=2"
        while address:
            page = (await api.get(address)).json()
            seen += [a["id"] for a in page["items"]]
            address = page["next"]
        assert seen == made[::-1]
        assert (await api.get("/v1/alerts?state=open")).json()["items"] == []
        assert (await api.get("/v1/alerts?cursor=rubbish")).status_code == 422
        assert (await api.get("/v1/alerts?state=strange")).status_code == 422


async def test_a_polygon_matches_by_position_or_area_and_says_which(database: str) -> None:
    async with world(database) as w, w.client() as api:
        here = await w.person("A1", "KE-S")
        gone = await w.person("A2", "KE-N1")
        stale = await w.person("A3", "KE-N1")
        await w.person("A4", "KE-N1")
        await w.person("A5", "KE")
        await place(w, here, 3.1, 37.0, "1 hour")
        await place(w, gone, -3.0, 37.0, "1 hour")
        await place(w, stale, -3.0, 37.0, "25 hours")
        ring = [[36.9, 3.05], [37.1, 3.05], [37.1, 3.15], [36.9, 3.15], [36.9, 3.05]]
        body = alert(audience={"polygon": {"type": "Polygon", "coordinates": [ring]}})
        preview = (await api.post("/v1/alerts/preview", json=body)).json()
        assert preview["matched"] == {"position": 1, "area": 2, "unplaced": 1}
        await api.post("/v1/alerts", json=body)
        await w.run_jobs()
        rows = await w.sql("SELECT ref, matched FROM alert_person JOIN person USING (person_id)")
        assert {tuple(r) for r in rows} == {("A1", "position"), ("A3", "area"), ("A4", "area")}


async def place(w: World, person: int, lat: float, lon: float, ago: str) -> None:
    await w.sql(
        "INSERT INTO position (operation_id, person_id, lat, lon, event_at, purpose)"
        " VALUES (current_operation(), $1, $2, $3, now() - $4::text::interval, 'checkin')",
        person,
        lat,
        lon,
        ago,
    )


async def test_a_preview_counts_people_ways_and_texts(database: str) -> None:
    async with world(database) as w, w.client() as api:
        warden = await w.person("W1", "KE-N")
        node = await w.value(
            "INSERT INTO tree_node (operation_id, node, label, area_id, warden_id)"
            " VALUES (current_operation(), 'north', 'North', $1, $2) RETURNING node_id",
            w.areas["KE-N"],
            warden,
        )
        assert node
        covered = await w.person("A1", "KE-N1", "international")
        await w.person("F1", "KE-S", "family", sponsor=covered)
        pushed = await w.person("A2", "KE-S")
        await w.phone(pushed)
        browser = await w.person("A3", "KE-S")
        await w.phone(browser, kind="webpush")
        await w.person("A4", "KE-S")
        body = alert(sms_text="я" * 71)
        seen = (await api.post("/v1/alerts/preview", json=body)).json()
        assert (seen["people"], seen["family"], seen["population"]) == (5, 1, 6)
        assert seen["channels"] == {"push": 2, "sms": 0, "email": 0, "warden": 2, "none": 2}
        assert [u["ref"] for u in seen["unreachable"]] == ["A4", "W1"]
        assert (seen["segments"], seen["encoding"], seen["cost"]) == (2, "UCS-2", None)
        assert {a["key"]: a["count"] for a in seen["by_area"]} == {"KE-N": 1, "KE-N1": 1, "KE-S": 4}
        assert sum(c["count"] for c in seen["by_category"]) == 6
        assert seen["finish_s"] == 1
        assert await w.value("SELECT count(*) FROM alert") == 0


async def test_the_tree_chooses_a_branch_with_families(database: str) -> None:
    async with world(database) as w, w.client() as api:
        person = await w.person("A1", "KE-N1")
        await w.person("F1", "KE-S", "family", sponsor=person)
        await w.person("A2", "KE-S")
        await w.sql(
            "INSERT INTO tree_node (operation_id, node, label, area_id)"
            " VALUES (current_operation(), 'north', 'North', $1)",
            w.areas["KE-N"],
        )
        body = alert(audience={"tree_node": "north"})
        await api.post("/v1/alerts", json=body)
        await w.run_jobs()
        assert (await api.get(f"/v1/alerts/{body['id']}")).json()["population"] == 2
