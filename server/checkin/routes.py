"""Check-ins in, the headcount out."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import msgspec

from server import errors
from server.auth import Principal
from server.checkin import board, listing, rules
from server.checkin.actions import Collector, Outcome
from server.checkin.messages import (
    BatchResult,
    CheckinBatch,
    CheckinIn,
    Headcount,
    ItemError,
    ItemResult,
    PeopleQuery,
)
from server.checkin.rules import Place, Report
from server.checkin.store import Recorded
from server.db import Database
from server.errors import Problem
from server.paging import Page
from server.people.counted import AlertPerson
from server.people.reporters import Resolved, resolve_reporters
from server.web import Call, Endpoint, Reply, plausible

BATCH_LIMIT = 512 * 1024
WITHIN_S = 4.7  # promise 2: whoever cannot be recorded is told so within 5 s
_ONE = msgspec.json.Decoder(CheckinIn)
About = tuple[int, str, str] | Problem  # person id, ref and in what capacity; or a refusal


class _Envelope(msgspec.Struct, frozen=True):
    items: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET


class _Id(msgspec.Struct, frozen=True):
    id: UUID


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_ID = msgspec.json.Decoder(_Id)


def decode(raw: bytes) -> CheckinIn | list[msgspec.Raw]:
    """One report, or the undecoded items of a batch: a bad item must not fail its neighbours."""
    items = _ENVELOPE.decode(raw).items if b'"items"' in raw else msgspec.UNSET
    if items is msgspec.UNSET:
        return _checked(_ONE.decode(raw))
    if not 1 <= len(items) <= 500:
        raise errors.refuse_field("items", "Send 1 to 500 items.")
    return items


def _checked(item: CheckinIn) -> CheckinIn:
    """Raises BadInput for a NUL, which PostgreSQL's text can't hold."""
    for path, text in (("note", item.note), ("for", item.for_)):
        if text is not None and "\x00" in text:
            raise errors.refuse_field(path, "Leave out the NUL character.")
    return item


class Checkins:
    """The handlers of this room, over one collector."""

    def __init__(self, database: Database, collector: Collector, texted: Sequence[str]) -> None:
        self._db = database
        self._texted = texted
        self._collector = collector

    async def post(self, call: Call) -> Reply:
        """Records one report, or a batch with a result an item."""
        if isinstance(call.body, list):
            return await self._post_batch(call, call.body)
        [about] = await self._about(call, [call.body])
        report = _report(call.me, call.body, about)
        recorded, made = await self._collector.submit(call.me.operation_id, report)
        return Reply(201 if made else 200, recorded)

    async def _post_batch(self, call: Call, raws: list[msgspec.Raw]) -> Reply:
        """Items are handed in together, so that the collector commits them in one batch."""
        items = [_decode_item(raw) for raw in raws]
        about = iter(await self._about(call, [i for i in items if isinstance(i, CheckinIn)]))
        resolved = [next(about) if isinstance(i, CheckinIn) else i for i in items]
        work = [self._one_of_batch(call.me, *item) for item in zip(items, resolved, strict=True)]
        outcomes = await asyncio.gather(*work)
        results = [_result(raw, o) for raw, o in zip(raws, outcomes, strict=True)]
        made = any(isinstance(o, tuple) and o[1] for o in outcomes)
        return Reply(201 if made else 200, BatchResult(results))

    async def _one_of_batch(
        self, me: Principal, item: CheckinIn | Problem, about: About
    ) -> Outcome | Problem:
        """One item's record, or why it was refused. Raises Unavailable for the whole batch."""
        if isinstance(item, Problem):
            return item
        try:
            return await self._collector.submit(me.operation_id, _report(me, item, about))
        except errors.Unavailable:
            raise
        except Problem as problem:
            return problem

    async def _about(self, call: Call, items: list[CheckinIn]) -> list[About]:
        """Whom each report is about, as (person_id, ref, reporter), or why it may not be."""
        me = call.me
        own = me.person_id is not None and all(i.for_ in (None, me.person_ref) for i in items)
        if own and me.person_id is not None and me.person_ref is not None:
            return [(me.person_id, me.person_ref, "self")] * len(items)
        refs = [i.for_ for i in items]
        found = await resolve_reporters(self._db, call.auth, me, refs)
        return [_named(me, ref, one) for ref, one in zip(refs, found, strict=True)]

    async def headcount(self, call: Call) -> Reply:
        """The board of one alert."""
        scope = await call.auth.scope(call.me)
        value = await board.headcount(self._db, call.me.operation_id, call.uuid("alert_id"), scope)
        return Reply(200, value)

    async def people(self, call: Call) -> Reply:
        """The people of one alert with their answers, a page at a time."""
        scope = await call.auth.scope(call.me)
        alert_id = call.uuid("alert_id")
        seen = (call.me.operation_id, alert_id, scope)
        page = await listing.people(self._db, *seen, call.query, self._texted)
        return Reply(200, page)


def _named(me: Principal, ref: str | None, found: Resolved | Problem) -> About:
    if isinstance(found, Problem):
        return found
    person_id, reporter = found
    return person_id, ref or me.person_ref or "", reporter


def _report(me: Principal, body: CheckinIn, about: About) -> Report:
    """The report to record. Raises the Problem that stands against it."""
    if isinstance(about, Problem):
        raise about
    person_id, ref, reporter = about
    plausible("at", body.at)
    plausible("sent_at", body.sent_at)
    where = body.location
    place = None if where is None else Place(where.lat, where.lon, where.accuracy)
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


def _decode_item(raw: msgspec.Raw) -> CheckinIn | Problem:
    try:
        return _checked(_ONE.decode(raw))
    except msgspec.MsgspecError as error:
        return errors.from_decoding(error)
    except Problem as problem:
        return problem


def _result(raw: msgspec.Raw, outcome: Outcome | Problem) -> ItemResult:
    if isinstance(outcome, tuple):
        return msgspec.convert(outcome[0], ItemResult, from_attributes=True)
    try:
        key = _ID.decode(raw).id
    except msgspec.MsgspecError:
        key = None
    fields = "".join(f" {e.path}: {e.message}" for e in outcome.errors or [])
    detail = outcome.detail + fields
    return ItemResult(key, error=ItemError(outcome.code, detail, outcome.status, outcome.retryable))


def endpoints(
    database: Database, collector: Collector, texted: Sequence[str] = ()
) -> list[Endpoint]:
    """The calls of this room. `texted`: prefixes of numbers an SMS route serves."""
    room = Checkins(database, collector, texted)
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
            within_s=WITHIN_S,
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
            {200: Page[AlertPerson]},
            query=PeopleQuery,
        ),
    ]
