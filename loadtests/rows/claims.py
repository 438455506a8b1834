"""The queue under the sender, against PgQueuer: claimed and finished, nothing sent between.

Both take 500 at a time on one connection of one server, one after the other: a claim, then
its outcomes, committed. Ours keeps the row and writes the five facts; PgQueuer moves the job
to its log. Each has as many waiting at the start of a round; the ratio is that of the medians.
"""

import statistics
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg

from loadtests.harness import Bench, Figure
from loadtests.pushing import Outbox, outbox
from server.alerts.deliveries.claims import Claims
from server.alerts.deliveries.store import LEASE
from server.alerts.outcomes import Claimed, Told, write_outcomes
from server.alerts.sender import BATCH

JOBS = 10_000
ROUNDS = 3


async def measure(bench: Bench) -> list[Figure]:
    """claim_vs_pgqueuer."""
    ways: list[Callable[[], Awaitable[float]]]
    rates: list[list[float]] = [[], []]
    async with outbox(bench, JOBS) as box:
        rival = PgQueuer(await asyncpg.connect(await bench.database()))
        await rival.install()
        ways = [lambda: _ours(box), rival.round]
        for _ in range(ROUNDS):
            for found, way in zip(rates, ways, strict=True):
                found.append(await way())
        await rival.close()
    ours, theirs = (statistics.median(found) for found in rates)
    return [Figure("claim_vs_pgqueuer", ours, "claims/s", theirs)]


async def _ours(box: Outbox) -> float:
    """One round; claims a second, outcomes written."""
    await box.fill(JOBS)
    claims = Claims(box.database, "fcm")
    done, started = 0, time.perf_counter()
    while done < JOBS:
        rows = await claims.claim(BATCH, LEASE)
        told = [_accepted(row) for row in rows]
        await write_outcomes(box.database, box.station.operation_id, told)
        done += len(rows)
    seconds = time.perf_counter() - started
    await box.emptied()
    return JOBS / seconds


def _accepted(row: Any) -> Told:
    claim = Claimed(
        operation_id=row["operation_id"],
        delivery_id=row["delivery_id"],
        alert_id=row["alert_id"],
        channel=row["channel"],
        endpoint=row["endpoint"],
        attempt=row["attempts"],
        send_by=0.0,
    )
    return Told(claim, "accepted", 0.0, "projects/muster-sim/messages/0:1", None)


class PgQueuer:
    """PgQueuer as it comes: its schema, its dequeue, its log; durable, as is its default."""

    def __init__(self, con: Any) -> None:
        from pgqueuer.ports.repository import (  # noqa: PLC0415 - only this row needs it
            EntrypointExecutionParameter,
        )
        from pgqueuer.queries import Queries  # noqa: PLC0415

        self._con = con
        self._queries = Queries.from_asyncpg_connection(con)
        self._entrypoints: Any = {"push": EntrypointExecutionParameter(concurrency_limit=0)}
        self._manager: Any = uuid.uuid4()

    async def install(self) -> None:
        """Makes its tables."""
        await self._queries.install()

    async def close(self) -> None:
        """Closes the connection."""
        await self._con.close()

    async def round(self) -> float:
        """One round; jobs a second, logged."""
        names, payloads = ["push"] * JOBS, [uuid.uuid4().bytes for _ in range(JOBS)]
        await self._queries.enqueue(names, list(payloads), [0] * JOBS)
        await self._con.execute("VACUUM ANALYZE")
        done, started = 0, time.perf_counter()
        while done < JOBS:
            jobs = await self._queries.dequeue(
                batch_size=BATCH,
                entrypoints=self._entrypoints,
                queue_manager_id=self._manager,
                global_concurrency_limit=None,
                heartbeat_timeout=timedelta(seconds=30),
            )
            await self._queries.log_jobs([(job, "successful", None) for job in jobs])
            done += len(jobs)
        return JOBS / (time.perf_counter() - started)
