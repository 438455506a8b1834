"""A panic makes its person need_help until it is ended, whatever she answers; cells stay counts."""

import asyncio
import contextlib
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from server.alerts import opening
from server.alerts.panics.actions import resolve
from server.alerts.panics.press import Press
from server.alerts.panics.pressing import Caller, press
from server.alerts.panics.store import SQL
from server.auth import Principal, Scope
from server.checkin.actions import record_batch
from server.checkin.rules import Report
from server.errors import Clash
from tests.alerts.panics import Scene, scene
from tests.alerts.test_interleaving import called, report
from tests.alerts.world import World, world

NOTE = {"outcome": "helped"}


async def say(s: Scene, n: int, status: str, **more: Any) -> None:
    body = {"id": str(uuid4()), "status": status, "at": datetime.now(UTC).isoformat(), **more}
    answer = await (await s.phone(n)).call("POST", "/v1/checkins", body)
    assert answer.status_code == 201, answer.text


async def agree(s: Scene, *alerts: UUID) -> None:
    for alert_id in alerts:
        kept, fresh = await s.site.station.cells(alert_id)
        assert kept == fresh


async def test_it_counts_until_it_is_resolved_whatever_she_says(database: str) -> None:
    async with scene(database) as s:
        alert_id = await s.site.station.open_rollcall()
        drill = await s.site.station.open_rollcall(exercise=True)
        panic = (await s.press(3))["panic_id"]
        await s.work()
        assert await s.status(3, alert_id) == "need_help"
        assert await s.status(3, drill) == "unaccounted", "exercises are another world"
        await say(s, 3, "safe")
        await say(s, 4, "safe")
        assert [await s.status(n, alert_id) for n in (3, 4)] == ["need_help", "safe"]
        await agree(s, alert_id, drill)
        await s.act(panic, "resolve", NOTE)
        assert await s.status(3, alert_id) == "safe", "her own answer stands again"
        await agree(s, alert_id, drill)


async def test_without_an_answer_she_is_unaccounted_again(database: str) -> None:
    async with scene(database) as s:
        alert_id = await s.site.station.open_rollcall()
        panic = (await s.press(3))["panic_id"]
        await s.work()
        await s.work()
        assert await s.status(3, alert_id) == "need_help"
        await s.act(panic, "resolve", NOTE)
        assert await s.status(3, alert_id) == "unaccounted"
        await agree(s, alert_id)


async def test_a_covert_one_touches_no_count(database: str) -> None:
    async with scene(database) as s:
        alert_id = await s.site.station.open_rollcall()
        await s.press(3, covert=True)
        await s.work()
        await say(s, 3, "safe")
        assert await s.status(3, alert_id) == "safe"
        await agree(s, alert_id)
        await s.press(3)
        await s.work()
        assert await s.status(3, alert_id) == "need_help", "pressed openly it does"
        await agree(s, alert_id)


async def test_the_answer_on_its_way_when_she_pressed_does_not_hide_it(database: str) -> None:
    """The batch holds her row, the panic is committed, then the batch goes on."""
    async with scene(database) as s:
        alert_id, person = await s.site.station.open_rollcall(), s.site.station.people[3]
        operation = s.site.station.operation_id
        one = report(person, "safe", datetime.now(UTC), None)
        async with s.site.api.db.transaction(operation) as other:
            await other.execute("SELECT FROM alert_person WHERE person_id = $1 FOR UPDATE", person)
            batch = asyncio.create_task(record_batch(s.site.api.db, operation, [one]))
            await asyncio.wait([batch], timeout=0.3)
            await s.press(3)
        await batch
        assert await s.status(3, alert_id) == "need_help"
        await s.work()
        await agree(s, alert_id)


async def test_a_roll_call_that_opens_finds_her(database: str) -> None:
    async with world(database) as w:
        person = await w.person("A1")
        await w.person("A2")
        await pressed(w, person)
        alert_id = await called(w)
        await opening.prepare(w.db, w.op, alert_id, None, None)
        await w.checkin(person, "safe")
        await opening.open_prepared(w.db, w.op, alert_id)
        assert await w.counts(alert_id) == {"need_help": 1, "unaccounted": 1}
        assert await w.cells_agree(alert_id)


async def test_without_that_she_would_be_shown_safe(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above bites: taking the look at panics away makes it fail."""
    monkeypatch.setitem(SQL.blocks, "count_in_alert", "SELECT 1 WHERE $1::uuid IS NULL")
    async with world(database) as w:
        person = await w.person("A1")
        await pressed(w, person)
        alert_id = await called(w)
        await opening.prepare(w.db, w.op, alert_id, None, None)
        await w.checkin(person, "safe")
        await opening.open_prepared(w.db, w.op, alert_id)
        assert await w.counts(alert_id) == {"safe": 1}


async def pressed(w: World, person: int, covert: bool = False) -> UUID:
    one = Press(press_id=uuid4(), covert=covert)
    [done] = await press(w.db, w.op, Caller(person, "operator:1", "desk"), [one], ())
    return done.panic_id


async def test_any_interleaving_leaves_cells_equal_to_a_fresh_count(database: str) -> None:
    """Presses, answers, openings and ends at random; then everybody stands as rules say."""
    async with world(database) as w, w.client() as api:
        await w.people(60)
        people = [r[0] for r in await w.sql("SELECT person_id FROM person")]
        chance, alerts = random.Random(4), [await called(w) for _ in range(2)]
        over: set[UUID] = set()

        async def answers() -> None:
            for _ in range(40):
                batch = [_report(chance, people) for _ in range(20)]
                assert not [o for o in await record_batch(w.db, w.op, batch)
                            if isinstance(o, Exception)]  # fmt: skip

        async def presses() -> None:
            for _ in range(25):
                panic = await pressed(w, chance.choice(people), chance.random() < 0.2)
                await asyncio.sleep(0.005)
                if chance.random() < 0.5:
                    over.add(panic)
                    await end(w, panic)

        await asyncio.gather(answers(), presses(), w.run_jobs(), presses(), answers())
        await w.run_jobs()
        for alert_id in alerts:
            assert await w.cells_agree(alert_id)
            helpless = {
                r[0]
                for r in await w.sql(
                    "SELECT person_id FROM panic WHERE counts AND ended_at IS NULL"
                )
            }
            rows = await w.sql(
                "SELECT person_id, status, checkin_id FROM alert_person WHERE alert_id = $1",
                alert_id,
            )
            said = {r["checkin_id"]: r["status"] for r in await w.sql(
                "SELECT checkin_id, status FROM checkin")}  # fmt: skip
            for r in rows:
                own = said.get(r["checkin_id"], "unaccounted")
                expected = "need_help" if r["person_id"] in helpless else own
                assert r["status"] == expected
        assert over, api


def _report(chance: random.Random, people: list[int]) -> Report:
    at = datetime.now(UTC) - timedelta(seconds=chance.choice((0, 0, 1)))
    return report(chance.choice(people), chance.choice(("safe", "away", "need_help")), at, None)


async def end(w: World, panic: UUID) -> None:
    boss = await w.value("SELECT operator_id FROM operator")
    who = Principal("operator", w.op, "operator", b"", operator_id=boss)
    with contextlib.suppress(Clash):
        await resolve(w.db, who, Scope(silent=True), panic, "helped", None)
