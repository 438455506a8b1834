"""Time as the process sees it. Deadlines never use it: they run on the database's clock."""

from datetime import UTC, datetime


def now() -> datetime:
    """The wall clock, in UTC. For display and for expiry of caches only."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """`2026-11-23T10:42:00.123456Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def corrected(at: datetime, sent_at: datetime | None, received_at: datetime) -> datetime:
    """When it happened, by our clock: a phone's error is in both of its stamps and cancels.

    Never in the future: without `sent_at`, or with one before `at`, the receiving bounds it.
    """
    if sent_at is None:
        return min(at, received_at)
    return received_at - (sent_at - min(at, sent_at))
