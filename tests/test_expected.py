"""Expected here and expected elsewhere: frozen with the population, shown apart, summing up."""

from typing import Any
from uuid import UUID, uuid4

from server.auth import Scope
from server.checkin import board
from server.stream import read_after
from tests.alerts.world import alert
from tests.support.http import Caller, Site, site

AWAY = (
    "INSERT INTO presence (operation_id, person_id, kind, area_id, from_at, until_at, source)"
    " SELECT current_operation(), $1, $2, (SELECT area_id FROM area WHERE code = $3),"
    " now() - interval '1 day', now() + interval '1 day', 'test'"
)


async def opened(here: Site, desk: Caller, **more: Any) -> str:
    """A roll call while P1 is on leave, P2 travels and P3 of A4 visits A1."""
    for n, kind, area in ((0, "leave", None), (1, "travel", None), (2, "visit", "A1")):
        await here.api.db.fetch(here.station.operation_id, AWAY, here.station.people[n], kind, area)
    body = alert(**more)
    assert (await desk.call("POST", "/v1/alerts", body)).status_code == 201
    await here.work()
    return str(body["id"])


async def head(who: Caller, alert_id: str) -> dict[str, Any]:
    answer = await who.call("GET", f"/v1/alerts/{alert_id}/headcount")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def refs(who: Caller, alert_id: str, **query: str) -> set[str]:
    answer = await who.call("GET", f"/v1/alerts/{alert_id}/people", params=query)
    assert all(
        p["expected"] == query.get("expected", p["expected"]) for p in answer.json()["items"]
    )
    return {p["ref"] for p in answer.json()["items"]}


async def test_both_are_shown_apart_and_sum_to_the_population(database: str) -> None:
    async with site(database, people=20) as here:
        desk = await here.operator()
        alert_id = await opened(here, desk)
        said = {"id": str(uuid4()), "status": "safe", "at": "2026-11-23T10:00:00Z", "for": "P1"}
        said["at"] = (await head(desk, alert_id))["as_of"]
        assert (await desk.call("POST", "/v1/checkins", said)).status_code == 201
        board_ = await head(desk, alert_id)
        expected = board_["expected"]
        assert expected["elsewhere"] == {
            "population": 2,
            "counts": {"safe": 1, "need_help": 0, "away": 0, "unaccounted": 1},
        }
        assert expected["here"]["population"] == 18
        for status, people in board_["counts"].items():
            assert sum(side["counts"][status] for side in expected.values()) == people
        assert await refs(desk, alert_id, expected="elsewhere") == {"P1", "P2"}
        assert len(await refs(desk, alert_id, expected="here")) == 18
        visitor = await refs(desk, alert_id, area="A1", q="P3")
        assert visitor == {"P3"}  # counted where she visits


async def test_each_scope_counts_its_own(database: str) -> None:
    async with site(database, people=20) as here:
        desk = await here.operator()
        alert_id = await opened(here, desk)
        rows = await here.api.db.fetch(
            here.station.operation_id, "SELECT area_id FROM person WHERE ref = 'P1'"
        )
        own = await here.operator("operator", area_id=rows[0][0])
        board_ = await head(own, alert_id)
        assert board_["expected"]["elsewhere"]["population"] == 1
        assert board_["population"] == sum(
            side["population"] for side in board_["expected"].values()
        )
        assert await refs(own, alert_id, expected="elsewhere") == {"P1"}


async def test_an_event_says_the_same_as_the_board(database: str) -> None:
    async with site(database, people=20) as here:
        desk = await here.operator()
        alert_id = await opened(here, desk)
        before = await head(desk, alert_id)
        said = {"id": str(uuid4()), "status": "away", "at": before["as_of"], "for": "P2"}
        assert (await desk.call("POST", "/v1/checkins", said)).status_code == 201
        operation = here.station.operation_id
        async with here.api.db.transaction(operation) as con:
            told = [e for e in await read_after(con, before["seq"]) if e.kind == "headcount"]
        faces = {kind.name: kind for kind in board.Faces(here.api.db).kinds()}
        shown = await faces["headcount"].render(operation, Scope(), told)
        assert shown is not None
        assert UUID(alert_id) == shown["alert_id"]
        counts = (await head(desk, alert_id))["expected"]["elsewhere"]["counts"]
        assert {s: getattr(shown["elsewhere"], s) for s in counts} == counts
        assert counts["away"] == 1
