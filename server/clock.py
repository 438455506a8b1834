"""Time as the process sees it. Deadlines never use it: they run on the database's clock."""

from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta

# A time as callers send it.
Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339 with a time zone")]


def now() -> datetime:
    """The wall clock, in UTC. For display and for expiry of caches only."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """`2026-11-23T10:42:00.123456Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def corrected(at: datetime, sent_at: datetime | None, received_at: datetime) -> datetime:
    """When it happened, by our clock: `at + (received - sent_at)`, never in the future.

    The phone's error is the same at both of its stamps, so it cancels. An `at` later than
    `sent_at` is a clock that jumped between the two: the sending bounds it.
    """
    if sent_at is None:
        return min(at, received_at)
    return received_at - (sent_at - min(at, sent_at))
