"""Check-ins in, the headcount out."""

import asyncio
from uuid import UUID

import msgspec

from server import errors
from server.auth import Principal
from server.checkin import board, listing, rules
from server.checkin.actions import Collector
from server.checkin.messages import (
    BatchResult,
    CheckinBatch,
    CheckinIn,
    Headcount,
    ItemError,
    ItemResult,
    PeoplePage,
    PeopleQuery,
)
from server.checkin.rules import Place, Report
from server.checkin.store import Recorded
from server.db import Database
from server.errors import Problem
from server.people.reporters import resolve_reporter
from server.web import Call, Endpoint, Reply, plausible

BATCH_LIMIT = 512 * 1024
_ONE = msgspec.json.Decoder(CheckinIn)


class _Envelope(msgspec.Struct, frozen=True):
    items: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET


class _Id(msgspec.Struct, frozen=True):
    id: UUID


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_ID = msgspec.json.Decoder(_Id)


def decode(raw: bytes) -> CheckinIn | list[msgspec.Raw]:
    """One report, or the undecoded items of a batch: a bad item must not fail its neighbours."""
    if b'"items"' not in raw:
        return _ONE.decode(raw)
    items = _ENVELOPE.decode(raw).items
    if items is msgspec.UNSET:
        return _ONE.decode(raw)
    if not 1 <= len(items) <= 500:
        raise errors.refuse_field("items", "Send 1 to 500 items.")
    return items


class Checkins:
    """The handlers of this room, over one collector."""

    def __init__(self, database: Database, collector: Collector) -> None:
        self._db = database
        self._collector = collector

    async def post(self, call: Call) -> Reply:
        """Records one report, or a batch with a result an item."""
        if isinstance(call.body, list):
            return await self._post_batch(call, call.body)
        report = await self._report(call, call.body)
        recorded, made = await self._collector.submit(call.me.operation_id, report)
        return Reply(201 if made else 200, recorded)

    async def _post_batch(self, call: Call, items: list[msgspec.Raw]) -> Reply:
        # submitted one by one but awaited together: the collector commits them in one batch
        results = await asyncio.gather(*(self._one_of_batch(call, raw) for raw in items))
        made = any(new for _, new in results)
        return Reply(201 if made else 200, BatchResult([result for result, _ in results]))

    async def _one_of_batch(self, call: Call, raw: msgspec.Raw) -> tuple[ItemResult, bool]:
        try:
            report = await self._report(call, _decode_item(raw))
            recorded, made = await self._collector.submit(call.me.operation_id, report)
        except errors.Unavailable:
            raise
        except Problem as problem:
            return _item_error(raw, problem), False
        return _item(recorded), made

    async def _report(self, call: Call, body: CheckinIn) -> Report:
        plausible("at", body.at)
        plausible("sent_at", body.sent_at)
        me = call.me
        person_id, ref, reporter = await self._about(call, me, body.for_)
        place = _place(body)
        return Report(
            checkin_id=body.id,
            person_id=person_id,
            person_ref=ref,
            status=body.status,
            at=body.at,
            sent_at=body.sent_at,
            alert_id=body.alert_id,
            place=place,
            note=body.note,
            battery=body.battery,
            reporter=reporter,
            actor=me.actor,
            body_hash=rules.body_hash(ref, body.status, body.at, body.alert_id, place, body.note),
        )

    async def _about(self, call: Call, me: Principal, ref: str | None) -> tuple[int, str, str]:
        """Whom a report is about, and in what capacity the caller makes it."""
        if me.person_id is not None and me.person_ref is not None and ref in (None, me.person_ref):
            return me.person_id, me.person_ref, "self"
        if ref is None:
            raise errors.refuse_field("for", "Name the person by ref.")
        person_id, reporter = await resolve_reporter(self._db, call.auth, me, ref)
        return person_id, ref, reporter

    async def headcount(self, call: Call) -> Reply:
        """The board of one alert."""
        scope = await call.auth.scope(call.me)
        value = await board.headcount(self._db, call.me.operation_id, call.uuid("alert_id"), scope)
        return Reply(200, value)

    async def people(self, call: Call) -> Reply:
        """The people of one alert with their answers, a page at a time."""
        scope = await call.auth.scope(call.me)
        alert_id = call.uuid("alert_id")
        page = await listing.people(self._db, call.me.operation_id, alert_id, scope, call.query)
        return Reply(200, page)


def _decode_item(raw: msgspec.Raw) -> CheckinIn:
    try:
        item = _ONE.decode(raw)
    except msgspec.MsgspecError as error:
        raise errors.from_decoding(error) from None
    if item.note is not None and "\x00" in item.note:
        raise errors.refuse_field("note", "Leave out the NUL character.")
    return item


def _place(body: CheckinIn) -> Place | None:
    where = body.location
    return None if where is None else Place(where.lat, where.lon, where.accuracy)


def _item(recorded: Recorded) -> ItemResult:
    return msgspec.convert(recorded, ItemResult, from_attributes=True)


def _item_error(raw: msgspec.Raw, problem: Problem) -> ItemResult:
    try:
        key = _ID.decode(raw).id
    except msgspec.MsgspecError:
        key = None
    fields = "".join(f" {e.path}: {e.message}" for e in problem.errors or [])
    error = ItemError(problem.code, problem.detail + fields, problem.status, problem.retryable)
    return ItemResult(id=key, error=error)


def endpoints(database: Database, collector: Collector) -> list[Endpoint]:
    """The calls of this room."""
    room = Checkins(database, collector)
    alert = "/v1/alerts/{alert_id}"
    return [
        Endpoint(
            "POST",
            "/v1/checkins",
            room.post,
            "Report safe, need help or away; durable before the answer",
            "checkin.report",
            {201: Recorded | BatchResult, 200: Recorded | BatchResult},
            body=CheckinIn | CheckinBatch,
            decode=decode,
            body_limit=BATCH_LIMIT,
        ),
        Endpoint(
            "GET",
            f"{alert}/headcount",
            room.headcount,
            "The board of an alert",
            "headcount.read",
            {200: Headcount},
        ),
        Endpoint(
            "GET",
            f"{alert}/people",
            room.people,
            "The people of an alert and their answers",
            "headcount.read",
            {200: PeoplePage},
            query=PeopleQuery,
        ),
    ]
