"""The lease queue: work that must happen once it is on record, whoever dies meanwhile.

A job row is written in the transaction that makes it necessary. A claim moves its due time
past the lease, so a crashed worker's job becomes due again by itself; handlers are therefore
written to be repeated. Done rows are deleted; failures keep their reason and come back. Each
claim has a token of its own: whoever has lost a job to another writes nothing to it any more.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from server import log
from server.db import Database
from server.errors import Unavailable

LOGGER = log.get("jobs")
LEASE = timedelta(seconds=12)  # what a job waits for after its worker was killed
RENEW_S = 4.0
LAST_LANE = 3

_ENQUEUE = """
    INSERT INTO job (operation_id, kind, run_key, payload, due_at, lane)
    SELECT $1, j.kind, j.run_key, j.payload::jsonb, coalesce(j.due_at, clock_timestamp()), j.lane
    FROM unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::int[])
         AS j (kind, run_key, payload, due_at, lane)
    ON CONFLICT (operation_id, kind, run_key)
    DO UPDATE SET due_at = excluded.due_at, payload = excluded.payload, attempts = 0, claim = NULL
"""
# Ours by the claim, and by the attempts: older code that re-times a job leaves its claim.
_PUT_BACK = """
    UPDATE job SET last_error = $4,
           due_at = clock_timestamp()
                  + least(interval '1 second' * 2 ^ least(attempts, 6), interval '1 minute')
    WHERE job_id = $1 AND claim = $2 AND attempts = $3
"""
_GIVE_BACK = """
    UPDATE job SET due_at = clock_timestamp() WHERE job_id = $1 AND claim = $2 AND attempts = $3
"""
_RENEW = """
    UPDATE job SET due_at = clock_timestamp() + $4
    WHERE job_id = $1 AND claim = $2 AND attempts = $3
"""
_DONE = "DELETE FROM job WHERE job_id = $1 AND claim = $2 AND attempts = $3"


class Job(msgspec.Struct, frozen=True):
    """One claimed job. `attempts` counts this try; `claim` is the token of this claim alone."""

    operation_id: int
    job_id: UUID
    kind: str
    payload: dict[str, Any]
    attempts: int
    claim: UUID


Handler = Callable[[Job], Awaitable[None]]


class Draft(msgspec.Struct, frozen=True):
    """A job about to be written. `lane` as of deliveries: 0 panics, 1 life safety, 2 urgent, 3 the
    rest; a lower one is taken first. `due_at` None: at once."""

    kind: str
    run_key: str
    payload: dict[str, Any]
    due_at: datetime | None = None
    lane: int = LAST_LANE


async def enqueue_all(con: Any, operation_id: int, jobs: Sequence[Draft]) -> None:
    """Writes jobs of different kinds or keys in the caller's transaction, in one round trip; the
    same kind and key again only re-times one."""
    texts = [msgspec.json.encode(j.payload).decode() for j in jobs]
    kinds, keys = [j.kind for j in jobs], [j.run_key for j in jobs]
    due, lanes = [j.due_at for j in jobs], [j.lane for j in jobs]
    await con.execute(_ENQUEUE, operation_id, kinds, keys, texts, due, lanes)


async def enqueue(
    con: Any,
    operation_id: int,
    kind: str,
    run_key: str,
    payload: dict[str, Any] | None = None,
    due_at: datetime | None = None,
    lane: int = LAST_LANE,
) -> None:
    """Writes a job in the caller's transaction; the same kind and key again only re-times it."""
    await enqueue_all(con, operation_id, [Draft(kind, run_key, payload or {}, due_at, lane)])


async def cancel(con: Any, operation_id: int, kind: str, run_key: str) -> None:
    """Removes a job that is no longer needed."""
    await con.execute(
        "DELETE FROM job WHERE operation_id = $1 AND kind = $2 AND run_key = $3",
        operation_id,
        kind,
        run_key,
    )


class Runner:
    """Claims one due job after another of the kinds it has handlers for, and runs it.

    A lease is renewed while its job runs; a job that is cancelled or fails is given back, so
    that only a killed worker's job waits for the end of its lease.
    """

    def __init__(self, database: Database, handlers: dict[str, Handler]) -> None:
        self._db = database
        self._handlers = handlers

    async def turn(self) -> bool:
        """One claim and its job. True if there was one."""
        async with self._db.connection() as con:
            row = await con.fetchrow(
                "SELECT * FROM claim_jobs($1, $2, $3)", list(self._handlers), 1, LEASE
            )
        if row is not None:
            await self._one(_job(row))
        return row is not None

    async def _one(self, job: Job) -> None:
        renewing = asyncio.create_task(self._renew(job), name=f"lease of {job.kind}")
        try:
            await self._handlers[job.kind](job)
        except asyncio.CancelledError:
            await asyncio.shield(self._write(job, _GIVE_BACK))
            raise
        except Exception as error:
            LOGGER.exception("job_failed", kind=job.kind, attempts=job.attempts)
            # the type alone: a message may quote a row
            await self._write(job, _PUT_BACK, type(error).__name__)
        else:
            await self._write(job, _DONE)
        finally:
            renewing.cancel()

    async def _renew(self, job: Job) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            with contextlib.suppress(Unavailable):  # the lease bounds how long this may last
                await self._write(job, _RENEW, LEASE)

    async def _write(self, job: Job, sql: str, *more: Any) -> None:
        """Writes to the job's row while our claim stands: not one that was re-timed meanwhile."""
        async with self._db.transaction(job.operation_id) as con:
            await con.execute(sql, job.job_id, job.claim, job.attempts, *more)


def _job(row: Any) -> Job:
    return Job(
        operation_id=row["operation_id"],
        job_id=row["job_id"],
        kind=row["kind"],
        payload=msgspec.json.decode(row["payload"]),
        attempts=row["attempts"],
        claim=row["claim"],
    )
