"""Handing deliveries to their providers: claimed by lease, many in flight, outcomes in batches.

    claim (attempt on record) -> queue -> senders -> outcomes -> one UPDATE each 50 ms

A crash at any point leaves the lease to run out; the delivery is then sent again under the
same id. Nothing is sent later than its lease allows, so two workers never hold the same one.
"""

import asyncio
import contextlib
import random
import time
from collections import defaultdict
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from prometheus_client import Counter as Metric
from pyfcm.errors import FCMError

from server import log
from server.alerts.channels import Channel, Outcome, Push, permanent
from server.alerts.channels.duty import THREADS, DutyChannel
from server.alerts.channels.email import CONNECTIONS as RELAY_CONNECTIONS
from server.alerts.channels.email import EmailChannel
from server.alerts.channels.fcm import FcmChannel
from server.alerts.channels.sms import SmsChannel
from server.alerts.channels.webpush import CONNECTIONS as WEBPUSH_CONNECTIONS
from server.alerts.channels.webpush import WebPushChannel
from server.alerts.deliveries.claims import Claims
from server.alerts.deliveries.progress import Progress
from server.alerts.deliveries.store import LEASE, SQL, texts
from server.alerts.health.meter import Meter
from server.alerts.outcomes import UNKNOWN, Claimed, Told, verdict, write_outcomes
from server.config import Settings
from server.db import Database
from server.errors import Unavailable
from server.jobs import LAST_LANE
from server.mailing import relay
from server.texting import sms_routes
from server.vapid import PushHosts, contact, open_push_key

LOGGER = log.get("sender")
SEND_BY_S = 15.0  # after the claim; a request takes at most 10 s, which leaves 5 to record it
BATCH = 500
IDLE_S = 0.1
FLUSH_S = 0.05
FINISH_S = 4.0  # with the rest of the end it stays under 6 s
TEXTS_AT_ONCE = 32
SENT = Metric("muster_push_total", "Tries handed to a provider", ["channel", "outcome"])


class Ready(msgspec.Struct, frozen=True):
    """A claimed delivery with what to send. `was_unknown`: the last try had no answer."""

    claim: Claimed
    push: Push
    was_unknown: bool


class Sender:
    """One worker's way to a channel. `run` until `stop_claiming`, then `finish`."""

    def __init__(
        self, database: Database, channel: Channel, parallel: int, meter: Meter | None = None
    ) -> None:
        self._db = database
        self.channel = channel
        self._meter = meter or Meter()
        self._claims = Claims(database, channel.name)
        self._parallel = parallel
        self._queue: asyncio.Queue[Ready] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._told: list[Told] = []
        self._progress = Progress(database)
        self._stopping = asyncio.Event()
        self._claims_ended = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._idle = asyncio.Event()
        self._busy = 0

    async def run(self) -> None:
        """Claims and sends until stopped; a database that is away is waited for."""
        async with asyncio.TaskGroup() as tasks:
            for n in range(self._parallel):
                self._tasks.append(tasks.create_task(self._send_forever(), name=f"sender {n}"))
            flushing = tasks.create_task(self._flush_forever(), name="delivery outcomes")
            self._tasks.append(flushing)
            await self._claim_forever()
            self._claims_ended.set()
            await asyncio.Event().wait()  # finished by `finish` and the supervisor's cancel

    async def stop_claiming(self) -> None:
        """The first step of the end: nothing new is taken up."""
        self._stopping.set()

    async def finish(self) -> None:
        """Lets what is in flight end, gives back the rest, writes all outcomes. What is still in
        flight then is left to its lease; nothing of this runs any more."""
        await _within(self._claims_ended, 0.5)
        while not self._queue.empty():
            self._told.append(_put_back(self._queue.get_nowait().claim))
        if self._busy:
            await _within(self._idle, FINISH_S)
        async with self._flushing:  # outcomes are not lost in the middle of their writing
            for task in self._tasks:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._flush()
        await self._progress.stop()
        await self._claims.stop()
        await self.channel.close()

    async def _claim_forever(self) -> None:
        pause = IDLE_S
        while not self._stopping.is_set():
            try:
                found = await self._claim()
                pause = IDLE_S
            except (Unavailable, asyncpg.PostgresError) as error:
                LOGGER.warning("claim_failed", kind=type(error).__name__)
                found, pause = False, min(pause * 2, 5.0)
            if not found:
                await _within(self._stopping, pause)

    async def _claim(self) -> bool:
        """Claims a batch if there is room. False when it is time to wait."""
        if self.channel.held_s() > 0 or self._queue.qsize() > max(self._parallel, BATCH // 2):
            return False
        started = time.monotonic()
        rows = await self._claims.claim(BATCH, LEASE)
        by_operation: defaultdict[int, list[Claimed]] = defaultdict(list)
        for row in rows:
            by_operation[row["operation_id"]].append(_claimed(row, started + SEND_BY_S))
        for operation_id, own in by_operation.items():
            await self._load(operation_id, own)
        return len(rows) == BATCH

    async def _load(self, operation_id: int, claims: list[Claimed]) -> None:
        """Queues what to send; a delivery whose address has gone meanwhile has failed."""
        rows = await self._rows(operation_id, [c.delivery_id for c in claims])
        found = {r["delivery_id"]: r for r in rows}
        for claim in claims:
            row = found.get(claim.delivery_id)
            if row is None:
                self._tell(claim, permanent(_GONE[claim.channel]), None)
            elif row["moot"]:
                self._told.append(Told(claim, "stopped", 0.0, None, ANSWERED, tried=False))
            else:
                self._queue.put_nowait(_ready(claim, row))

    async def _rows(self, operation_id: int, own: list[UUID]) -> list[Any]:
        if self.channel.name == SmsChannel.name:
            return await texts(self._db, operation_id, own)
        return await self._db.fetch(operation_id, _ROWS[self.channel.name], own)

    async def _send_forever(self) -> None:
        while True:
            ready = await self._queue.get()
            self._busy += 1
            self._idle.clear()
            try:
                await self._send(ready)
            finally:
                self._busy -= 1
                if self._busy == 0:
                    self._idle.set()

    async def _send(self, ready: Ready) -> None:
        claim = ready.claim
        while (wait := self.channel.wait_s()) > 0:
            if self._stopping.is_set() or time.monotonic() + wait > claim.send_by:
                self._told.append(_put_back(claim, wait))
                return
            await asyncio.sleep(wait * random.uniform(1, 1.1))
        if time.monotonic() > claim.send_by:
            self._told.append(_put_back(claim))
            return
        try:
            outcome = await self.channel.send(ready.push)
        except Exception as error:  # a defect of a channel must not end all sending
            LOGGER.exception("channel_failed", channel=claim.channel)
            outcome = Outcome("unknown", reason=f"unexpected {type(error).__name__}")
        SENT.labels(claim.channel, outcome.kind).inc()
        if outcome.kind != "held":
            route = outcome.carried.route if outcome.carried else ""
            self._meter.note(claim.operation_id, claim.channel, route, outcome.kind)
        self._tell(claim, outcome, ready)

    def _tell(self, claim: Claimed, outcome: Outcome, ready: Ready | None) -> None:
        if outcome.kind == "held":
            wait_s = (outcome.retry_after or IDLE_S) * random.uniform(1, 1.05)
            self._told.append(Told(claim, "queued", wait_s, None, outcome.reason, tried=False))
            return
        again = ready is not None and ready.was_unknown
        state, wait_s = verdict(outcome, claim.attempt, again, random.random())
        dead = ready.push.address if ready and outcome.kind == "endpoint_dead" else None
        reason = outcome.reason
        if outcome.kind == "unknown":
            reason = f"{UNKNOWN}{reason}"
        told = Told(claim, state, wait_s, outcome.provider_id, reason, dead)
        self._told.append(msgspec.structs.replace(told, carried=outcome.carried))

    async def _flush_forever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            await self._flush()

    async def _flush(self) -> None:
        """Writes outcomes, one transaction an operation; what can't be written is kept."""
        async with self._flushing:
            told, self._told = self._told, []
            by_operation: defaultdict[int, list[Told]] = defaultdict(list)
            for t in told:
                by_operation[t.claim.operation_id].append(t)
            for operation_id, own in by_operation.items():
                await self._write(operation_id, own)

    async def _write(self, operation_id: int, told: list[Told]) -> None:
        try:
            await write_outcomes(self._db, operation_id, told)
        except (Unavailable, asyncpg.PostgresError) as error:
            LOGGER.warning("outcomes_not_written", kind=type(error).__name__, count=len(told))
            # kept until the lease is over: from then on somebody else has it
            limit = time.monotonic() - (LEASE.total_seconds() - SEND_BY_S)
            self._told += [t for t in told if t.claim.send_by > limit]
            await asyncio.sleep(0.2)
        else:
            for alert_id in {t.claim.alert_id for t in told if t.claim.alert_id is not None}:
                self._progress.touch(operation_id, alert_id)


ANSWERED = "answered meanwhile"
_NO_DEVICE = "the device has no push address any more"
_GONE = {
    "fcm": _NO_DEVICE,
    "webpush": _NO_DEVICE,
    "sms": "the person has no such number any more",
    "email": "the person has no e-mail address any more",
    "duty": "there is no such message any more",
}
_ROWS = {"fcm": SQL.pushes, "webpush": SQL.pushes, "email": SQL.emails, "duty": SQL.duties}


def _put_back(claim: Claimed, wait_s: float = 0.0) -> Told:
    return Told(claim, "queued", wait_s, None, None, tried=False)


def _claimed(row: Any, send_by: float) -> Claimed:
    return Claimed(
        operation_id=row["operation_id"],
        delivery_id=row["delivery_id"],
        alert_id=row["alert_id"],
        channel=row["channel"],
        endpoint=row["endpoint"],
        attempt=row["attempts"],
        send_by=send_by,
    )


def _ready(claim: Claimed, row: Any) -> Ready:
    push = Push(
        delivery_id=claim.delivery_id,
        alert_id=claim.alert_id,
        address=row["address"],
        severity=row["severity"],
        exercise=row["exercise"],
        expires_at=row["expires_at"],
        language=row["language"],
        line=row["line"],
        purpose=row["purpose"],
        code=row.get("code"),
        lane=row.get("lane", LAST_LANE),
    )
    return Ready(claim, push, was_unknown=(row["error"] or "").startswith(UNKNOWN))


async def _within(event: asyncio.Event, seconds: float) -> None:
    """Waits for an event, but not longer than so many seconds."""
    # not wait_for: in Python 3.11 it can swallow a cancellation that comes with the event
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def open_senders(
    database: Database, settings: Settings, meter: Meter | None = None
) -> list[Sender]:
    """A sender for each channel there is, so that none waits for another.

    Credentials that can't be read are an error in the log and leave pushes queued, on record
    and shown as such: alerts must still open and be counted.
    """
    channels: list[tuple[Channel, int]] = []
    if settings.fcm_credentials is not None:
        try:
            channels.append((_fcm(settings), settings.fcm_connections))
        except (FCMError, ValueError, OSError) as error:
            LOGGER.error("fcm_unusable", kind=type(error).__name__)
    hosts = PushHosts(settings.webpush_hosts)
    web = WebPushChannel(open_push_key(settings), contact(settings), hosts)
    channels.append((web, WEBPUSH_CONNECTIONS))
    routes = sms_routes(settings)
    if routes:
        sms = SmsChannel(routes, settings.public_url, partial(_spent, database))
        channels.append((sms, TEXTS_AT_ONCE))
    mail = relay(settings)
    if mail is not None:
        channels.append((EmailChannel(mail), RELAY_CONNECTIONS))
    if settings.duty_urls is not None:
        urls = settings.duty_urls.get_secret_value()
        desk = await asyncio.to_thread(DutyChannel, urls)  # apprise loads its plugins
        channels.append((desk, THREADS))
    return [Sender(database, channel, parallel, meter) for channel, parallel in channels]


def _fcm(settings: Settings) -> FcmChannel:
    assert settings.fcm_credentials is not None  # noqa: S101 - the caller has looked
    args = (settings.fcm_credentials, settings.fcm_url, settings.fcm_connections)
    return FcmChannel(*args, settings.fcm_per_s)


async def _spent(database: Database) -> dict[str, int]:
    """What each SMS route was charged for today, in micros."""
    async with database.connection() as con:
        return {r["route"]: r["micro"] for r in await con.fetch(SQL.texts_spent)}
