"""Promise 2: no false acknowledgement.

While no durable write is possible a check-in is answered 503 with Retry-After within 5 s, a
phone's, an operator's and a batch alike; the same id afterwards makes one record. A commit
whose replication was never confirmed is no durable write, whatever COMMIT says.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import asyncpg
import pytest

from server import db
from server.checkin.actions import record_batch
from server.checkin.rules import Report
from server.embedded import EmbeddedPostgres
from server.errors import Unavailable
from tests.promises import troubles
from tests.promises.crowd import Crowd, Said, operator, phones
from tests.promises.places import own_folder, seeded
from tests.promises.record import check_counts, check_reports
from tests.promises.troubles import Trouble
from tests.support.live import LiveServer
from tests.support.seed import Station

PHONES = 16
PROMISED_S = 5.0
SLACK_S = 2.0  # for a machine that runs other tests meanwhile
WAYS = ("frozen", "stopped", "read_only", "full_disk", "broken_disk", "locked")
_CANCEL = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@dataclass
class Home:
    """A Postgres of these tests' own and one live server on it."""

    postgres: EmbeddedPostgres
    server: LiveServer


@dataclass
class Desk:
    """A seeded operation: its phones' crowd, and an operator's token."""

    place: Station
    alert_id: UUID
    crowd: Crowd
    token: str


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with (
        own_folder() as folder,
        EmbeddedPostgres(folder) as postgres,
        LiveServer(postgres.dsn, role="api") as server,  # it migrates, too
    ):
        yield Home(postgres, server)


@asynccontextmanager
async def desk(home: Home, code: str) -> AsyncIterator[Desk]:
    """An operation in which everybody has been heard of once: no token needs to be looked up."""
    async with seeded(home.postgres.dsn, 40, code) as place:
        alert_id, own = await place.open_rollcall(), await phones(place, PHONES)
        token = await operator(place)
        async with Crowd([home.server.url], own) as crowd:
            for phone in own:
                crowd.ledger.new(phone)
            await crowd.settle()
            yield Desk(place, alert_id, crowd, token)


def report(**more: Any) -> dict[str, Any]:
    """A report as it is sent."""
    return {"id": str(uuid4()), "status": "safe", "at": datetime.now(UTC).isoformat(), **more}


async def refused(crowd: Crowd, token: str, body: Any) -> None:
    """Posts what cannot be written now: refused as promised, and in time."""
    began = time.monotonic()
    session, url = aiohttp.ClientSession(), crowd.urls[0] + crowd.path
    headers = {"Authorization": f"Bearer {token}"}
    async with session, session.post(url, json=body, headers=headers) as answer:
        problem = await answer.json(content_type=None)
    seconds = time.monotonic() - began
    assert answer.status == 503, (answer.status, problem)
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    assert (problem["status"], problem["code"], problem["retryable"]) == (503, "unavailable", True)
    assert seconds < PROMISED_S + SLACK_S


@pytest.mark.parametrize("way", WAYS)
async def test_what_cannot_be_written_is_not_acknowledged(home: Home, way: str) -> None:
    trouble: Trouble = getattr(troubles, way)
    async with desk(home, way) as own:
        crowd, place = own.crowd, own.place
        said = [crowd.ledger.new(phone) for phone in crowd.phones]
        named, batch = report(**{"for": "P30"}), {"items": [report(), report(status="away")]}
        token = crowd.phones[0].token
        async with trouble(home.postgres):
            work = [refused(crowd, s.phone.token, s.body) for s in said]
            work += [refused(crowd, own.token, named), refused(crowd, token, batch)]
            await asyncio.gather(*work)
        await crowd.settle()
        for body, by in ((named, own.token), (batch, token)):
            await until_taken(crowd, by, body)
            status, _ = await crowd.call("POST", "/v1/checkins", by, body)
            assert status == 200, "a second record, or none"
        others = [Said(crowd.phones[0], b) for b in (named, *batch["items"])]
        await once_on_record(place, own.alert_id, crowd, others)


async def until_taken(crowd: Crowd, token: str, body: Any) -> None:
    """Sends it until it is on record: 201, or 200 where the refused try has made it after all."""
    async with asyncio.timeout(60):
        while True:
            status, answer = await crowd.call("POST", "/v1/checkins", token, body)
            if status in (200, 201):
                return
            assert status == 503, answer
            await asyncio.sleep(0.1)


async def once_on_record(place: Station, alert_id: UUID, crowd: Crowd, others: list[Said]) -> None:
    """Exactly the phones' reports and the others are there, and the counts add up."""
    ids = [UUID(o.body["id"]) for o in others]
    count = "SELECT count(*) FROM checkin WHERE checkin_id = ANY ($1)"
    (row,) = await place.database.fetch(place.operation_id, count, ids)
    assert row[0] == len(others)
    await check_reports(place, crowd.ledger, but={o.body["id"] for o in others})
    await check_counts(place, alert_id)


async def test_a_commit_that_was_not_replicated_is_no_acknowledgement(home: Home) -> None:
    """COMMIT ends with `canceling wait for synchronous replication`: 503, and so is a repeat
    for as long as the replica is away, though the row is there for all to see."""
    async with desk(home, "replica") as own:
        crowd, phone = own.crowd, own.crowd.phones[0]
        cancelled, waited = crowd.ledger.new(phone), crowd.ledger.new(crowd.phones[1])
        async with troubles.without_its_replica(home.postgres):
            asking = asyncio.create_task(refused(crowd, phone.token, cancelled.body))
            await cancel_the_wait(home.postgres)
            await asking
            assert len(await rows(own.place, cancelled)) == 1
            await refused(crowd, phone.token, cancelled.body)
            await refused(crowd, crowd.phones[1].token, waited.body)
        await crowd.settle()
        assert crowd.ledger.answers["200"] >= 1, "the row was there before it was acknowledged"
        await once_on_record(own.place, own.alert_id, crowd, [])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/alerts", {"kind": "rollcall", "audience": {"all": True}, "title": "A", "body": "B"}),
        ("/v1/incidents", {"title": "Flood"}),
        ("/v1/alerts/{alert_id}/people", {"kind": "unnamed", "area": "A1"}),
    ],
)
async def test_nor_is_it_for_what_an_operator_writes(
    home: Home, path: str, body: dict[str, Any]
) -> None:
    """The same for roll calls, incidents and additions: a repeat finds the row and still waits."""
    body = {"id": str(uuid4()), **({"exercise": False} if "title" in body else {}), **body}
    async with desk(home, f"replica-{uuid4().hex[:8]}") as own:
        call = "POST", path.format(alert_id=own.alert_id), own.token, body
        async with troubles.without_its_replica(home.postgres):
            asking = asyncio.create_task(own.crowd.call(*call))
            await cancel_the_wait(home.postgres)
            assert (await asking)[0] == 503
            assert (await own.crowd.call(*call))[0] == 503, "nobody knows whether it is safe"
        assert (await own.crowd.call(*call))[0] == 200


async def rows(place: Station, said: Said) -> list[Any]:
    """What is visible under a report's id."""
    sql = "SELECT checkin_id FROM checkin WHERE checkin_id = $1"
    found: list[Any] = await place.database.fetch(place.operation_id, sql, UUID(said.body["id"]))
    return found


async def cancel_the_wait(postgres: EmbeddedPostgres) -> None:
    """Cancels the first commit that waits for its replica."""
    con = await asyncpg.connect(postgres.dsn)
    async with asyncio.timeout(20):
        while not await con.fetch(_CANCEL):  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.02)
    await con.close()


async def test_without_listening_to_the_commit_it_would_be_acknowledged(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mechanism taken away: nobody hears the warning that comes with COMMIT."""
    async with desk(home, "deaf") as own, troubles.without_its_replica(home.postgres):
        with pytest.raises(Unavailable):
            await recorded(home, own.place)
        monkeypatch.setattr(db._CommitListener, "__call__", lambda *_: None)
        assert await recorded(home, own.place) == "safe"


async def recorded(home: Home, place: Station) -> str:
    """Records one report while its commit's wait is cancelled; the status acknowledged."""
    now = datetime.now(UTC)
    one = Report(uuid4(), place.people[0], "P1", "safe", now, None, None, None, None, None,
                 "self", "device:test", b"")  # fmt: skip
    work = asyncio.create_task(record_batch(place.database, place.operation_id, [one]))
    await cancel_the_wait(home.postgres)
    [outcome] = await work
    assert isinstance(outcome, tuple)
    return outcome[0].status
