"""Rows of deliveries."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from server.db import Database, named_sql, retried
from server.mailing import MAIL

SQL = named_sql(__file__)
LEASE = timedelta(seconds=30)  # of a claim
PUSH_KINDS = ["fcm", "webpush"]


class Mailing(msgspec.Struct, frozen=True):
    """Who of a population is written to, and as what. Not `everybody`: only whom neither push nor
    a text reaches. `only_new`: who had no e-mail in this alert. `number` as of reminders."""

    served: Sequence[str] = (MAIL,)
    everybody: bool = True
    only_silent: bool = False
    purpose: str = "alert"
    number: int = 0
    only_new: bool = False


_ALL = Mailing()


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
    how = Mailing(texted, everybody=severity == "life_safety")
    await queue_emails(con, alert_id, lane, persons, how)


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
    how = Mailing(texted, severity == "life_safety", True, "remind", number)
    return queued + await queue_emails(con, alert_id, lane, None, how)


async def next_channels(
    con: Any, alert_id: UUID, lane: int, texted: Sequence[str], persons: list[int]
) -> int:
    """Queues what comes after push to some people whom it has not gone to yet; how many."""
    if not texted or not persons:
        return 0
    texts = await con.execute(SQL.insert_next_texts, alert_id, lane, persons, list(texted))
    how = Mailing(texted, only_silent=True, purpose="remind", only_new=True)
    mails = await queue_emails(con, alert_id, lane, persons, how)
    return int(texts.rsplit(" ", 1)[1]) + mails


async def queue_emails(
    con: Any, alert_id: UUID, lane: int, persons: list[int] | None = None, how: Mailing = _ALL
) -> int:
    """Queues an e-mail to the population, or to some of it, who have an address; how many.

    Nobody has two waiting.
    """
    if MAIL not in how.served:
        return 0
    args = (alert_id, lane, persons, *msgspec.structs.astuple(how))
    done = await con.execute(SQL.insert_emails, *args)
    return int(done.rsplit(" ", 1)[1])


async def queue_duty(
    con: Any,
    alert_id: UUID | None,
    lane: int,
    line: str | None,
    expires_at: datetime | None,
    panic_id: UUID | None = None,
) -> None:
    """Queues a word to the duty desk's own channels. `line` names no person and no place; None:
    a neutral one. Without an alert `expires_at` is needed: it is never sent later."""
    await con.execute(SQL.insert_duty, alert_id, lane, line, expires_at, panic_id)


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
        late += len(await db.fetch(operation_id, SQL.stop_late, LEASE))
    return late
