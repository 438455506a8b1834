"""Promises 1 and 2 for reports of stages: what is acknowledged is on record, and nothing else is.

32 phones of a movement report without pause while the server, the database's postmaster, or both
get SIGKILL. After each round every acknowledged report is on record once, with its content, and
where everybody stands, all counts and conflicts are what the reports alone give. While no durable
write is possible a report is answered 503 with Retry-After within 5 s; the same id is one record.

`make test` runs three kills; `MUSTER_LONG=1` goes on until 20,000 are acknowledged. What bites:
`test_without_durable_commits_the_same_check_finds_the_loss` of test_kill.py, for it is one commit.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from server import db
from server.embedded import EmbeddedPostgres
from tests.promises import troubles
from tests.promises.crowd import Crowd, Ledger, Phone, Said, phones
from tests.promises.places import LONG, own_folder
from tests.promises.test_kill import VICTIMS, strike
from tests.promises.test_no_false_ack import refused
from tests.promises.troubles import Trouble
from tests.relocation.moving import exact, moving
from tests.support.live import LiveServer
from tests.support.seed import Station

PEOPLE, WRITERS = 60, 32
ENOUGH = 20_000 if LONG else 1_500
AROUND = 300  # acknowledged before and after each kill
WAYS = ("stopped", "frozen")
_RECORD = """
    SELECT r.report_id::text AS id, p.ref, r.stage, v.number, r.reason, r.at, r.event_at,
           r.received_at, r.actor, r.how
    FROM stage_report r JOIN person p USING (operation_id, person_id)
    LEFT JOIN movement_vehicle v USING (operation_id, movement_id, vehicle_id)
"""


@dataclass
class Moved:
    """A seeded operation with a movement of all its people."""

    place: Station
    movement: UUID

    async def record(self) -> dict[str, Any]:
        """All reports by id."""
        rows = await self.place.database.fetch(self.place.operation_id, _RECORD)
        found = {r["id"]: r for r in rows}
        assert len(found) == len(rows)
        return found

    async def check(self, ledger: Ledger) -> None:
        """Each acknowledged one is there once, with its content; nothing that nobody said is; and
        all that is kept is what the reports give."""
        rows = await self.record()
        missing = ledger.acknowledged().keys() - rows.keys()
        assert not missing, f"{len(missing)} acknowledged reports are lost"
        assert not rows.keys() - ledger.said.keys(), "a report nobody made"
        for key, row in rows.items():
            _check(ledger.said[key], row)
        stages = await exact(self.place.database, self.place.operation_id, self.movement)
        assert stages.total() == PEOPLE


def _check(said: Said, row: Any) -> None:
    body = said.body
    assert (row["ref"], row["stage"], row["number"], row["reason"]) == (
        said.phone.ref, body["stage"], body.get("vehicle"), body.get("reason"),
    )  # fmt: skip
    assert row["at"] == datetime.fromisoformat(body["at"])
    assert (row["how"], row["actor"]) == ("app", f"device:{said.phone.device_id}")
    if said.answer is not None:
        assert (said.answer["id"], said.answer["stage"]) == (row["id"], row["stage"])
        assert datetime.fromisoformat(said.answer["received_at"]) == row["received_at"]
        assert datetime.fromisoformat(said.answer["event_at"]) == row["event_at"]


class Stages(Ledger):
    """What phones say of themselves in a movement, in any order, some of it contradictory."""

    movement: UUID

    def new(self, phone: Phone) -> Said:
        """A report that nobody has heard yet."""
        stage = random.choice(["ready", "boarded", "boarded", "arrived", "arrived", "staying"])
        at = datetime.now(UTC) - timedelta(milliseconds=random.randrange(60_000))
        body: dict[str, Any] = {
            "id": str(uuid4()), "movement": str(self.movement), "stage": stage,
            "at": at.isoformat(timespec="milliseconds"),
        }  # fmt: skip
        if stage == "boarded":
            body["vehicle"] = random.randint(1, 4)
        if stage == "staying":
            body["reason"] = f"ill {uuid4().hex[:8]}"
        said = self.said[body["id"]] = Said(phone, body)
        return said


class Movers(Crowd):
    """Phones that report stages."""

    path = "/v1/stage-reports"

    @classmethod
    def of(cls, own: Moved, url: str, found: list[Phone]) -> "Movers":
        """Phones of a movement."""
        ledger = Stages()
        ledger.movement = own.movement
        return cls([url], found, ledger)


@asynccontextmanager
async def moved(dsn: str) -> AsyncIterator[Moved]:
    """A movement made over the API; then the test's own way to the database."""
    code = f"M{uuid4().hex[:8]}"
    async with moving(dsn, PEOPLE, code=code, origins=["A1", "A2", "A3", "A4"]) as own:
        made, movement = own.here.station, own.movement
    database = db.Database(dsn, 4)
    await database.open()
    try:
        yield Moved(Station(made.operation_id, made.people, database), movement)
    finally:
        await database.close()


@dataclass
class Home:
    """A Postgres of these tests' own and a live server on it."""

    postgres: EmbeddedPostgres
    server: LiveServer


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with (
        own_folder() as folder,
        EmbeddedPostgres(folder) as postgres,
        LiveServer(postgres.dsn, role="api") as server,  # it migrates, too
    ):
        yield Home(postgres, server)


async def test_no_acknowledged_stage_is_lost_by_sigkill(home: Home) -> None:
    async with moved(home.postgres.dsn) as own:
        found = await phones(own.place, WRITERS)
        async with Movers.of(own, home.server.url, found) as crowd:
            rounds = 0
            while rounds < len(VICTIMS) or len(crowd.ledger.acknowledged()) < ENOUGH:
                victim = VICTIMS[rounds % len(VICTIMS)]
                async with crowd.writing(WRITERS):
                    await crowd.until_acknowledged(random.randrange(100, AROUND))
                    await asyncio.to_thread(strike, home.server, home.postgres, victim)
                    await crowd.until_acknowledged(AROUND)
                await own.check(crowd.ledger)
                await crowd.settle()
                await own.check(crowd.ledger)
                rounds += 1
            known = random.sample(list(crowd.ledger.acknowledged().values()), 50)
            assert all(await asyncio.gather(*(crowd.once(said) for said in known)))
            await own.check(crowd.ledger)
        assert crowd.ledger.repeats > WRITERS, "nobody was cut off: the kills met no load"
        assert crowd.ledger.answers["200"] >= len(known)


@pytest.mark.parametrize("way", WAYS)
async def test_a_stage_that_cannot_be_written_is_not_acknowledged(home: Home, way: str) -> None:
    trouble: Trouble = getattr(troubles, way)
    async with moved(home.postgres.dsn) as own:
        found = await phones(own.place, 8)
        async with Movers.of(own, home.server.url, found) as crowd:
            for phone in found:
                crowd.ledger.new(phone)
            await crowd.settle()  # everybody has been heard of: no token needs to be looked up
            said = [crowd.ledger.new(phone) for phone in found]
            own_batch = [crowd.ledger.new(found[0]) for _ in range(2)]
            batch = {"items": [s.body for s in own_batch]}
            async with trouble(home.postgres):
                work = [refused(crowd, s.phone.token, s.body) for s in said]
                await asyncio.gather(*work, refused(crowd, found[0].token, batch))
            await crowd.settle()
            assert all([await crowd.once(s) for s in said])
            await own.check(crowd.ledger)
            assert len(await own.record()) == len(crowd.ledger.said)
