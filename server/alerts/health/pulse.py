"""A worker's sign of life: every few seconds, in each operation, with what it knows of its ways."""

from collections.abc import Sequence
from uuid import UUID, uuid4

import msgspec

from server import log
from server.alerts.channels import Channel, Health
from server.alerts.channels.fcm import FcmChannel
from server.alerts.health.meter import Meter
from server.alerts.health.store import ALIVE, SQL, Way
from server.db import Database
from server.errors import Unavailable

LOGGER = log.get("pulse")
EVERY_S = 5.0


class Pulse:
    """`beat` it every EVERY_S seconds."""

    def __init__(self, database: Database, channels: Sequence[Channel], meter: Meter) -> None:
        self._db = database
        self._channels = channels
        self._meter = meter
        self._worker_id: UUID = uuid4()

    async def beat(self) -> None:
        """One sign of life in each operation; then providers' limits are shared out anew."""
        known = {c.name: c.health() for c in self._channels}
        for operation_id in await self._db.operations():
            try:
                await self._one(operation_id, known)
            except Unavailable:
                LOGGER.warning("beat_missed")
        async with self._db.connection() as con:
            alive: int = await con.fetchval("SELECT workers_alive($1)", ALIVE)
        for channel in self._channels:
            if isinstance(channel, FcmChannel):
                channel.share(alive)

    async def _one(self, operation_id: int, known: dict[str, dict[str, Health]]) -> None:
        ways = told(known, self._meter.of(operation_id))
        text = msgspec.json.encode(ways).decode()
        async with self._db.transaction(operation_id) as con:
            await con.execute(SQL.beat, self._worker_id, text)
            await con.execute(SQL.forget_beats)
            taken = self._meter.take(operation_id)
            if taken:
                await con.execute(SQL.mark_accepted, *map(list, zip(*taken, strict=True)))


def told(
    known: dict[str, dict[str, Health]],
    seen: dict[tuple[str, str], tuple[int, int, str | None]],
) -> list[Way]:
    """Each way with what holds it back and what it did: all that are known or were used."""
    names = {(name, route) for name, routes in known.items() for route in routes} | set(seen)
    ways = []
    for channel, route in sorted(names):
        accepted, failures, fault = seen.get((channel, route), (0, 0, None))
        health = known.get(channel, {}).get(route, Health())
        ways.append(Way(channel, route, accepted, failures, fault, health))
    return ways
