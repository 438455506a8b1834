"""Alarms: raised once, cleared when over, by whichever process looks first.

What is looked at is the record, by the database's clock; so several may look, and a server with
no worker left still says so.
"""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from server import stream
from server.alerts.deliveries.store import queue_duty
from server.alerts.health.store import SQL, Picture, picture
from server.db import Database, retried

EVERY_S = 15.0
STUCK = timedelta(minutes=3)
NO_RECEIPT = timedelta(minutes=10)
STILL_IN_USE = timedelta(hours=1)
FEW = 5  # phones may be off; so many of them at once rarely are
SILENT = timedelta(hours=24)
RECEIPTED = ("fcm", "webpush", "sms")
TOLD_FOR = timedelta(minutes=30)
DESK_LANE = 1


class Condition(msgspec.Struct, frozen=True):
    """Something that is wrong now."""

    kind: str
    subject: str
    detail: str


class Alarms:
    """`look` every EVERY_S seconds. `desk`: whether the duty desk's channels are told."""

    def __init__(self, database: Database, desk: bool) -> None:
        self._db = database
        self._desk = desk

    async def look(self) -> None:
        """Looks at every operation."""
        for operation_id in await self._db.operations():
            await look(self._db, operation_id, self._desk)


@retried
async def look(db: Database, operation_id: int, desk: bool) -> None:
    """Raises what is new, clears what is over, and tells the consoles, in one transaction."""
    async with db.transaction(operation_id) as con:
        seen = await picture(con)
        phones = await con.fetch(SQL.phones, SILENT, None)
        wrong = {(c.kind, c.subject): c for c in conditions(seen, *_silent(phones))}
        raised = {
            (r["kind"], r["subject"]): r["alarm_id"] for r in await con.fetch(SQL.open_alarms)
        }
        told = []
        for key in sorted(wrong.keys() - raised.keys()):
            alarm_id = await con.fetchval(SQL.raise_alarm, *msgspec.structs.astuple(wrong[key]))
            if alarm_id is not None:  # else another process was quicker
                told.append(alarm_id)
                await _tell_desk(con, wrong[key], seen.now, desk)
        over = [raised[key] for key in sorted(raised.keys() - wrong.keys())]
        told += [r["alarm_id"] for r in await con.fetch(SQL.clear_alarms, over)]
        if told:
            drafts = [stream.Draft("alarm", {"alarm_id": str(a)}) for a in told]
            await stream.append(con, drafts)


async def _tell_desk(con: Any, wrong: Condition, now: datetime, desk: bool) -> None:
    if desk and wrong.kind != "phones":
        await queue_duty(con, None, DESK_LANE, wrong.detail, now + TOLD_FOR)


def _silent(rows: list[Any]) -> tuple[int, int]:
    return sum(r["silent"] for r in rows), sum(r["phones"] for r in rows)


def conditions(seen: Picture, silent: int, phones: int) -> list[Condition]:
    """All that is wrong. Pure."""
    found = [*_worker(seen), *_stuck(seen), *_unheard(seen)]
    if silent:
        words = f"{silent} of {phones} phones have said nothing for 24 hours."
        found.append(Condition("phones", "phones", words))
    return found


def _worker(seen: Picture) -> list[Condition]:
    if seen.alive or not (seen.beats or seen.waiting):
        return []
    since = f"since {_clock(seen.beats[0].seen_at)}" if seen.beats else "at all"
    return [Condition("worker", "worker", f"No worker {since}: nothing goes out.")]


def _stuck(seen: Picture) -> list[Condition]:
    found = []
    known = {w.channel for b in seen.beats for w in b.ways}
    for channel in sorted({w.channel for w in seen.waiting}):
        if channel == "duty" and channel not in known:
            continue  # the desk has none of its own
        own = [w for w in seen.waiting if w.channel == channel]
        since = min(w.oldest_at for w in own)
        taken = [m.accepted_at for m in seen.marks.values() if m.channel == channel]
        last = max((t for t in taken if t is not None), default=since)
        if max(since, last) < seen.now - STUCK:
            count = sum(w.queued + w.sending for w in own)
            words = f"Channel {channel} has taken nothing since {_clock(max(since, last))}"
            found.append(Condition("route", channel, f"{words}; {count} wait."))
    return found


def _unheard(seen: Picture) -> list[Condition]:
    found = []
    for (channel, route), mark in sorted(seen.marks.items()):
        since, last = mark.unanswered_since, mark.accepted_at
        if channel not in RECEIPTED or since is None or last is None or mark.unanswered < FEW:
            continue
        if since < seen.now - NO_RECEIPT and last > seen.now - STILL_IN_USE:
            subject = f"{channel}:{route}" if route else channel
            words = f"{mark.unanswered} messages were taken by {subject} since {_clock(since)}"
            found.append(Condition("receipts", subject, f"{words}, and none is known to arrive."))
    return found


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M} UTC"
