"""Delivery progress as events: at most two a second for an alert, however many phones answer."""

import asyncio
import contextlib
import time
from uuid import UUID

from server import log, stream
from server.alerts.deliveries.store import SQL
from server.db import Database, retried
from server.errors import Unavailable

LOGGER = log.get("progress")
EVERY_S = 0.5
REST = 4  # times as long as a count took: counting 50,000 must not be what they wait for
COUNTS = ("queued", "accepted", "delivered", "seen", "answered", "failed")


class Progress:
    """Collects which alerts' deliveries moved and tells the stream now and then, until `stop`.

    An event carries the counts by area, so that no message of the stream waits for a count.
    """

    def __init__(self, database: Database, every_s: float = EVERY_S) -> None:
        self._db = database
        self._least_s = every_s
        self._every_s = every_s
        self._moved: dict[int, set[UUID]] = {}
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    def touch(self, operation_id: int, alert_id: UUID) -> None:
        """Notes that deliveries of an alert moved."""
        if self._stopping.is_set():
            return
        self._moved.setdefault(operation_id, set()).add(alert_id)
        if self._task is None:
            self._task = asyncio.create_task(self._tell_soon(), name="delivery progress")

    async def idle(self) -> None:
        """Returns when everything noted has been told."""
        while self._task is not None:
            await asyncio.wait([self._task])

    async def stop(self) -> None:
        """Tells at once what was noted, before the pools close. Nothing is noted any more."""
        self._stopping.set()
        await self.idle()

    async def _tell_soon(self) -> None:
        try:
            while self._moved:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._every_s):
                        await self._stopping.wait()
                moved, self._moved = self._moved, {}
                for operation_id, alerts in moved.items():
                    await self._tell(operation_id, alerts)
        finally:
            self._task = None

    async def _tell(self, operation_id: int, alerts: set[UUID]) -> None:
        started = time.monotonic()
        try:
            await tell(self._db, operation_id, alerts)
        except Unavailable:
            LOGGER.warning("progress_not_told", alerts=len(alerts))
        self._every_s = max(self._least_s, REST * (time.monotonic() - started))


@retried
async def tell(db: Database, operation_id: int, alerts: set[UUID]) -> None:
    """Counts and tells; one process at a time, so that the last event has the last counts."""
    async with db.transaction(operation_id) as con:
        await con.execute(SQL.count_alone)
        drafts = []
        for alert_id in sorted(alerts):
            areas = [list(row) for row in await con.fetch(SQL.delivery_counts, alert_id)]
            drafts.append(stream.Draft("delivery", {"alert_id": str(alert_id), "areas": areas}))
        await stream.append(con, drafts)
