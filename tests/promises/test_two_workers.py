"""Two workers, two processes: nobody is notified twice."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from clients.simulator.script import Latency
from tests.promises import chaos, test_deliveries_killed
from tests.promises.test_deliveries_killed import Scene, scene

PEOPLE = 2_000
_LEFT = "SELECT count(*) FROM delivery WHERE state IN ('queued', 'sending')"
_CLAIM = "SELECT pg_get_functiondef('claim_deliveries'::regproc)"


@pytest.fixture(autouse=True)
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_deliveries_killed, "PEOPLE", PEOPLE)


async def sent_by_two(own: Scene) -> dict[str, int]:
    """How often the provider took each delivery, when two workers have sent them all."""
    own.fcm.script.latency = Latency(median_ms=50)
    start = [asyncio.to_thread(own.worker, MUSTER_FCM_CONNECTIONS="20") for _ in range(2)]
    workers = await asyncio.gather(*start)
    try:
        async with asyncio.timeout(90):
            while (await own.rows(_LEFT))[0][0]:  # noqa: ASYNC110 - the database has no event
                await asyncio.sleep(0.25)
    finally:
        await asyncio.gather(*(asyncio.to_thread(w.terminate) for w in workers))
    return dict(own.fcm.ledger.accepted)


async def test_two_workers_send_each_delivery_once(database: str, tmp_path: Path) -> None:
    async with scene(database, tmp_path) as own:
        taken = await sent_by_two(own)
        tries = await own.rows("SELECT attempts FROM delivery WHERE state = 'accepted'")
    assert len(taken) == PEOPLE
    assert set(taken.values()) == {1}
    assert {r[0] for r in tries} == {1}
    assert own.fcm.ledger.granted == 2, "both were at work, each with its own access token"


async def test_with_a_lease_that_holds_for_no_time_some_would_get_two(
    database: str, tmp_path: Path
) -> None:
    """The mechanism taken away: what one holds, the other may claim."""
    con = await asyncpg.connect(database)
    text = await con.fetchval(_CLAIM)
    await con.close()
    unheld = text.replace("moment - lease", "moment")
    assert unheld != text
    await chaos.run(database, unheld)
    async with scene(database, tmp_path) as own:
        assert max((await sent_by_two(own)).values()) > 1
