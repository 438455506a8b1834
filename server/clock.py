"""Time as the process sees it. Deadlines never use it: they run on the database's clock."""

from datetime import UTC, datetime


def now() -> datetime:
    """The wall clock, in UTC. For display and for expiry of caches only."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """`2026-11-23T10:42:00.123456Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
