"""What a turn asks of the record: next to nothing while a warden is waited for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from server import jobs
from server.alerts import opening
from server.alerts.escalation import actions
from server.alerts.escalation.store import SQL
from server.db import Database
from tests.alerts.test_escalation import House, at, house, tree
from tests.alerts.world import alert


class Counting(Database):
    """Notes the statements of its transactions."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, 2)
        self.statements: list[str] = []

    @asynccontextmanager
    async def transaction(self, operation_id: int, **how: Any) -> AsyncIterator[Any]:
        async with super().transaction(operation_id, **how) as con:
            with con.query_logger(lambda asked: self.statements.append(asked.query)):
                yield con

    async def settle(self, operation_id: int, alert_id: UUID) -> None:
        """One turn uncounted: the driver asks for types once."""
        await actions.turn(self, operation_id, alert_id)
        self.statements.clear()


@asynccontextmanager
async def counting(h: House) -> AsyncIterator[Counting]:
    own = Counting(h.dsn)
    await own.open()
    try:
        yield own
    finally:
        await own.close()


async def opened(h: House, api: httpx.AsyncClient, **more: Any) -> UUID:
    """An alert that has opened, and whose first turn no worker has taken yet."""
    body = alert(**more)
    assert (await api.post("/v1/alerts", json=body)).status_code == 201
    alert_id = UUID(body["id"])
    await h.sql("DELETE FROM job WHERE kind = 'alert.prepare'")
    await opening.prepare(h.db, h.op, alert_id, None, None)
    await opening.open_prepared(h.db, h.op, alert_id)
    return alert_id


async def joins(h: House, api: httpx.AsyncClient, alert_id: UUID, area: str) -> None:
    await h.phone(await h.person("L1", area))
    added = {"id": str(uuid4()), "ref": "L1", "kind": "walk_in"}
    answer = await api.post(f"/v1/alerts/{alert_id}/people", json=added)
    assert answer.status_code == 201, answer.text


async def test_an_idle_turn_is_one_look(database: str) -> None:
    """Its row held, one look, and the time of the next turn: no nodes, no ways of leaders."""
    async with house(database) as h, h.client() as api, counting(h) as db:
        alert_id = await h.send(api, mode="cascade")
        assert at(await tree(api, alert_id), "TOP")["state"] == "asked"
        steps, told, events = await h.steps(), await h.told("ask"), await h.events("alert")
        await h.sql("DELETE FROM job")
        await db.settle(h.op, alert_id)
        for _ in range(3):
            await actions.turn(db, h.op, alert_id)
        assert db.statements == [SQL.alert, SQL.look, jobs._ENQUEUE] * 3
        assert (await h.steps(), await h.told("ask"), await h.events("alert")) == (
            *(steps, told, events),
        )
        soon = "SELECT due_at BETWEEN clock_timestamp() - interval '9 s' AND clock_timestamp()"
        assert await h.value(f"{soon} + interval '1 s' FROM job"), "her answer is looked for"
        await h.answers("W0")
        await actions.turn(db, h.op, alert_id)
        assert at(await tree(api, alert_id), "TOP")["state_why"] == "answered"


async def test_a_turn_without_a_warden_asked_waits_for_the_next_step(database: str) -> None:
    async with house(database) as h, h.client() as api, counting(h) as db:
        alert_id = await h.send(api)
        await db.settle(h.op, alert_id)
        await actions.turn(db, h.op, alert_id)
        assert db.statements == [SQL.alert, SQL.look, jobs._ENQUEUE]
        due = "SELECT j.due_at = (SELECT min(due_at) FROM escalation_step WHERE state = 'due')"
        assert await h.value(f"{due} FROM job j WHERE kind = 'alert.escalate'")
        await h.sql("UPDATE alert SET state = 'closed', closed_at = clock_timestamp()")
        db.statements.clear()
        await actions.turn(db, h.op, alert_id)
        assert db.statements == [SQL.alert], "and after the end for nothing"


async def test_wardens_are_looked_at_each_second_also_when_somebody_is_added(
    database: str,
) -> None:
    async with house(database) as h, h.client() as api:
        alert_id = await h.send(api, mode="cascade")
        await h.answers("W0")
        await h.later(1)
        await joins(h, api, alert_id, "KE-S")
        await h.answers("W1")
        await h.later(1)
        assert at(await tree(api, alert_id), "N1")["state_why"] == "answered"


@pytest.mark.parametrize("mode", ["broadcast", "cascade"])
async def test_who_is_added_before_the_first_turn_keeps_nobody_from_being_chased(
    database: str, mode: str
) -> None:
    async with house(database) as h, h.client() as api:
        alert_id = await opened(h, api, mode=mode, audience={"areas": ["KE-S"]})
        await joins(h, api, alert_id, "KE-N1")
        await h.run_jobs()
        states = {n["node"]: n["state"] for n in (await tree(api, alert_id))["nodes"]}
        if mode == "cascade":
            assert states == {"TOP": "asked", "N1": "waiting"}
        else:
            assert states == {"TOP": "open", "N1": "open"}
            await h.push_out()
            await h.later(610)
            assert await h.told("chase") == ["W0", "W1"]


async def test_a_branch_opened_before_the_first_turn_keeps_no_warden_from_being_asked(
    database: str,
) -> None:
    async with house(database) as h, h.client() as api:
        alert_id = await opened(h, api, mode="cascade")
        answer = await api.post(f"/v1/alerts/{alert_id}/nodes/N1/open")
        assert answer.json() == {"opened": ["N1"]}
        await h.run_jobs()
        assert at(await tree(api, alert_id), "TOP")["state"] == "asked"
        assert await h.told("ask") == ["W0"]


async def test_who_is_added_to_an_alert_of_nobody_is_chased(database: str) -> None:
    async with house(database) as h, h.client() as api:
        body = alert(audience={"areas": ["KE-S"]})
        assert (await api.post("/v1/alerts", json=body)).status_code == 201
        await h.sql("UPDATE person SET area_id = $1 WHERE ref = 'S1'", h.areas["KE-N1"])
        await h.run_jobs()
        alert_id = UUID(body["id"])
        assert (await tree(api, alert_id))["nodes"] == []
        await joins(h, api, alert_id, "KE-N1")
        await h.run_jobs()
        await h.push_out()
        await h.later(610)
        assert await h.told("chase") == ["W1"]
