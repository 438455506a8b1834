"""Rows of deliveries."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from server.db import named_sql

SQL = named_sql(__file__)
LEASE = timedelta(seconds=30)  # of a claim
PUSH_KINDS = ["fcm", "webpush"]


async def queue(
    con: Any,
    alert_id: UUID,
    severity_lane: tuple[str, int],
    texted: Sequence[str],
    persons: list[int] | None = None,
) -> None:
    """Queues an alert to its population, or to some of it: push to every live address, a text
    to whoever has none. Life safety goes by all ways at once. `texted`: prefixes of numbers
    that a route serves."""
    severity, lane = severity_lane
    await con.execute(SQL.insert_deliveries, alert_id, lane, persons, PUSH_KINDS)
    if texted:
        everybody = severity == "life_safety"
        await con.execute(SQL.insert_texts, alert_id, lane, persons, list(texted), everybody)


async def remind(
    con: Any,
    alert_id: UUID,
    severity_lane: tuple[str, int],
    texted: Sequence[str],
    number: int,
) -> int:
    """Queues a reminder to the silent, by the same ways; how many messages it is."""
    severity, lane = severity_lane
    pushes = await con.execute(SQL.insert_reminders, alert_id, lane, number, PUSH_KINDS)
    queued = int(pushes.rsplit(" ", 1)[1])
    if texted:
        args = (alert_id, lane, number, list(texted), severity == "life_safety")
        texts = await con.execute(SQL.insert_text_reminders, *args)
        queued += int(texts.rsplit(" ", 1)[1])
    return queued


async def next_channels(
    con: Any, alert_id: UUID, lane: int, texted: Sequence[str], persons: list[int]
) -> int:
    """Queues what comes after push to some people whom it has not gone to yet; how many."""
    if not texted or not persons:
        return 0
    texts = await con.execute(SQL.insert_next_texts, alert_id, lane, persons, list(texted))
    return int(texts.rsplit(" ", 1)[1])
