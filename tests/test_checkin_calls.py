"""POST /v1/checkins and the board's calls, as their callers see them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from server.errors import Unavailable
from tests.support.http import Site, site


@pytest.fixture
async def here(database: str) -> AsyncIterator[Site]:
    async with site(database) as own:
        yield own


def said(status: str = "safe", **more: Any) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    return {"id": str(uuid4()), "status": status, "at": now, "sent_at": now, **more}


async def test_a_phone_reports_and_repeats(here: Site) -> None:
    phone = await here.phone(0)
    body = said(note="at home", location={"lat": 1.0, "lon": 30.0, "accuracy": 12.5}, battery=80)
    first = await phone.call("POST", "/v1/checkins", body)
    assert first.status_code == 201
    again = await phone.call(
        "POST", "/v1/checkins", {**body, "sent_at": datetime.now(UTC).isoformat(), "battery": 79}
    )
    assert (again.status_code, again.json()) == (200, first.json())
    other = await phone.call("POST", "/v1/checkins", {**body, "status": "away"})
    assert (other.status_code, other.json()["code"]) == (409, "id_reused")


async def test_desks_that_ask_for_everything_keep_no_report_out(here: Site) -> None:
    """Every connection that boards may use is taken; family and phone are still heard."""
    sponsor = await here.phone(0)
    async with here.api.db.transaction(here.station.operation_id) as con:
        family = "UPDATE person SET category = 'family', sponsor_id = $1 WHERE person_id = $2"
        await con.execute(family, *here.station.people[:2])
    async with AsyncExitStack() as boards:
        with suppress(Unavailable):
            while True:
                await boards.enter_async_context(here.api.db.connection())
        for more in ({}, {"for": "P2"}):
            assert (await sponsor.call("POST", "/v1/checkins", said(**more))).status_code == 201


async def test_a_batch_has_a_result_an_item(here: Site) -> None:
    phone = await here.phone(0)
    items = [
        said(),
        {"id": "no uuid", "status": "safe"},
        said("dancing"),
        said(location={"lat": 91, "lon": 0}),
        said(alert_id=str(uuid4())),
        said(**{"for": "P9"}),
        said(note="x" * 501),
        said(note="nul \x00"),
        said("away"),
    ]
    reply = await phone.call("POST", "/v1/checkins", {"items": items})
    assert reply.status_code == 201
    results = reply.json()["items"]
    codes = [r.get("error", {}).get("code", "ok") for r in results]
    assert codes == [
        "ok", "bad_input", "bad_input", "bad_input", "alert_unknown", "not_found", "bad_input",
        "bad_input", "ok",
    ]  # fmt: skip
    assert results[3]["id"] == items[3]["id"]
    assert "location.lat" in results[3]["error"]["detail"]
    again = await phone.call("POST", "/v1/checkins", {"items": [items[0], items[8]]})
    assert (again.status_code, again.json()["items"]) == (200, [results[0], results[8]])


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"status": "safe", "at": "2026-11-23T10:00:00Z"}, "(body)"),
        ({"id": str(uuid4()), "status": "fine", "at": "2026-11-23T10:00:00Z"}, "status"),
        ({"id": str(uuid4()), "status": "safe", "at": "2026-11-23T10:00:00"}, "at"),
        ({"id": str(uuid4()), "status": "safe", "at": "0001-01-01T00:00:00+14:00"}, "at"),
        ({"items": []}, "items"),
        ({"items": {}}, "items"),
    ],
)
async def test_a_refusal_names_the_field(here: Site, body: Any, path: str) -> None:
    phone = await here.phone(0)
    reply = await phone.call("POST", "/v1/checkins", body)
    assert reply.status_code == 422
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["errors"][0]["path"] == path


async def test_an_operator_reports_by_name_and_an_auditor_may_not(here: Site) -> None:
    desk, auditor = await here.operator("operator"), await here.operator("auditor")
    named = await desk.call("POST", "/v1/checkins", said(**{"for": "P7"}))
    assert (named.status_code, named.json()["person"]) == (201, "P7")
    nobody = await desk.call("POST", "/v1/checkins", said())
    assert (nobody.status_code, nobody.json()["errors"][0]["path"]) == (422, "for")
    unknown = await desk.call("POST", "/v1/checkins", said(**{"for": "P999"}))
    assert unknown.status_code == 404
    refused = await auditor.call("POST", "/v1/checkins", said(**{"for": "P7"}))
    assert refused.status_code == 403


async def test_a_roll_call_from_opening_to_the_last_answer(here: Site) -> None:
    desk = await here.operator("operator")
    alert_id = str(uuid4())
    opened = await desk.call("POST", "/v1/alerts", {
        "id": alert_id, "kind": "rollcall", "audience": {"all": True}, "title": "Are you safe?",
        "body": "Answer now.", "exercise": False,
    })  # fmt: skip
    assert opened.status_code == 201
    await here.work()
    for n in range(40):
        phone = await here.phone(n)
        status = ("safe", "away", "need_help", "safe")[n % 4]
        assert (await phone.call("POST", "/v1/checkins", said(status))).status_code == 201
    board = (await desk.call("GET", f"/v1/alerts/{alert_id}/headcount")).json()
    assert board["counts"] == {"safe": 20, "need_help": 10, "away": 10, "unaccounted": 0}
    listed = await desk.call("GET", f"/v1/alerts/{alert_id}/people?status=need_help&limit=4")
    pages = [listed.json()]
    while pages[-1]["next"]:
        pages.append((await desk.call("GET", pages[-1]["next"])).json())
    names = [p["name"] for page in pages for p in page["items"]]
    assert len(names) == 10
    assert names == sorted(names)
    found = await desk.call("GET", f"/v1/alerts/{alert_id}/people?q=%25")
    assert found.json()["items"] == []


async def test_without_a_token_nothing_is_taken(here: Site) -> None:
    reply = await here.client.post("/v1/checkins", json=said())
    assert (reply.status_code, reply.json()["code"]) == (401, "unauthenticated")
    assert reply.headers["www-authenticate"] == "Bearer"


async def test_the_list_says_who_said_it(here: Site) -> None:
    desk, phone = await here.operator("operator"), await here.phone(0)
    alert_id = await here.station.open_rollcall()
    await phone.call("POST", "/v1/checkins", said())
    await desk.call("POST", "/v1/checkins", said(**{"for": "P2"}))
    listed = await desk.call("GET", f"/v1/alerts/{alert_id}/people?limit=500")
    by = {p["ref"]: p["reported_by"] for p in listed.json()["items"]}
    assert by["P1"] == {"kind": "self", "name": "Person 1"}
    assert by["P2"] == {"kind": "operator", "name": "operator"}
    assert by["P3"] is None


async def test_an_alert_out_of_sight_is_not_there(here: Site) -> None:
    alert_id = await here.station.open_rollcall()
    async with here.api.db.transaction(here.station.operation_id) as con:
        empty = await con.fetchval(
            "INSERT INTO area (operation_id, code, name, kind) "
            "VALUES (current_operation(), 'EMPTY', 'Empty', 'zone') RETURNING area_id"
        )
    desk = await here.operator("operator", area_id=empty)
    for call in ("people", "headcount"):
        reply = await desk.call("GET", f"/v1/alerts/{alert_id}/{call}")
        assert reply.status_code == 404
