"""An ordered end: SIGTERM loses nothing that was acknowledged and leaves nothing behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import psutil

from tests.promises.console import Console
from tests.promises.crowd import Crowd, operator, phones
from tests.promises.places import seeded, serving
from tests.promises.record import check_counts, check_reports
from tests.support.live import LiveServer
from tests.support.seed import Station

PHONES, CONSOLES = 64, 16
_CONNECTED = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'muster' AND pid <> pg_backend_pid()
"""


@asynccontextmanager
async def watched(server: LiveServer, token: str) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Consoles that follow the stream, each a task that ends when the server ends its stream."""
    async with AsyncExitStack() as stack:
        consoles = [
            await stack.enter_async_context(Console([server.url], token, f"console {n}"))
            for n in range(CONSOLES)
        ]
        for console in consoles:
            await console.refetch()
        yield [asyncio.create_task(console.follow()) for console in consoles]


async def ended_well(server: LiveServer, streams: list[asyncio.Task[None]]) -> None:
    """SIGTERM: exit status 0 within 10 s, streams run out, no process is left."""
    pids = [server.pid, *server.children()]
    assert len(pids) == 3, "a parent, an API process, a worker"
    status, seconds = await asyncio.to_thread(server.terminate)
    print(f"ended with {status} after {seconds:.1f} s")
    assert status == 0
    assert seconds < 10
    async with asyncio.timeout(5):
        await asyncio.gather(*streams)  # a stream that was cut off raises here
    assert not [pid for pid in pids if psutil.pid_exists(pid)]


async def connections(dsn: str) -> int:
    """How many connections of a server the database still has."""
    con = await asyncpg.connect(dsn)
    found: int = await con.fetchval(_CONNECTED)
    await con.close()
    return found


async def test_sigterm_under_load_with_open_streams(database: str) -> None:
    async with seeded(database, 200) as place, serving(database, role="all") as server:
        alert_id = await place.open_rollcall()
        token = await operator(place)
        own = await phones(place, PHONES)
        async with Crowd([server.url], own) as crowd, watched(server, token) as streams:
            async with crowd.writing(PHONES):
                await crowd.until_acknowledged(1000)
                await ended_well(server, streams)
            await check_reports(place, crowd.ledger)
            await check_counts(place, alert_id)
            assert len(crowd.ledger.open()) <= PHONES
        await place.database.close()
        assert await connections(database) == 0


async def test_what_was_taken_before_sigterm_is_answered(database: str) -> None:
    """Reports wait for a lock when SIGTERM comes; it is freed a moment later."""
    async with seeded(database, 200) as place, serving(database, role="all") as server:
        alert_id = await place.open_rollcall()
        token = await operator(place)
        own = await phones(place, PHONES)
        async with Crowd([server.url], own) as crowd, watched(server, token) as streams:
            said = [crowd.ledger.new(phone) for phone in own]
            async with held(place):
                sending = [asyncio.create_task(crowd.once(s)) for s in said]
                await asyncio.sleep(1)
                assert not any(task.done() for task in sending)
                ending = asyncio.create_task(ended_well(server, streams))
                await asyncio.sleep(0.5)
            assert all(await asyncio.gather(*sending)), "a report that was taken went unanswered"
            await ending
            await check_reports(place, crowd.ledger)
            await check_counts(place, alert_id)


@asynccontextmanager
async def held(place: Station) -> AsyncIterator[None]:
    """Holds off check-in batches, as an opening does."""
    async with place.database.transaction(place.operation_id) as con:
        await con.execute("SELECT pg_advisory_xact_lock(41, current_operation())")
        yield
