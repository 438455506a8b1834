"""Everything at once: reports, additions, merges, reminders, closings. The counts stay true."""

import asyncio
import random
import uuid
from datetime import UTC, datetime
from typing import Any

import httpx

from server.checkin.actions import record_batch
from tests.alerts.test_interleaving import report, standing
from tests.alerts.test_lifecycle import opened
from tests.alerts.test_members import add, walk_in
from tests.alerts.world import World, world

SECONDS = 4.0
MOMENT = """
    SELECT a.alert_id, a.population,
           (SELECT coalesce(sum(count), 0)::int FROM cell c WHERE c.alert_id = a.alert_id) AS kept,
           (SELECT count(*)::int FROM alert_person p WHERE p.alert_id = a.alert_id) AS people,
           (SELECT count(*)::int FROM alert_person p JOIN person q USING (operation_id, person_id)
            WHERE p.alert_id = a.alert_id AND q.merged_into IS NOT NULL) AS ghosts
    FROM alert a WHERE a.opened_at IS NOT NULL
"""


class Turmoil:
    """Several kinds of callers on one operation until the time is over."""

    def __init__(self, w: World, api: httpx.AsyncClient, alerts: list[str]) -> None:
        self.w, self.api, self.alerts = w, api, alerts
        self.walkers: list[str] = []
        self.ids: list[int] = []
        self.until = asyncio.get_running_loop().time() + SECONDS

    def going(self) -> bool:
        return asyncio.get_running_loop().time() < self.until

    async def report(self, chance: random.Random) -> None:
        while self.going():
            batch = [
                report(
                    chance.choice(self.ids),
                    chance.choice(("safe", "need_help", "away")),
                    datetime.now(UTC),
                    chance.choice((None, *(uuid.UUID(a) for a in self.alerts))),
                )
                for _ in range(20)
            ]
            await record_batch(self.w.db, self.w.op, batch)
            await asyncio.sleep(0.01)

    async def add(self, chance: random.Random) -> None:
        while self.going():
            status = chance.choice((None, "safe", "need_help"))
            answer = await add(self.api, chance.choice(self.alerts), walk_in(status=status))
            assert answer.status_code == 201, answer.text
            ref = answer.json()["ref"]
            self.walkers.append(ref)
            found = await self.w.value("SELECT person_id FROM person WHERE ref = $1", ref)
            self.ids.append(found)
            await asyncio.sleep(0.02)

    async def merge(self, chance: random.Random) -> None:
        while self.going():
            await asyncio.sleep(0.05)
            if self.walkers:
                walker = self.walkers.pop(chance.randrange(len(self.walkers)))
                body = {"into": f"P{chance.randrange(1, 50)}"}
                answer = await self.api.post(f"/v1/people/{walker}/merge", json=body)
                assert answer.status_code == 200, answer.text

    async def open(self, chance: random.Random) -> None:
        while self.going():
            await asyncio.sleep(0.5)
            body = await opened(self.w, self.api)
            if chance.random() < 0.5:
                self.alerts.append(body["id"])
            else:
                assert (await self.api.post(f"/v1/alerts/{body['id']}/close")).is_success

    async def watch(self) -> list[Any]:
        """What was wrong at any of many instants."""
        wrong: list[Any] = []
        while self.going():
            async with self.w.db.transaction(self.w.op, snapshot=True) as con:
                rows = await con.fetch(MOMENT)
            wrong += [
                tuple(r)
                for r in rows
                if not r["population"] == r["kept"] == r["people"] or r["ghosts"]
            ]
            await asyncio.sleep(0.02)
        return wrong


async def test_everybody_is_counted_once_at_every_moment(database: str) -> None:
    async with world(database) as w, w.client() as api:
        await w.people(60, phones=10)
        alerts = [(await opened(w, api))["id"] for _ in range(2)]
        turmoil = Turmoil(w, api, alerts)
        turmoil.ids = [r[0] for r in await w.sql("SELECT person_id FROM person")]
        chance = random.Random(7)
        *_, wrong = await asyncio.gather(
            turmoil.report(chance),
            turmoil.report(chance),
            turmoil.add(chance),
            turmoil.merge(chance),
            turmoil.open(chance),
            turmoil.watch(),
        )
        assert wrong == []
        await w.sql("UPDATE job SET due_at = now() WHERE kind = 'person.refold'")
        await w.run_jobs()
        for row in await w.sql("SELECT alert_id FROM alert"):
            assert await w.cells_agree(row["alert_id"])
        for key in alerts[:2]:
            assert await standing(w, uuid.UUID(key)) == await said(w, uuid.UUID(key))


async def said(w: World, alert_id: uuid.UUID) -> dict[int, tuple[Any, ...]]:
    """Who stands how in an open alert, worked out anew, merged persons' words included."""
    rows = await w.sql(
        "SELECT coalesce(p.merged_into, p.person_id) AS person, c.status, c.checkin_id,"
        " greatest(c.event_at, a.counts_from) AS event_at FROM checkin c"
        " JOIN person p USING (operation_id, person_id) JOIN alert a ON a.alert_id = $1"
        " WHERE (c.alert_id = $1 OR c.event_at >= a.counts_from"
        " AND (c.alert_id IS NULL OR c.status = 'need_help'))"
        " AND EXISTS (SELECT FROM alert_person h WHERE"
        " h.alert_id = $1 AND h.person_id = coalesce(p.merged_into, p.person_id))",
        alert_id,
    )
    best: dict[int, tuple[Any, ...]] = {}
    for r in rows:
        mine = (r["event_at"], r["status"] == "need_help", r["checkin_id"], r["status"])
        best[r["person"]] = max(best.get(r["person"], mine), mine)
    return best
