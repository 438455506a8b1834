"""Reports of stages over HTTP: in whose name each is made, and what became of it."""

import asyncio
from typing import Any
from uuid import UUID

import msgspec

from server import errors
from server.auth import Principal
from server.db import Database
from server.errors import Problem
from server.people.rules import storable
from server.relocation import rules
from server.relocation.actions import Outcome, Reports
from server.relocation.codes.checking import About, about
from server.relocation.messages import StageBatch, StageError, StageIn, StageResult, StageResults
from server.relocation.store import Recorded, Report
from server.web import Call, Endpoint, Reply, plausible

BATCH_LIMIT = 512 * 1024
WITHIN_S = 4.7  # promise 2: whoever cannot be recorded is told so within 5 s
HOW = {
    "self": "app",
    "family": "family",
    "warden": "warden",
    "checker": "checker",
    "operator": "desk",
}
_ONE = msgspec.json.Decoder(StageIn)


class _Envelope(msgspec.Struct, frozen=True):
    items: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET


class _Id(msgspec.Struct, frozen=True):
    id: UUID


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_ID = msgspec.json.Decoder(_Id)


def decode(raw: bytes) -> StageIn | list[msgspec.Raw]:
    """One report, or the undecoded items of a batch: a bad item must not fail its neighbours."""
    items = _ENVELOPE.decode(raw).items if b'"items"' in raw else msgspec.UNSET
    if items is msgspec.UNSET:
        return _whole(_ONE.decode(raw))
    if not 1 <= len(items) <= 500:
        raise errors.refuse_field("items", "Send 1 to 500 items.")
    return items


def _whole(item: StageIn) -> StageIn:
    """Raises BadInput for a stage that says too little, and for text no record can hold."""
    for path, text in (("reason", item.reason), ("for", item.for_), ("code", item.code)):
        if text is not None and not storable(text):
            raise errors.refuse_field(path, "Leave out the NUL character, and halves of letters.")
    if item.stage == "boarded" and item.vehicle is None:
        raise errors.refuse_field("vehicle", "Name the vehicle, by id or number.")
    if item.stage == "at_point" and item.point is None:
        raise errors.refuse_field("point", "Name the point.")
    if item.stage == "staying" and item.reason is None:
        raise errors.refuse_field("reason", "Say why she stays.")
    plausible("at", item.at)
    plausible("sent_at", item.sent_at)
    return item


class StageReports:
    """The handler of reports, over one recorder."""

    def __init__(self, database: Database, reports: Reports) -> None:
        self._db = database
        self._reports = reports

    async def post(self, call: Call) -> Reply:
        """Records one report, or a batch with a result an item."""
        if isinstance(call.body, list):
            return await self._post_batch(call, call.body)
        [found] = await self._about(call, [call.body])
        report = _report(call.me, call.body, found)
        recorded, made = await self._reports.submit(call.me.operation_id, report)
        return Reply(201 if made else 200, recorded)

    async def _post_batch(self, call: Call, raws: list[msgspec.Raw]) -> Reply:
        """Items are handed in together, so that they are committed in one batch."""
        items = [_decode_item(raw) for raw in raws]
        found = iter(await self._about(call, [i for i in items if isinstance(i, StageIn)]))
        resolved = [next(found) if isinstance(i, StageIn) else i for i in items]
        work = [self._one_of_batch(call.me, *item) for item in zip(items, resolved, strict=True)]
        outcomes = await asyncio.gather(*work)
        results = [_result(raw, o) for raw, o in zip(raws, outcomes, strict=True)]
        made = any(isinstance(o, tuple) and o[1] for o in outcomes)
        return Reply(201 if made else 200, StageResults(results))

    async def _one_of_batch(
        self, me: Principal, item: StageIn | Problem, found: About | Problem
    ) -> Outcome | Problem:
        """One item's record, or why it was refused. Raises Unavailable for the whole batch."""
        if isinstance(item, Problem):
            return item
        try:
            return await self._reports.submit(me.operation_id, _report(me, item, found))
        except errors.Unavailable:
            raise
        except Problem as problem:
            return problem

    async def _about(self, call: Call, items: list[StageIn]) -> list[About | Problem]:
        """Whom each report is about, or why it may not be."""
        me = call.me
        own = all(i.for_ in (None, me.person_ref) and i.code is None for i in items)
        if own and me.person_id is not None and me.person_ref is not None:
            return [About(me.person_id, me.person_ref, "self")] * len(items)
        return await about(self._db, call.auth, me, items)


def _report(me: Principal, body: StageIn, found: About | Problem) -> Report:
    """The report to record. Raises the Problem that stands against it."""
    if isinstance(found, Problem):
        raise found
    how = "qr" if found.scanned else "radio" if body.how == "radio" else HOW[found.capacity]
    same = (found.ref, body.movement, body.stage, body.at.timestamp(), body.vehicle, body.point)
    return Report(
        report_id=body.id,
        movement_id=body.movement,
        person_id=found.person_id,
        person_ref=found.ref,
        stage=body.stage,
        vehicle=body.vehicle,
        point=body.point,
        reason=body.reason,
        at=body.at,
        sent_at=body.sent_at,
        actor=me.actor,
        capacity=found.capacity,
        how=how,
        body_hash=rules.body_hash(*same, body.reason, body.how, body.code),
    )


def _decode_item(raw: msgspec.Raw) -> StageIn | Problem:
    try:
        return _whole(_ONE.decode(raw))
    except msgspec.MsgspecError as error:
        return errors.from_decoding(error)
    except Problem as problem:
        return problem


def _result(raw: msgspec.Raw, outcome: Outcome | Problem) -> StageResult:
    if isinstance(outcome, tuple):
        return msgspec.convert(outcome[0], StageResult, from_attributes=True)
    try:
        key = _ID.decode(raw).id
    except msgspec.MsgspecError:
        key = None
    fields = "".join(f" {e.path}: {e.message}" for e in outcome.errors or [])
    detail = outcome.detail + fields
    return StageResult(
        key, error=StageError(outcome.code, detail, outcome.status, outcome.retryable)
    )


def endpoints(database: Database, reports: Reports) -> list[Endpoint]:
    """The call of reports."""
    answers: Any = Recorded | StageResults
    return [
        Endpoint(
            "POST",
            "/v1/stage-reports",
            StageReports(database, reports).post,
            "Report where somebody stands in a movement; durable before the answer",
            "movement.report",
            {201: answers, 200: answers},
            body=StageIn | StageBatch,
            decode=decode,
            body_limit=BATCH_LIMIT,
            within_s=WITHIN_S,
        )
    ]
