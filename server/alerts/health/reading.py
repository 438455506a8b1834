"""The picture of all ways out, as the desk sees it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from server.alerts.health.messages import AlertWaiting, ChannelOut, ChannelsOut, WorkerOut
from server.alerts.health.store import SQL, Mark, Picture, Waiting, Way, picture
from server.config import Settings
from server.db import Database
from server.texting import sms_routes

ENOUGH = 30  # taken in the last minute: what it takes is known


class Set(msgspec.Struct, frozen=True):
    """One way as the settings name it; `per_s` is what it can take at best."""

    channel: str
    route: str
    per_s: float
    cap_micro: int | None = None
    currency: str | None = None


def configured(settings: Settings) -> list[Set]:
    """All ways of the settings. A browser's push service takes some 100 at a time."""
    fcm_per_s = min(settings.fcm_per_s, settings.fcm_connections * 10)
    ways = [Set("webpush", "", 500.0)]
    if settings.fcm_credentials is not None:
        ways.append(Set("fcm", "", float(fcm_per_s)))
    ways += [
        Set("sms", r.name, r.per_s, r.cap_micro_per_day, r.currency) for r in sms_routes(settings)
    ]
    if settings.smtp_url is not None:
        ways.append(Set("email", "", 10.0))
    if settings.duty_urls is not None:
        ways.append(Set("duty", "", 1.0))
    return ways


async def channels(db: Database, operation_id: int, ways: list[Set]) -> ChannelsOut:
    """Everything that is known of the ways out of one operation."""
    async with db.transaction(operation_id, snapshot=True) as con:
        seen = await picture(con)
        spent = {r["route"]: r["micro"] for r in await con.fetch(SQL.spent)}
    ends = finish_times(seen, ways)
    last = max((b.seen_at for b in seen.beats), default=None)
    return ChannelsOut(
        as_of=seen.now,
        workers=WorkerOut(len(seen.alive), last),
        channels=[_way(seen, ways, key, spent, ends) for key in sorted(_names(seen, ways))],
        alerts=_alerts(seen, ends),
    )


async def finish_of(
    db: Database, operation_id: int, alert_id: UUID, ways: list[Set]
) -> datetime | None:
    """When what waits of one alert will have been handed over; None: nothing, or nobody knows."""
    async with db.transaction(operation_id, snapshot=True) as con:
        seen = await picture(con)
    own = [w for w in seen.waiting if w.alert_id == alert_id and w.queued]
    return _last(own, finish_times(seen, ways)) if own else None


def _names(seen: Picture, ways: list[Set]) -> set[tuple[str, str]]:
    waiting = {(w.channel, w.route) for w in seen.waiting}
    return {(w.channel, w.route) for w in ways} | waiting | set(seen.marks)


def _way(
    seen: Picture,
    ways: list[Set],
    key: tuple[str, str],
    spent: dict[str, int],
    ends: dict[str, datetime],
) -> ChannelOut:
    channel, route = key
    setting = next((w for w in ways if (w.channel, w.route) == key), None)
    own = [w for w in seen.waiting if (w.channel, w.route) == key]
    mark = seen.marks.get(key, Mark(channel, route))
    told = [(b.seen_at, w) for b in seen.alive for w in b.ways if (w.channel, w.route) == key]
    until, why = _held(seen.now, told)
    worst = max((w for _, w in told), key=lambda w: w.failures, default=Way(channel, route))
    queued = sum(w.queued for w in own)
    return ChannelOut(
        channel=channel,
        route=route,
        configured=setting is not None,
        queued=queued,
        sending=sum(w.sending for w in own),
        oldest_at=min((w.oldest_at for w in own), default=None),
        per_min=sum(w.accepted_60s for _, w in told),
        held_until=until,
        held_why=why,
        finish_at=ends.get(channel) if queued else None,
        spent_micro=spent.get(route, 0) if channel == "sms" and route else None,
        cap_micro=setting.cap_micro if setting else None,
        currency=setting.currency if setting else None,
        accepted_at=mark.accepted_at,
        receipt_at=mark.receipt_at,
        inbound_at=mark.inbound_at,
        failures=max(worst.failures, worst.health.failures),
        fault=worst.fault,
    )


def _held(now: datetime, told: list[tuple[datetime, Way]]) -> tuple[datetime | None, str | None]:
    """Until when all workers hold it back, and why; (None, None) where one does not."""
    pauses = [(at + timedelta(seconds=w.health.held_s), w.health.why) for at, w in told]
    if not pauses or any(why is None or until <= now for until, why in pauses):
        return None, None
    return min(pauses, key=lambda p: p[0])


def finish_times(seen: Picture, ways: list[Set]) -> dict[str, datetime]:
    """When each channel will have handed over all that waits on it, where that can be said.

    By what it took in the last minute, if that was enough to judge by; else by what it can take.
    Nothing finishes without a worker, or on a channel that is not configured.
    """
    ends: dict[str, datetime] = {}
    if not seen.alive:
        return ends
    for channel in {w.channel for w in ways}:
        queued = sum(w.queued for w in seen.waiting if w.channel == channel)
        if not queued:
            continue
        told = [(b.seen_at, w) for b in seen.alive for w in b.ways if w.channel == channel]
        if not told:  # no worker has such a way: its settings are out of use or wrong
            continue
        taken = sum(w.accepted_60s for _, w in told)
        per_s = taken / 60 if taken >= ENOUGH else _best(ways, channel, seen.now, told)
        until, _ = _held(seen.now, told)
        if per_s > 0:
            ends[channel] = max(seen.now, until or seen.now) + timedelta(seconds=queued / per_s)
    return ends


def _best(ways: list[Set], channel: str, now: datetime, told: list[tuple[datetime, Way]]) -> float:
    """What the routes of a channel can take that are not held back; if all are, all of them."""
    own = [w for w in ways if w.channel == channel]
    held = {w.route for w in own if _held(now, [t for t in told if t[1].route == w.route])[0]}
    return sum(w.per_s for w in own if w.route not in held) or sum(w.per_s for w in own)


def _alerts(seen: Picture, ends: dict[str, datetime]) -> list[AlertWaiting]:
    by_alert: dict[UUID, list[Waiting]] = {}
    for own in seen.waiting:
        if own.alert_id is not None and own.queued:
            by_alert.setdefault(own.alert_id, []).append(own)
    return [
        AlertWaiting(alert_id, sum(w.queued for w in own), _last(own, ends))
        for alert_id, own in sorted(by_alert.items())
    ]


def _last(own: list[Waiting], ends: dict[str, datetime]) -> datetime | None:
    """When the last of its channels is done; None where one of them never is."""
    found: list[Any] = [ends.get(w.channel) for w in own]
    return None if None in found else max(found, default=None)
