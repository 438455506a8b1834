"""The lease queue: nothing is lost, nothing runs for ever, the same key is one job."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from server import db, jobs
from server.jobs import Job, Runner
from tests.support.seed import Station, station


@pytest.fixture
async def place(database: str) -> AsyncIterator[Station]:
    own = db.Database(database, 6)
    await own.open()
    yield await station(own, people=1)
    await own.close()


async def put(place: Station, key: str, **payload: object) -> None:
    async with place.database.transaction(place.operation_id) as con:
        await jobs.enqueue(con, place.operation_id, "say", key, payload)


async def left(place: Station) -> list[tuple[int, str | None]]:
    rows = await place.database.fetch(place.operation_id, "SELECT attempts, last_error FROM job")
    return [(r["attempts"], r["last_error"]) for r in rows]


async def test_a_job_runs_once_and_is_gone(place: Station) -> None:
    ran: list[Job] = []

    async def say(job: Job) -> None:
        ran.append(job)

    await put(place, "one", word="hello")
    runner = Runner(place.database, {"say": say})
    assert await runner.turn()
    assert not await runner.turn()
    assert [j.payload for j in ran] == [{"word": "hello"}]
    assert await left(place) == []


async def test_a_job_rolled_back_never_was(place: Station) -> None:
    async def give_up() -> None:
        async with place.database.transaction(place.operation_id) as con:
            await jobs.enqueue(con, place.operation_id, "say", "one")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await give_up()
    assert await left(place) == []


async def test_the_same_key_is_one_job(place: Station) -> None:
    await put(place, "one", n=1)
    await put(place, "one", n=2)
    assert len(await left(place)) == 1


async def test_a_failure_keeps_its_reason_and_comes_back(place: Station) -> None:
    async def fail(_: Job) -> None:
        raise LookupError("no such thing")

    await put(place, "one")
    runner = Runner(place.database, {"say": fail})
    await runner.turn()
    assert await left(place) == [(1, "LookupError: no such thing")]
    assert not await runner.turn()  # not at once: it waits


async def test_two_runners_share_the_work(place: Station) -> None:
    ran: list[str] = []

    async def say(job: Job) -> None:
        await asyncio.sleep(0.01)
        ran.append(str(job.payload["n"]))

    for n in range(20):
        await put(place, str(n), n=n)

    async def work() -> None:
        runner = Runner(place.database, {"say": say})
        while await runner.turn():
            pass

    await asyncio.gather(work(), work(), work())
    assert sorted(ran, key=int) == [str(n) for n in range(20)]


async def test_a_job_of_a_dead_worker_is_taken_again_after_its_lease(
    place: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LEASE", timedelta(milliseconds=200))
    ran: list[int] = []

    async def die(_: Job) -> None:
        raise asyncio.CancelledError  # as a SIGKILL: nothing after this line happens

    async def say(job: Job) -> None:
        ran.append(job.attempts)

    await put(place, "one")
    with pytest.raises(asyncio.CancelledError):
        await Runner(place.database, {"say": die}).turn()
    runner = Runner(place.database, {"say": say})
    assert not await runner.turn()
    await asyncio.sleep(0.3)
    assert await runner.turn()
    assert ran == [2]


async def test_a_job_retimed_while_it_runs_runs_again(place: Station) -> None:
    ran = 0

    async def say(_: Job) -> None:
        nonlocal ran
        ran += 1
        if ran == 1:
            await put(place, "one")

    await put(place, "one")
    runner = Runner(place.database, {"say": say})
    while await runner.turn():
        pass
    assert ran == 2
