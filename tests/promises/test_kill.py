"""Promise 1: an acknowledged check-in is never lost, whoever is killed and when.

64 phones write without pause while the server, the database's postmaster, or both get SIGKILL,
in rounds. After each round every acknowledged report is on record exactly once with its
content, what was not acknowledged is repeated under its id and then there once, the stream has
told each exactly once, and the kept headcount equals a fresh count.

`make test` runs the short form, some thousands of reports. MUSTER_LONG=1 goes on until 80,000
are acknowledged. SIGKILL proves nothing about a loss of power: that rests on fsync, which no
test and no setting turns off.
"""

import asyncio
import random

import asyncpg

from server.embedded import EmbeddedPostgres
from tests.promises.crowd import Crowd, phones
from tests.promises.places import (
    LONG,
    HomeServer,
    kill_postmaster,
    own_folder,
    own_postgres,
    seeded,
)
from tests.promises.record import check_counts, check_reports, lost
from tests.support.live import LiveServer

WRITERS = 64
ENOUGH = 80_000 if LONG else 3_000
MOST_BEFORE, AFTER = (4_000, 4_000) if LONG else (500, 600)  # acknowledged around each kill
VICTIMS = ("server", "database", "both")


def strike(server: LiveServer, postgres: EmbeddedPostgres, victim: str) -> None:
    """Kills the victim and starts it again."""
    if victim in ("server", "both"):
        server.kill()
    if victim in ("database", "both"):
        kill_postmaster(postgres)
        postgres.start()
    if victim in ("server", "both"):
        server.start()


async def test_no_acknowledged_report_is_lost_by_sigkill() -> None:
    async with own_postgres() as postgres, seeded(postgres.dsn, 200) as place:
        alert_id = await place.open_rollcall()
        own = await phones(place, WRITERS)
        with LiveServer(postgres.dsn, role="api") as server:
            async with Crowd([server.url], own) as crowd:
                rounds = 0
                while rounds < len(VICTIMS) or len(crowd.ledger.acknowledged()) < ENOUGH:
                    victim = VICTIMS[rounds % len(VICTIMS)]
                    async with crowd.writing(WRITERS):
                        await crowd.until_acknowledged(random.randrange(300, MOST_BEFORE))
                        await asyncio.to_thread(strike, server, postgres, victim)
                        await crowd.until_acknowledged(AFTER)
                    await check_reports(place, crowd.ledger)
                    await crowd.settle()
                    await check_reports(place, crowd.ledger)
                    await check_counts(place, alert_id)
                    rounds += 1
                await repeats_change_nothing(crowd)
                await check_reports(place, crowd.ledger)
    assert crowd.ledger.repeats > WRITERS, "nobody was ever cut off: the kills met no load"
    print(f"{len(crowd.ledger.acknowledged())} acknowledged, {rounds} kills, lost 0")
    print(f"{crowd.ledger.repeats} repeats, answers {dict(crowd.ledger.answers)}")


async def test_a_server_starts_its_own_database_again() -> None:
    """On a single box nobody else does: first the database is killed, then everything."""
    with own_folder() as folder:
        server = HomeServer(folder)
        await asyncio.to_thread(server.start)
        try:
            await survives(server)
        finally:
            status, _ = await asyncio.to_thread(server.terminate)
        assert status == 0
        assert not server.postgres.running(), "the database outlived its server"


async def survives(server: HomeServer) -> None:
    async with seeded(server.postgres.dsn, 200) as place:
        alert_id = await place.open_rollcall()
        async with Crowd([server.url], await phones(place, WRITERS)) as crowd:
            async with crowd.writing(WRITERS):
                await crowd.until_acknowledged(200)
                await asyncio.to_thread(kill_postmaster, server.postgres)
                await crowd.until_acknowledged(200)
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
                await crowd.until_acknowledged(200)
            await crowd.settle()
            await check_reports(place, crowd.ledger)
            await check_counts(place, alert_id)


async def repeats_change_nothing(crowd: Crowd) -> None:
    """What was acknowledged in any round, said again, gets its first answer again."""
    known = random.sample(list(crowd.ledger.acknowledged().values()), 200)
    before = crowd.ledger.answers["200"]
    assert all(await asyncio.gather(*(crowd.once(said) for said in known)))
    assert crowd.ledger.answers["200"] - before == len(known)


async def test_without_durable_commits_the_same_check_finds_the_loss() -> None:
    """The mechanism taken away: COMMIT no longer waits for the disk."""
    async with own_postgres() as postgres:
        con = await asyncpg.connect(postgres.dsn)
        await con.execute("ALTER DATABASE muster SET synchronous_commit = off")
        await con.close()
        async with seeded(postgres.dsn, 200) as place:
            own = await phones(place, WRITERS)
            with LiveServer(postgres.dsn, role="api") as server:
                for _ in range(5):
                    async with Crowd([server.url], own) as crowd, crowd.writing(WRITERS):
                        await crowd.until_acknowledged(500)
                        await asyncio.to_thread(strike, server, postgres, "database")
                    if await lost(place, crowd.ledger):
                        return
    raise AssertionError("five kills lost nothing: the check does not bite")
