"""Relocation at 100,000 people in one movement: reports beside check-ins, deltas, seats by rule."""

import statistics
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec

from loadtests.blaster import blast
from loadtests.harness import Bench, Figure, Stage
from loadtests.moving import Movement
from loadtests.rows import checkins
from server import stream
from server.auth import Scope
from server.relocation.actions import record_batch
from server.relocation.board import Faces
from server.relocation.plan.known import Plan
from server.relocation.store import Report
from server.stream import Event

PEOPLE, SMALL = 100_000, 1_000
CROWD = 10_000  # under way at once: a person's reports are as far apart as it takes to hear all
ROUNDS, ROUND_S = 12, 2.0  # short turns: both kinds see the same minute of the machine
AREAS = 24
VEHICLES, SEATS = 40, 10_000
BATCH = 500
STAGES = ("notified", "ready", "hibernating", "boarded")
DELTAS = 200
BUSES, BUS_SEATS = 2_000, 50
# Two of three are family of the one before them.
_FAMILIES = """
    UPDATE person p SET category = 'family', sponsor_id = s.person_id, area_id = s.area_id
    FROM person s
    WHERE s.operation_id = p.operation_id
      AND s.ref = 'P' || (substr(p.ref, 2)::int / 3 * 3)
      AND substr(p.ref, 2)::int % 3 <> 0
"""


def everybody() -> dict[str, Any]:
    """Whom a movement of the whole station is of."""
    return {"origins": [f"A{n}" for n in range(1, AREAS + 1)]}


async def measure(bench: Bench) -> list[Figure]:
    """stage_vs_checkin: reports of stages a second, against check-ins, in turn in one run."""
    rates: dict[str, list[float]] = {"checkin": [], "stage": []}
    async with (
        Stage(bench, people=PEOPLE, rollcall=True) as stage,
        Movement(stage, await stage.operator(), VEHICLES, SEATS) as movement,
    ):
        await movement.begin(**everybody())
        makes = {
            "checkin": checkins.requests("/v1/checkins", stage.tokens),
            "stage": movement.reports(CROWD),
        }
        for _ in range(ROUNDS):
            for name, make in makes.items():
                tally = await blast(
                    stage.port, make, connections=checkins.CONNECTIONS, seconds=ROUND_S
                )
                if set(tally.statuses) != {201}:
                    raise AssertionError(f"{name} answered {dict(tally.statuses)}")
                rates[name].append(tally.rate)
        await movement.check()
    stages, answers = (statistics.median(rates[name]) for name in ("stage", "checkin"))
    return [Figure("stage_vs_checkin", stages, "reports/s", answers)]


async def deltas(bench: Bench) -> list[Figure]:
    """movement_delta_flat: what a console is sent after a batch of reports, at 100,000 people,
    against 1,000 in the same operation."""
    async with Stage(bench, people=PEOPLE) as stage:
        desk = await stage.operator()
        sizes = {PEOPLE: everybody(), SMALL: {"people": [f"P{n}" for n in range(1, SMALL + 1)]}}
        events: dict[int, Event] = {}
        for size, whom in sizes.items():
            async with Movement(stage, desk, VEHICLES, SEATS) as movement:
                await movement.begin(**whom)
                events[size] = await _moved(stage, movement, size)
        con = await asyncpg.connect(stage.dsn)
        await con.execute("VACUUM ANALYZE")
        await con.close()
        took: dict[int, list[float]] = {size: [] for size in sizes}
        [kind] = Faces(stage.database).kinds()
        for _ in range(DELTAS):
            for size, event in events.items():
                started = time.perf_counter()
                told = await kind.render(stage.station.operation_id, Scope(), [event])
                msgspec.json.encode(told)
                took[size].append((time.perf_counter() - started) * 1000)
    large, small = (statistics.median(took[size]) for size in (PEOPLE, SMALL))
    return [Figure("movement_delta_flat", large, "ms", small)]


async def _moved(stage: Stage, movement: Movement, size: int) -> Event:
    """Has everybody reported once, in batches; the event of the last."""
    database, operation_id = stage.database, stage.station.operation_id
    people, plan = stage.station.people[:size], Plan()
    for start in range(0, size, BATCH):
        batch = [_report(movement, n, people[n]) for n in range(start, start + BATCH)]
        for outcome in await record_batch(database, plan, operation_id, batch):
            if isinstance(outcome, Exception):
                raise outcome
    async with database.transaction(operation_id) as con:
        [event] = await stream.read_after(con, await stream.head(con) - 1)
    return event


def _report(movement: Movement, n: int, person_id: int) -> Report:
    stage = STAGES[n // 7 % len(STAGES)]
    return Report(
        report_id=uuid4(),
        movement_id=movement.id,
        person_id=person_id,
        person_ref=f"P{n + 1}",
        stage=stage,
        vehicle=1 + n % VEHICLES if stage == "boarded" else None,
        point=None,
        reason=None,
        at=datetime.now(UTC),
        sent_at=None,
        actor="bench",
        capacity="self",
        how="app",
        body_hash=b"",
    )


async def seats(bench: Bench) -> list[Figure]:
    """fill_100k: seconds from the call to the whole answer, of seats of 2,000 vehicles shown by
    rule for 100,000 people in households of three."""
    async with Stage(bench, people=PEOPLE) as stage:
        await stage.database.fetch(stage.station.operation_id, _FAMILIES)
        async with Movement(stage, await stage.operator(), BUSES, BUS_SEATS) as movement:
            await movement.begin(**everybody())
            took = []
            for _ in range(3):
                started = time.perf_counter()
                wish = {"leg": str(movement.key(1))}
                shown = await movement.call("POST", f"/{movement.id}/fill", wish)
                took.append(time.perf_counter() - started)
    given, waiting = len(shown["given"]), len(shown["waiting"])
    if given + waiting != PEOPLE or given < 0.95 * PEOPLE:
        raise AssertionError(f"{given} of {PEOPLE} have seats, {waiting} wait")
    return [Figure("fill_100k", statistics.median(took), "s")]
