"""Reports of stages over HTTP: in whose name each is made, and what became of it."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from server import errors
from server.auth import Principal
from server.db import Database
from server.errors import Problem
from server.people.rules import storable
from server.recording import body_hash
from server.relocation.actions import Reports
from server.relocation.codes.checking import OWN, About, about
from server.relocation.messages import StageIn, StageResult
from server.relocation.store import Recorded, Report
from server.reporting import BATCH_LIMIT, WITHIN_S, Batch, Reader, Reporting, Results
from server.web import Call, Endpoint, plausible

HOW = {
    "self": "app",
    "family": "family",
    "warden": "warden",
    "checker": "checker",
    "operator": "desk",
}


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


READER = Reader(StageIn, _whole)


async def _about(database: Database, call: Call, items: Sequence[StageIn]) -> list[About | Problem]:
    """Whom each report is about, or why it may not be."""
    me = call.me
    own = all(i.for_ in (None, me.person_ref) and i.code is None for i in items)
    if own and me.person_id is not None and me.person_ref is not None:
        return [About(me.person_id, me.person_ref, "self")] * len(items)
    return await about(database, call.auth, me, items)


def _report(me: Principal, body: StageIn, found: About) -> Report:
    heard = body.how == "radio" and found.capacity not in OWN
    how = "qr" if found.scanned else "radio" if heard else HOW[found.capacity]
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
        body_hash=body_hash(*same, body.reason, body.how, body.code),
    )


def endpoints(database: Database, reports: Reports) -> list[Endpoint]:
    """The call of reports."""
    whose = partial(_about, database)
    reporting = Reporting(READER, whose, _report, reports, StageResult)
    answers: Any = Recorded | Results[StageResult]
    return [
        Endpoint(
            "POST",
            "/v1/stage-reports",
            reporting.post,
            "Report where somebody stands in a movement; durable before the answer",
            "movement.report",
            {201: answers, 200: answers},
            body=StageIn | Batch[StageIn],
            decode=READER.decode,
            body_limit=BATCH_LIMIT,
            within_s=WITHIN_S,
        )
    ]
