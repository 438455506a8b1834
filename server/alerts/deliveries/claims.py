"""Claims of one channel by one worker, from its floors on."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import asyncpg

from server import log
from server.alerts.deliveries.floors import Floors, Low, Seen
from server.alerts.deliveries.store import SQL
from server.db import Database
from server.errors import Unavailable

LOGGER = log.get("claims")
LEARN_EVERY_S = 0.5
IDLE_S = 5.0  # with nothing claimed there is little to learn
LEARN_AFTER = 1000  # rows claimed: what is done with lies in the way of the next claim
LOOK_EVERY_S = 20.0  # how long a row may be passed over that was written against the rules
LOOK_SHARE = 50  # a look from the beginning rests so many times as long as it took


class Claims:
    """`claim` takes up what is due; `stop` ends what runs beside it."""

    def __init__(self, database: Database, channel: str) -> None:
        self._db = database
        self._channel = channel
        self.floors = Floors()
        self._learn_at = 0.0
        self._since = 0
        self._look_at = time.monotonic() + LOOK_EVERY_S
        self._looking: asyncio.Task[None] | None = None

    async def claim(self, most: int, lease: timedelta) -> list[Any]:
        """Rows of up to `most` deliveries that are ours for `lease`, the most urgent first."""
        now = time.monotonic()
        async with self._db.connection() as con:
            if now >= self._learn_at or self._since >= LEARN_AFTER:
                await self._learn(con)
                self._learn_at, self._since = now + IDLE_S, 0
            rows: list[Any] = await con.fetch(
                SQL.claim, [self._channel], most, lease, self.floors.argument()
            )
        if rows:
            self._since += len(rows)
            self._learn_at = min(self._learn_at, now + LEARN_EVERY_S)
        if now >= self._look_at and self._looking is None:
            self._looking = asyncio.create_task(self._look(), name=f"look of {self._channel}")
        return rows

    async def stop(self) -> None:
        """Ends what runs beside the claims."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    async def idle(self) -> None:
        """Returns when nothing of this runs any more."""
        if self._looking is not None:
            await asyncio.wait([self._looking])

    async def _learn(self, con: Any) -> None:
        rows = await con.fetch(SQL.lows, [self._channel], self.floors.argument())
        first = rows[0]
        seen = Seen(first["began"], int(first["oldest"]), int(first["next"]))
        self.floors.learn(seen, [Low(r["alert"], r["low"]) for r in rows])

    async def _look(self) -> None:
        """Reads from the very beginning: no rule of ours may be all that finds a row."""
        started = time.monotonic()
        try:
            async with self._db.connection() as con:
                rows = await con.fetch(SQL.lows, [self._channel], "{}")
            self.floors.mend(Low(r["alert"], r["low"]) for r in rows)
        except (Unavailable, asyncpg.PostgresError) as error:
            LOGGER.warning("look_failed", kind=type(error).__name__)
        finally:
            now = time.monotonic()
            self._look_at = now + max(LOOK_EVERY_S, LOOK_SHARE * (now - started))
            self._looking = None
