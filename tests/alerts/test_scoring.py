"""Scores: against a reckoning of its own, kept at the end of an exercise, never moved."""

import math
import random
from collections import defaultdict
from typing import Any
from uuid import UUID, uuid4

import pytest

from server.alerts.scoring import rules
from server.alerts.scoring.messages import Line, NodeLine, Score
from tests.alerts.test_branch import opened, say, sql, tree
from tests.support.http import Site, site

FACTS = (
    "SELECT p.person_id, coalesce(n.node, '') AS node, p.category, p.status, p.first_at,"
    " a.opened_at,"
    " EXISTS (SELECT FROM delivery d WHERE d.alert_id = a.alert_id AND d.person_id = p.person_id"
    "   AND coalesce(d.delivered_at, d.seen_at) IS NOT NULL) AS told"
    " FROM alert_person p JOIN alert a USING (operation_id, alert_id)"
    " LEFT JOIN tree_node n ON n.node_id = p.node_id WHERE p.alert_id = $1"
)


def reckoned(people: list[Any]) -> dict[str, Any]:
    """A line by another way than the query's."""
    answered = [p for p in people if p["status"] != "unaccounted"]
    took = sorted(max(0.0, (p["first_at"] - p["opened_at"]).total_seconds()) for p in answered)

    def after(share: float) -> float | None:
        place = math.ceil(share * len(people)) - 1
        return round(took[place], 1) if place < len(took) else None

    return {
        "population": len(people),
        "reached": sum(p["told"] or p["status"] != "unaccounted" for p in people),
        "answered": len(answered),
        "share": math.floor(len(answered) / len(people) * 10_000) / 10_000,
        "median_s": after(0.5),
        "p90_s": after(0.9),
    }


async def happen(here: Site, alert_id: str, seed: int) -> None:
    """Random answers at random times, random receipts."""
    chance = random.Random(seed)
    for person_id in here.station.people:
        if chance.random() < 0.4 + 0.15 * seed:
            await sql(
                here,
                "UPDATE alert_person p SET status = 'safe',"
                " event_at = a.opened_at + $3 * interval '1 s',"
                " first_at = a.opened_at + $3 * interval '1 s' FROM alert a"
                " WHERE a.alert_id = p.alert_id AND p.alert_id = $1 AND p.person_id = $2",
                UUID(alert_id),
                person_id,
                float(chance.randrange(-5, 900)),
            )
        if chance.random() < 0.5:
            await sql(
                here,
                "INSERT INTO delivery (operation_id, alert_id, person_id, channel, endpoint, lane,"
                " state, seen_at) VALUES (current_operation(), $1, $2, 'fcm', 'x', 2, 'accepted',"
                " CASE WHEN $3 THEN now() END)",
                UUID(alert_id),
                person_id,
                chance.random() < 0.5,
            )


@pytest.mark.parametrize("seed", range(4))
async def test_the_score_is_what_a_fresh_reckoning_says(database: str, seed: int) -> None:
    async with site(database, people=40) as here:
        await tree(here)
        desk = await here.operator()
        drill = await opened(here, desk, exercise=True)
        await happen(here, drill, seed)
        facts = await sql(here, FACTS, UUID(drill))
        score = (await desk.call("GET", f"/v1/alerts/{drill}/score")).json()
        assert (score["exercise"], score["final"], score["state"]) == (True, False, "open")
        assert score["total"] == reckoned(facts)
        for key, lines in (("node", score["nodes"]), ("category", score["categories"])):
            groups = defaultdict(list)
            for fact in facts:
                groups[fact[key]].append(fact)
            assert {line[key] or "": {k: line[k] for k in score["total"]} for line in lines} == {
                name: reckoned(own) for name, own in groups.items()
            }
        wardens = {n["node"]: n["warden"] for n in score["nodes"]}
        assert wardens["Z1"] == {"ref": "P4", "name": "Person 4"}
        assert wardens[None] is None


async def test_late_answers_do_not_move_the_score_of_an_exercise(database: str) -> None:
    async with site(database, people=20) as here:
        await tree(here)
        desk, warden = await here.operator(), await here.phone(3)
        drill = await opened(here, desk, exercise=True)
        await say(warden, "safe", "P12", alert_id=drill)
        assert (await desk.call("POST", f"/v1/alerts/{drill}/close")).status_code == 200
        score = (await desk.call("GET", f"/v1/alerts/{drill}/score")).json()
        assert (score["final"], score["state"], score["total"]["answered"]) == (True, "closed", 1)
        assert (await say(warden, "safe", "P16", alert_id=drill)).status_code == 201
        assert (await desk.call("POST", f"/v1/alerts/{drill}/close")).status_code == 200
        assert (await desk.call("GET", f"/v1/alerts/{drill}/score")).json() == score
        (kept,) = (await desk.call("GET", "/v1/exercises")).json()["items"]
        assert kept == score


async def test_the_history_has_exercises_only_and_a_trend_of_each_node(database: str) -> None:
    async with site(database, people=20) as here:
        await tree(here)
        desk, warden = await here.operator(), await here.phone(3)
        drills = []
        for answers in range(3):
            drill = await opened(here, desk, exercise=True)
            for ref in ("P12", "P16")[:answers]:
                await say(warden, "safe", ref, alert_id=drill)
            await desk.call("POST", f"/v1/alerts/{drill}/close")
            drills.append(drill)
        called_off = await opened(here, desk, exercise=True)
        await desk.call("POST", f"/v1/alerts/{called_off}/cancel")
        actual = await opened(here, desk)
        await desk.call("POST", f"/v1/alerts/{actual}/close")
        found = (await desk.call("GET", "/v1/exercises")).json()
        assert [s["alert_id"] for s in found["items"]] == drills[::-1]
        (zone,) = [t for t in found["trend"] if t["node"] == "Z1"]
        shares = [p["share"] for p in zone["points"]]
        assert shares == sorted(shares)
        assert len(set(shares)) == 3
        assert [p["alert_id"] for p in zone["points"]] == drills
        pages, at = [], "/v1/exercises?limit=1"
        while at:
            page = (await desk.call("GET", at)).json()
            pages += page["items"]
            at = page["next"]
        assert pages == found["items"]
        live = (await desk.call("GET", f"/v1/alerts/{actual}/score")).json()
        assert (live["exercise"], live["final"]) == (False, False)


async def test_scores_are_for_who_sees_the_whole(database: str) -> None:
    async with site(database, people=20) as here:
        await tree(here)
        drill = await opened(here, await here.operator(), exercise=True)
        rows = await sql(here, "SELECT area_id FROM area WHERE code = 'A1'")
        narrow = await here.operator("auditor", area_id=rows[0][0])
        warden, auditor = await here.phone(3), await here.operator("auditor")
        for path in (f"/v1/alerts/{drill}/score", "/v1/exercises"):
            assert (await narrow.call("GET", path)).status_code == 403
            assert (await warden.call("GET", path)).status_code == 403
            assert (await auditor.call("GET", path)).status_code == 200
        missing = await auditor.call("GET", f"/v1/alerts/{uuid4()}/score")
        assert missing.status_code == 404


def test_a_share_is_never_rounded_up_and_infinity_is_null() -> None:
    row = {"population": 100_000, "reached": 1, "answered": 99_999, "median_s": 3.04,
           "p90_s": math.inf}  # fmt: skip
    found = rules.figures(row)
    assert (found["share"], found["median_s"], found["p90_s"]) == (0.9999, 3.0, None)


def test_trends_leave_out_what_is_not_over() -> None:
    line = NodeLine(1, 1, 1, 1.0, 1.0, 1.0, node="Z", label="Z", warden=None)
    score = Score(
        uuid4(), "t", True, "open", None, None, None, False,  # type: ignore[arg-type]
        Line(1, 1, 1, 1.0, 1.0, 1.0), [line], [],
    )  # fmt: skip
    assert rules.trends([score]) == []
