"""Stages that came by text, as the reading of texts hands them on (kind `movement.texted`)."""

from datetime import datetime
from uuid import UUID

import msgspec

from server.db import Database
from server.recording import body_hash
from server.relocation.actions import record_batch
from server.relocation.plan.known import Plan
from server.relocation.store import Report


class Teller(msgspec.Struct, frozen=True):
    """Whom a text is about, and the id of the report it makes of her: the same at every try."""

    report: UUID
    person_id: int
    ref: str


class Texted(msgspec.Struct, frozen=True):
    """A stage by text that a code or a signature vouches for. `at`: when it came, or when it was
    signed. `vehicle`: by its number."""

    actor: str
    movement: UUID
    stage: str
    at: datetime
    people: tuple[Teller, ...]
    vehicle: int | None = None
    point: UUID | None = None
    reason: str | None = None


async def record(db: Database, plan: Plan, operation_id: int, told: Texted) -> None:
    """Puts it on record, once, however often this runs. Raises what keeps one of it from it."""
    reports = [_report(told, one) for one in told.people]
    for outcome in await record_batch(db, plan, operation_id, reports):
        if isinstance(outcome, Exception):
            raise outcome


def _report(told: Texted, one: Teller) -> Report:
    said = (one.ref, told.movement, told.stage, told.at.timestamp(), told.vehicle, told.point)
    return Report(
        report_id=one.report,
        movement_id=told.movement,
        person_id=one.person_id,
        person_ref=one.ref,
        stage=told.stage,
        vehicle=told.vehicle,
        point=told.point,
        reason=told.reason,
        at=told.at,
        sent_at=None,
        actor=told.actor,
        capacity="self",
        how="sms",
        body_hash=body_hash(*said, told.reason, told.actor),
    )
