"""Delivery progress as events: at most two a second for an alert, however many phones answer."""

import asyncio
import contextlib
from uuid import UUID

from server import log, stream
from server.db import Database
from server.errors import Unavailable

LOGGER = log.get("progress")
EVERY_S = 0.5


class Progress:
    """Collects which alerts' deliveries moved and tells the stream now and then, until `stop`.

    What is lost with the process is a hint only: the counts are read when it is rendered.
    """

    def __init__(self, database: Database, every_s: float = EVERY_S) -> None:
        self._db = database
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
        drafts = [stream.Draft("delivery", {"alert_id": str(a)}) for a in sorted(alerts)]
        try:
            async with self._db.transaction(operation_id) as con:
                await stream.append(con, drafts)
        except Unavailable:
            LOGGER.warning("progress_not_told", alerts=len(alerts))
