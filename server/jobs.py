"""The lease queue: work that must happen once it is on record, whoever dies meanwhile.

A job row is written in the transaction that makes it necessary. A claim moves its due time
past the lease, so a crashed worker's job becomes due again by itself; handlers are therefore
written to be repeated. Done rows are deleted; failures keep their reason and come back.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from server import log
from server.db import Database

LOGGER = log.get("jobs")
LEASE = timedelta(seconds=60)

_ENQUEUE = """
    INSERT INTO job (operation_id, kind, run_key, payload, due_at)
    VALUES ($1, $2, $3, $4::text::jsonb, coalesce($5, clock_timestamp()))
    ON CONFLICT (operation_id, kind, run_key)
    DO UPDATE SET due_at = excluded.due_at, payload = excluded.payload, attempts = 0
"""
_PUT_BACK = """
    UPDATE job SET last_error = $2,
           due_at = clock_timestamp()
                  + least(interval '1 second' * 2 ^ attempts, interval '1 minute')
    WHERE job_id = $1
"""


class Job(msgspec.Struct, frozen=True):
    """One claimed job. `attempts` counts this try."""

    operation_id: int
    job_id: UUID
    kind: str
    payload: dict[str, Any]
    attempts: int


Handler = Callable[[Job], Awaitable[None]]


async def enqueue(
    con: Any,
    operation_id: int,
    kind: str,
    run_key: str,
    payload: dict[str, Any] | None = None,
    due_at: datetime | None = None,
) -> None:
    """Writes a job in the caller's transaction; the same kind and key again only re-times it."""
    text = msgspec.json.encode(payload or {}).decode()
    await con.execute(_ENQUEUE, operation_id, kind, run_key, text, due_at)


async def cancel(con: Any, operation_id: int, kind: str, run_key: str) -> None:
    """Removes a job that is no longer needed."""
    await con.execute(
        "DELETE FROM job WHERE operation_id = $1 AND kind = $2 AND run_key = $3",
        operation_id,
        kind,
        run_key,
    )


class Runner:
    """Claims due jobs of the kinds it has handlers for and runs them one after another."""

    def __init__(self, database: Database, handlers: dict[str, Handler]) -> None:
        self._db = database
        self._handlers = handlers

    async def turn(self) -> bool:
        """One claim and its jobs. True if there was any."""
        async with self._db.connection() as con:
            rows = await con.fetch(
                "SELECT * FROM claim_jobs($1, $2, $3)", list(self._handlers), 4, LEASE
            )
        for row in rows:
            await self._one(_job(row))
        return bool(rows)

    async def _one(self, job: Job) -> None:
        try:
            await self._handlers[job.kind](job)
        except Exception as error:
            LOGGER.exception("job_failed", kind=job.kind, attempts=job.attempts)
            reason = f"{type(error).__name__}: {error}"[:500]
            async with self._db.transaction(job.operation_id) as con:
                await con.execute(_PUT_BACK, job.job_id, reason)
            return
        async with self._db.transaction(job.operation_id) as con:
            # attempts guards against deleting a job that was re-timed while it ran
            await con.execute(
                "DELETE FROM job WHERE job_id = $1 AND attempts = $2", job.job_id, job.attempts
            )


def _job(row: Any) -> Job:
    return Job(
        operation_id=row["operation_id"],
        job_id=row["job_id"],
        kind=row["kind"],
        payload=msgspec.json.decode(row["payload"]),
        attempts=row["attempts"],
    )
