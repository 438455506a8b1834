"""Rows of deliveries."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from server.db import Database, named_sql, retried

SQL = named_sql(__file__)
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


@retried
async def texts(db: Database, operation_id: int, deliveries: list[UUID]) -> list[Any]:
    """What to text for claimed deliveries. Whoever is texted for the first time in an alert gets
    the code to answer it with, on record before it is sent."""
    async with db.transaction(operation_id) as con:
        await con.execute(SQL.give_codes, deliveries)
        rows: list[Any] = await con.fetch(SQL.texts, deliveries)
        return rows


async def stop_late(db: Database) -> int:
    """Housekeeping: stops replies that can't be sent in time any more; how many."""
    late = 0
    for operation_id in await db.operations():
        late += len(await db.fetch(operation_id, SQL.stop_late))
    return late
