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
    assert await left(place) == [(1, "LookupError")]
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
        """As after a SIGKILL: nothing more is written to the row."""

    async def silent(*_: object) -> None:
        return None

    monkeypatch.setattr(Runner, "_write", silent)

    async def say(job: Job) -> None:
        ran.append(job.attempts)

    await put(place, "one")
    await Runner(place.database, {"say": die}).turn()
    monkeypatch.undo()
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


@pytest.mark.parametrize("late", [None, ValueError(), asyncio.CancelledError()])
async def test_who_has_lost_a_job_ends_nothing_of_the_next_claim(
    place: Station, late: BaseException | None
) -> None:
    """A re-times its own job and stalls, B claims it, then A's word comes: the row stays B's."""
    tries: list[int] = []
    begun, over = asyncio.Event(), asyncio.Event()

    async def stall(job: Job) -> None:
        tries.append(job.attempts)
        await put(place, "one")
        begun.set()
        await over.wait()
        if late is not None:
            raise late

    async def say(job: Job) -> None:
        tries.append(job.attempts)
        over.set()
        await asyncio.gather(first, return_exceptions=True)
        assert await left(place) == [(1, None)]
        assert not await Runner(place.database, {"say": say}).turn(), "it is not given back"
        raise LookupError

    await put(place, "one")
    first = asyncio.create_task(Runner(place.database, {"say": stall}).turn())
    await begun.wait()
    assert await Runner(place.database, {"say": say}).turn()
    assert await left(place) == [(1, "LookupError")]
    assert tries == [1, 1], "the attempts alone do not tell them apart"


async def test_a_job_that_has_failed_for_an_hour_still_comes_back(place: Station) -> None:
    async def fail(_: Job) -> None:
        raise LookupError

    await put(place, "one")
    await place.database.fetch(place.operation_id, "UPDATE job SET attempts = 2000")
    await Runner(place.database, {"say": fail}).turn()
    assert await left(place) == [(2001, "LookupError")]


async def test_a_job_whose_worker_is_stopped_is_free_at_once(place: Station) -> None:
    begun = asyncio.Event()

    async def slow(_: Job) -> None:
        begun.set()
        await asyncio.sleep(60)

    await put(place, "one")
    turn = asyncio.create_task(Runner(place.database, {"say": slow}).turn())
    await begun.wait()
    turn.cancel()
    await asyncio.gather(turn, return_exceptions=True)
    ran: list[int] = []

    async def say(job: Job) -> None:
        ran.append(job.attempts)

    assert await Runner(place.database, {"say": say}).turn()
    assert ran == [2]


async def test_a_long_job_keeps_its_lease(place: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LEASE", timedelta(milliseconds=500))
    monkeypatch.setattr(jobs, "RENEW_S", 0.1)
    runs: list[int] = []

    async def slow(job: Job) -> None:
        runs.append(job.attempts)
        await asyncio.sleep(1.5)

    await put(place, "one")
    first = asyncio.create_task(Runner(place.database, {"say": slow}).turn())
    await asyncio.sleep(1.0)
    assert not await Runner(place.database, {"say": slow}).turn()
    await first
    assert runs == [1]


async def test_life_safety_goes_first(place: Station) -> None:
    ran: list[str] = []

    async def say(job: Job) -> None:
        ran.append(str(job.payload["lane"]))

    async with place.database.transaction(place.operation_id) as con:
        for lane in (3, 2, 1):
            await jobs.enqueue(con, place.operation_id, "say", str(lane), {"lane": lane}, lane=lane)
    runner = Runner(place.database, {"say": say})
    while await runner.turn():
        pass
    assert ran == ["1", "2", "3"]


async def test_work_that_nobody_takes_shows(place: Station) -> None:
    await put(place, "one")
    async with place.database.transaction(place.operation_id) as con:
        await con.execute("UPDATE job SET due_at = now() - interval '1 min'")
    async with place.database.connection() as con:
        assert await con.fetchval("SELECT jobs_overdue_s()") >= 60
