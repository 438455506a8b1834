"""Rows of health, as frozen structs."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from server.alerts.channels import Health
from server.db import named_sql

SQL = named_sql(__file__)
ALIVE = timedelta(seconds=20)  # four signs of life missed


class Way(msgspec.Struct, frozen=True):
    """What a worker tells of one way in one operation; `health` is of the whole process."""

    channel: str
    route: str
    accepted_60s: int = 0
    failures: int = 0
    fault: str | None = None
    health: Health = Health()


class Beat(msgspec.Struct, frozen=True):
    """A worker's last sign of life."""

    worker_id: UUID
    seen_at: datetime
    ways: list[Way]


class Mark(msgspec.Struct, frozen=True):
    """What was last seen of a way."""

    channel: str
    route: str
    accepted_at: datetime | None = None
    receipt_at: datetime | None = None
    inbound_at: datetime | None = None
    unanswered: int = 0
    unanswered_since: datetime | None = None


class Waiting(msgspec.Struct, frozen=True):
    """What waits of one alert (or none) on one way."""

    channel: str
    route: str
    alert_id: UUID | None
    queued: int
    sending: int
    oldest_at: datetime
    stuck_at: datetime | None


class Picture(msgspec.Struct, frozen=True):
    """All that is known of an operation's ways at one moment of the database's clock."""

    now: datetime
    beats: list[Beat]
    marks: dict[tuple[str, str], Mark]
    waiting: list[Waiting]

    @property
    def alive(self) -> list[Beat]:
        """The workers that live."""
        return [b for b in self.beats if b.seen_at > self.now - ALIVE]


async def picture(con: Any) -> Picture:
    """Reads it, in the caller's transaction."""
    rows = await con.fetch(SQL.beats)
    beats = [
        Beat(r["worker_id"], r["seen_at"], msgspec.json.decode(r["ways"], type=list[Way]))
        for r in rows
    ]
    marks = [Mark(**r) for r in await con.fetch(SQL.marks)]
    waiting = [Waiting(**r) for r in await con.fetch(SQL.waiting)]
    now: datetime = await con.fetchval(SQL.clock)
    return Picture(now, beats, {(m.channel, m.route): m for m in marks}, waiting)
