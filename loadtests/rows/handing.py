"""Promise 5's figure: 50,000 people handed to a provider that is not well.

The stand-in answers after 100 ms, refuses one in twenty with 429 and lets one in a hundred hang.
The clock runs from the start of one worker's sender until every message is taken, or is on record
as one of which nobody can say so.
"""

import asyncio
import time

import asyncpg

from loadtests.harness import Bench, Figure
from loadtests.pushing import fcm, outbox
from server.alerts.channels.fcm import FcmChannel
from server.alerts.sender import Sender

PEOPLE = 50_000
CONNECTIONS = 500
LATENCY_MS = 100
FAULTS = {"quota": 0.05, "hang": 0.01}
_LEFT = """
    SELECT EXISTS (SELECT FROM delivery
                   WHERE accepted_at IS NULL AND coalesce(error, '') NOT LIKE 'unknown%')
"""
_LONGEST_S = 300.0


async def measure(bench: Bench) -> list[Figure]:
    """handed_50k_seconds; how many are of unknown outcome decides nothing here."""
    async with outbox(bench, PEOPLE) as box, fcm() as provider:
        await provider.script(latency={"median_ms": LATENCY_MS}, rates=FAULTS)
        await box.fill(PEOPLE)
        channel = FcmChannel(provider.credentials, provider.fcm_url, CONNECTIONS)
        sender = Sender(box.database, channel, CONNECTIONS)
        await channel._access_token()  # once an hour
        con = await asyncpg.connect(box.database.dsn)
        started = time.perf_counter()
        running = asyncio.create_task(sender.run())
        try:
            async with asyncio.timeout(_LONGEST_S):
                while await con.fetchval(_LEFT):  # noqa: ASYNC110 - the database has no event
                    await asyncio.sleep(0.25)
            seconds = time.perf_counter() - started
        finally:
            await sender.stop_claiming()
            await sender.finish()
            running.cancel()
            await asyncio.wait([running])
            await con.close()
    return [Figure("handed_50k_seconds", seconds, "s")]
