"""The call-down list: in the order to call, what is known of each, nobody outside the branch."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx

from server.auth import digest
from tests.alerts.world import alert
from tests.support.http import Caller, Site, site

NODE = (
    "WITH n AS (INSERT INTO tree_node (operation_id, node, label, area_id, warden_id, parent_id)"
    " SELECT current_operation(), $1, $1, (SELECT area_id FROM area WHERE code = $2), $3,"
    " (SELECT node_id FROM tree_node WHERE node = $4) RETURNING node_id)"
    " INSERT INTO tree_alternate (operation_id, node_id, rank, person_id)"
    " SELECT current_operation(), node_id, n, id FROM n, unnest($5::int[]) WITH ORDINALITY u(id, n)"
)


async def sql(here: Site, text: str, *args: Any) -> list[Any]:
    return await here.api.db.fetch(here.station.operation_id, text, *args)


async def tree(here: Site) -> None:
    """Zones A1 (P4: warden, P8: alternate) and A2 (P1) below a top without an area (P2)."""
    people = here.station.people
    await sql(here, NODE, "TOP", None, people[1], None, [])
    await sql(here, NODE, "Z1", "A1", people[3], "TOP", [people[7]])
    await sql(here, NODE, "Z2", "A2", people[0], "TOP", [])


async def opened(here: Site, desk: Caller, **more: Any) -> str:
    body = alert(**more)
    answer = await desk.call("POST", "/v1/alerts", body)
    assert answer.status_code == 201, answer.text
    await here.work()
    return str(body["id"])


async def branch(who: Caller, path: str = "/v1/self/branch") -> Any:
    answer = await who.call("GET", path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def say(who: Caller, status: str, ref: str | None = None, **more: Any) -> httpx.Response:
    at = datetime.now(UTC).isoformat()
    body = {"id": str(uuid4()), "status": status, "at": at, **more}
    return await who.call("POST", "/v1/checkins", body if ref is None else {**body, "for": ref})


async def test_a_warden_calls_the_silent_and_reports_in_their_name(database: str) -> None:
    """Her whole story: the list, a call, a report, the next on the list."""
    async with site(database, people=20) as here:
        await tree(here)
        desk, warden = await here.operator(), await here.phone(3)
        roll_call = await opened(here, desk)
        found = await branch(warden)
        in_zone = [f"P{n}" for n in range(1, 21) if n % 4 == 0]
        assert sorted(p["ref"] for p in found["items"]) == sorted(in_zone)
        assert found["population"] == len(in_zone)
        (told,) = found["alerts"]
        assert (told["id"], told["kind"], told["exercise"]) == (roll_call, "rollcall", False)
        assert (told["people"], told["silent"]) == (5, 5)
        assert [n["node"] for n in found["nodes"]] == ["Z1"]

        assert (await say(warden, "safe", "P12")).status_code == 201
        assert (await say(warden, "need_help", "P20")).status_code == 201
        assert (await say(warden, "safe", "P1")).status_code == 404  # of another zone
        found = await branch(warden)
        order = [(p["ref"], p["alerts"][0]["status"]) for p in found["items"]]
        assert order[0] == ("P20", "need_help")
        assert order[-1] == ("P12", "safe")
        assert [status for _, status in order[1:-1]] == ["unaccounted"] * 3
        names = [p["name"] for p in found["items"][1:-1]]
        assert names == sorted(names)
        twelve = found["items"][-1]
        assert twelve["alerts"][0]["reporter"] == "warden"
        assert twelve["answered_at"]
        board = (await desk.call("GET", f"/v1/alerts/{roll_call}/headcount")).json()
        assert (board["counts"]["safe"], board["counts"]["need_help"]) == (1, 1)


async def test_nobody_outside_the_branch_is_on_the_list(database: str) -> None:
    async with site(database, people=40) as here:
        await tree(here)
        await opened(here, await here.operator())
        for n, zones in ((3, {0}), (7, {0}), (0, {1})):
            refs = {p["ref"] for p in (await branch(await here.phone(n)))["items"]}
            own = {f"P{m}" for m in range(1, 41) if m % 4 in zones}
            assert refs == own | {f"P{n + 1}"}
        refuses = await (await here.phone(4)).call("GET", "/v1/self/branch")
        assert refuses.status_code == 403
        assert (await (await here.operator()).call("GET", "/v1/self/branch")).status_code == 403
        account = await here.operator("warden", person_id=here.station.people[3])
        assert len((await branch(account))["items"]) == 10
        whole = await branch(await here.phone(1))  # the top sees what is below
        assert {f"P{m}" for m in range(1, 41) if m % 4 in (0, 1)} <= {
            p["ref"] for p in whole["items"]
        }


async def test_an_exercise_never_comes_before_an_actual_alert(database: str) -> None:
    async with site(database, people=20) as here:
        await tree(here)
        desk, warden = await here.operator(), await here.phone(3)
        actual = await opened(here, desk, audience={"areas": ["A1"]})
        drill = await opened(here, desk, exercise=True)
        await say(warden, "safe", "P12")
        await say(warden, "need_help", "P8", alert_id=drill)
        await say(warden, "safe", "P8", alert_id=actual)
        found = await branch(warden)
        assert [a["exercise"] for a in found["alerts"]] == [False, True]
        assert [p["ref"] for p in found["items"]] == ["P16", "P20", "P4", "P8", "P12"]


async def test_what_is_known_of_each_and_no_more(database: str) -> None:
    async with site(database, people=20) as here:
        await tree(here)
        eight = here.station.people[7]
        roll_call = await opened(here, await here.operator())
        await sql(
            here,
            "INSERT INTO contact_point (operation_id, person_id, rank, phone, updated_at)"
            " VALUES (current_operation(), $1, 1, '+254712000008', now() - interval '9 days'),"
            " (current_operation(), $1, 2, '+254712000009', now() + interval '1 hour')",
            eight,
        )
        await sql(
            here,
            "INSERT INTO delivery (operation_id, alert_id, person_id, channel, endpoint, lane,"
            " state, delivered_at, queued_at, finished_at)"
            " SELECT current_operation(), $1, $2, 'sms', n::text, 2, s, d,"
            " now() + n * interval '1 s', now()"
            " FROM (VALUES (1, 'accepted', now()), (2, 'failed', NULL)) v (n, s, d)",
            UUID(roll_call),
            eight,
        )
        await sql(
            here,
            "INSERT INTO position (operation_id, person_id, lat, lon, event_at, purpose)"
            " VALUES (current_operation(), $1, 1.23456, 36.1, now() - interval '600 s', 'checkin')",
            eight,
        )
        phone = await here.phone(7)
        found = await branch(await here.phone(3))
        known = next(p for p in found["items"] if p["ref"] == "P8")
        assert [p["phone"] for p in known["phones"]] == ["+254712000008", "+254712000009"]
        assert known["phones"][0]["last_text"]["state"] == "delivered"
        assert known["phones"][1]["last_text"] is None  # it went to another number
        assert known["devices"] == 1
        assert known["heard_at"]
        assert 590 < known["position_age_s"] < 700
        assert "1.23456" not in str(found)
        other = next(p for p in found["items"] if p["ref"] == "P12")
        assert [other[k] for k in ("heard_at", "answered_at", "position_age_s")] == [None] * 3
        assert other["phones"] == []
        assert phone.token not in str(found)
        assert digest(phone.token).hex() not in str(found)


async def test_who_is_away_and_who_visits(database: str) -> None:
    async with site(database, people=20) as here:
        await tree(here)
        desk, warden = await here.operator(), await here.phone(3)
        now = datetime.now(UTC)
        window = {
            "from": (now - timedelta(hours=1)).isoformat(timespec="seconds"),
            "until": (now + timedelta(hours=1)).isoformat(timespec="seconds"),
        }
        for body in (
            {"ref": "P12", "kind": "leave"},
            {"ref": "P16", "kind": "travel", "area": "A3"},
            {"ref": "P3", "kind": "visit", "area": "A1"},
        ):
            answer = await desk.call("POST", "/v1/presence", {"id": str(uuid4()), **body, **window})
            assert answer.status_code == 201, answer.text
        expected = {p["ref"]: p["expected"] for p in (await branch(warden))["items"]}
        assert expected == {
            "P4": "here", "P8": "here", "P12": "elsewhere", "P16": "elsewhere", "P20": "here",
            "P3": "here",
        }  # fmt: skip


async def test_family_stand_with_their_sponsor(database: str) -> None:
    async with site(database, people=20) as here:
        await tree(here)
        await sql(
            here,
            "UPDATE person SET category = 'family', sponsor_id = $1 WHERE ref = 'P5'",
            here.station.people[7],
        )
        found = await branch(await here.phone(3))
        five = next(p for p in found["items"] if p["ref"] == "P5")
        assert five["sponsor"] == {"ref": "P8", "name": "Person 8"}


async def test_pages_of_a_large_branch_join(database: str) -> None:
    async with site(database, people=40) as here:
        await tree(here)
        warden = await here.phone(3)
        await opened(here, await here.operator())
        await say(warden, "safe", "P12")
        whole = (await branch(warden))["items"]
        pages, at = [], "/v1/self/branch?limit=3"
        while at:
            page = await branch(warden, at)
            pages += page["items"]
            at = page["next"]
        assert [p["ref"] for p in pages] == [p["ref"] for p in whole]
