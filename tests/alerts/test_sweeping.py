"""Alerts whose job was lost go on: steps are taken, what was called for is opened."""

import uuid
from datetime import timedelta

import pytest

from server.alerts import opening, sweeping
from server.alerts.sweeping import sweep
from tests.alerts.test_escalation import house
from tests.alerts.test_interleaving import called
from tests.alerts.world import World, alert, world

LOSE = "DELETE FROM job WHERE kind = $1"
TAKEN = "SELECT count(*) FROM escalation_step WHERE state = 'done'"
HOLDS = (
    "SELECT p.ref FROM alert_person ap JOIN person p USING (operation_id, person_id)"
    " WHERE ap.alert_id = $1 ORDER BY 1"
)


@pytest.fixture(autouse=True)
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "FORGOTTEN", timedelta(0))


async def lanes(w: World) -> list[tuple[str, int]]:
    rows = await w.sql("SELECT kind, lane FROM job WHERE kind <> 'alert.expire' ORDER BY 1")
    return [tuple(r) for r in rows]


async def test_a_cascade_whose_turn_was_lost_goes_on(database: str) -> None:
    async with house(database) as h, h.client() as api:
        await h.send(api, mode="cascade", severity="life_safety")
        await h.sql(LOSE, "alert.escalate")
        await h.answers("W0")
        await h.later(1)
        assert await h.told("ask") == ["W0"], "nobody looks for her answer"
        await sweep(h.db)
        assert await lanes(h) == [("alert.escalate", 1)]
        await h.run_jobs()
        assert await h.told("ask") == ["W0", "W1"]


async def test_a_broadcast_whose_steps_were_forgotten_takes_them(database: str) -> None:
    async with house(database) as h, h.client() as api:
        await h.send(api)
        await h.sql(LOSE, "alert.escalate")
        await h.later(100_000)
        assert await h.value(TAKEN) == 0
        await sweep(h.db)
        await h.run_jobs()
        assert await h.value(TAKEN) > 0


async def test_an_alert_that_lost_its_first_turn_gets_it(database: str) -> None:
    async with house(database) as h:
        alert_id = await called(h, mode="cascade")
        await opening.prepare(h.db, h.op, alert_id, None, None)
        await opening.open_prepared(h.db, h.op, alert_id)
        await h.sql("DELETE FROM job")
        await sweep(h.db)
        await h.run_jobs()
        assert await h.told("ask") == ["W0"]


async def test_what_was_called_for_is_opened_to_whom_its_maker_may_address(database: str) -> None:
    async with world(database) as w:
        await w.operator("north", area="KE-N")
        await w.person("A1", "KE-N1")
        await w.person("B1", "KE-S")
        body = alert(severity="urgent")
        async with w.client("north") as api:
            assert (await api.post("/v1/alerts", json=body)).status_code == 201
        alert_id = uuid.UUID(body["id"])
        await w.sql(LOSE, "alert.prepare")
        await sweep(w.db)
        assert await lanes(w) == [("alert.prepare", 2)]
        await w.run_jobs()
        assert await w.value("SELECT state FROM alert") == "open"
        assert [r["ref"] for r in await w.sql(HOLDS, alert_id)] == ["A1"]


async def test_a_correction_is_opened_to_those_it_corrects(database: str) -> None:
    async with world(database) as w, w.client() as api:
        await w.person("A1", "KE-N1")
        wrong = await called(w)
        await w.run_jobs()
        await w.person("A2", "KE-N1")
        body = {"id": str(uuid.uuid4()), "title": "It was thunder", "body": "Go on."}
        made = await api.post(f"/v1/alerts/{wrong}/correct", json=body)
        assert made.status_code == 201, made.text
        await w.sql(LOSE, "alert.prepare")
        await sweep(w.db)
        await w.run_jobs()
        assert [r["ref"] for r in await w.sql(HOLDS, uuid.UUID(body["id"]))] == ["A1"]


async def test_whom_to_address_is_never_guessed(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Older code kept it in the job alone."""
    async with world(database) as w:
        await w.person("A1")
        await called(w)
        await w.sql(LOSE, "alert.prepare")
        await w.sql("UPDATE alert SET opening = NULL")
        await sweep(w.db)
        assert await lanes(w) == []
        assert "job_missing" in capsys.readouterr().out


async def test_what_goes_on_by_itself_is_left_alone(database: str) -> None:
    async with house(database) as h, h.client() as api:
        await h.send(api)
        await called(h)
        before = await h.sql("SELECT * FROM job ORDER BY kind, run_key")
        assert before
        await sweep(h.db)
        assert await h.sql("SELECT * FROM job ORDER BY kind, run_key") == before
        await h.run_jobs()
        await h.sql("UPDATE alert SET state = 'closed', closed_at = now()")
        await h.sql("DELETE FROM job")
        await sweep(h.db)
        assert await lanes(h) == []
