"""What operators do with alerts: one function a verb, one transaction each."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from server import stream
from server.alerts import audience as audiences
from server.alerts import rules, store
from server.alerts.deliveries import store as deliveries
from server.alerts.deliveries.store import SQL as DELIVERIES
from server.alerts.ending import end_in
from server.alerts.escalation import store as escalation
from server.alerts.escalation.rules import PolicyChange
from server.alerts.incidents import store as incidents
from server.alerts.incidents.store import SQL as INCIDENTS
from server.alerts.messages import AlertIn, CorrectionIn, Reminder
from server.alerts.store import SQL, Alert, Locked, Sight
from server.auth import Principal, Scope
from server.db import Database, confirm, retried
from server.errors import Clash, Forbidden, NotFound, refuse_field
from server.people.store import audit

LONGEST = timedelta(days=366)
REMIND_AGAIN_S = 30.0  # a repeat of the same press is the same reminder
NO_ALERT = "There is no such alert."


def digest(*parts: msgspec.Struct | UUID) -> bytes:
    """Tells a repeat of a request from another request with its id."""
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).digest()


def as_first_answered(alert: Alert) -> Alert:
    """The alert as its first answer showed it: a repeat gets the same."""
    return msgspec.structs.replace(
        alert, state="preparing", opened_at=None, closed_at=None, population=0
    )


@retried
async def create(db: Database, who: Principal, scope: Scope, body: AlertIn) -> tuple[Alert, bool]:
    """Puts an alert on record with the job that opens it; the alert, and whether it is new.

    Raises BadInput, or Clash where the id belongs to another request.
    """
    body_sha256 = digest(body)
    async with db.transaction(who.operation_id) as con:
        repeat = await _repeat(con, body.id, body_sha256)
        if repeat is not None:
            return repeat, False
        await audiences.check(con, body.audience, scope)
        await check_expiry(con, body.expires_at)
        incident_id = await _incident_for(con, who, body)
        columns = (
            *(body.id, incident_id, body.kind, body.severity, body.mode),
            _json(body.audience),
            *(body.title, body.body, body.lock_screen, body.sms_text),
            _json(body.escalation) if body.escalation is not None else None,
            *(body.exercise, body_sha256, who.actor, body.expires_at, None),
        )
        limit = audiences.within(who, scope)
        return await _record(con, who, columns, body.escalation, within=limit)


@retried
async def correct(
    db: Database, who: Principal, scope: Scope, alert_id: UUID, body: CorrectionIn
) -> tuple[Alert, bool]:
    """Tells an alert's people something else: an advisory of the same severity and population.

    Raises NotFound, BadInput, or Clash while there is no population to tell.
    """
    body_sha256 = digest(alert_id, body)
    async with db.transaction(who.operation_id) as con:
        repeat = await _repeat(con, body.id, body_sha256)
        if repeat is not None:
            return repeat, False
        wrong = await steerable(con, who, scope, alert_id)
        if wrong.state == "preparing" or wrong.population == 0:
            raise Clash("Nobody has been addressed yet. Cancel it instead.", code="alert_not_open")
        await check_expiry(con, body.expires_at)
        columns = (
            *(body.id, wrong.incident_id, "advisory", wrong.severity, "broadcast"),
            _json(wrong.audience),
            *(body.title, body.body, body.lock_screen, body.sms_text, None),
            *(wrong.exercise, body_sha256, who.actor, body.expires_at, alert_id),
        )
        return await _record(con, who, columns, None, copy_of=str(alert_id))


async def _repeat(con: Any, alert_id: UUID, body_sha256: bytes) -> Alert | None:
    known = await store.alert(con, alert_id)
    if known is None:
        return None
    if known.body_sha256 != body_sha256:
        raise Clash("This id was used for another alert. Make a new id.", code="id_reused")
    await confirm(con)
    return as_first_answered(known)


async def _record(
    con: Any,
    who: Principal,
    columns: tuple[Any, ...],
    wishes: PolicyChange | None,
    **job: Any,
) -> tuple[Alert, bool]:
    alert_id, body_sha256, expires_at = columns[0], columns[12], columns[14]
    policy = await escalation.new_policy(con, columns[3], wishes)
    if await con.fetchval(SQL.insert_alert, *columns, _json(job), policy) is None:
        repeat = await _repeat(con, alert_id, body_sha256)
        assert repeat is not None  # noqa: S101 - the insert has just met it
        return repeat, False
    lane = rules.SEVERITY_LANE[columns[3]]
    await store.enqueue(con, who.operation_id, "alert.prepare", alert_id, lane=lane, **job)
    if expires_at is not None:
        await store.enqueue(con, who.operation_id, "alert.expire", alert_id, expires_at)
    await audit(con, who.actor, "alert.create", str(alert_id))
    made = await store.alert(con, alert_id)
    assert made is not None  # noqa: S101 - inserted above
    await stream.append(con, [store.alert_draft(alert_id)])
    return made, True


async def check_expiry(con: Any, expires_at: datetime | None) -> None:
    """Raises BadInput for an end that has passed, or is over a year away."""
    if expires_at is None:
        return
    now: datetime = await con.fetchval(SQL.clock)
    if not now < expires_at <= now + LONGEST:
        raise refuse_field("expires_at", "Give a time in the future, at most a year away.")


async def _incident_for(con: Any, who: Principal, body: AlertIn) -> UUID:
    """The incident of a new alert: the one it names, or its own under the alert's id."""
    if body.incident_id is None:
        await incidents.begin(con, body.id, body.title, body.exercise, who.actor)
        return body.id
    incident = await con.fetchrow(INCIDENTS.incident, body.incident_id)
    if incident is None:
        raise refuse_field("incident_id", "There is no such incident.")
    if incident["closed_at"] is not None:
        raise Clash("This incident is closed. Open a new one.", code="incident_closed")
    if incident["exercise"] != body.exercise:
        raise refuse_field(
            "exercise", "An exercise and an actual incident are never mixed: give the incident's."
        )
    return body.incident_id


async def steerable(con: Any, who: Principal, scope: Scope, alert_id: UUID) -> Locked:
    """The alert, locked. Raises NotFound unseen, Forbidden if it reaches beyond one's areas."""
    if not await store.sees(con, alert_id, store.sight_of(who, scope)):
        raise NotFound(NO_ALERT)
    if scope.areas is not None and await con.fetchval(
        SQL.reaches_beyond, alert_id, list(scope.areas), who.actor
    ):
        raise Forbidden("This alert reaches beyond your areas: ask its maker, or an admin.")
    locked = await store.lock_alert(con, alert_id)
    if locked is None:
        raise NotFound(NO_ALERT)
    return locked


@retried
async def end(db: Database, who: Principal, scope: Scope, alert_id: UUID, verb: str) -> Alert:
    """Closes or cancels: unsent deliveries stop, the counts are frozen; again changes nothing.

    Raises NotFound, Forbidden, or Clash where the alert has ended otherwise.
    """
    async with db.transaction(who.operation_id) as con:
        locked = await steerable(con, who, scope, alert_id)
        changed = await end_in(con, who.operation_id, alert_id, locked.state, verb, who.actor)
        ended = await store.alert(con, alert_id)
        assert ended is not None  # noqa: S101 - locked above
        if changed:
            await stream.append(con, [store.alert_draft(alert_id)])
        return ended


@retried
async def remind(
    db: Database, who: Principal, scope: Scope, alert_id: UUID, texted: Sequence[str] = ()
) -> tuple[Alert, Reminder]:
    """Sends a reminder to the silent only. A repeat within half a minute is the same reminder.

    Raises NotFound, Forbidden, or Clash if the alert is not open.
    """
    async with db.transaction(who.operation_id) as con:
        locked = await steerable(con, who, scope, alert_id)
        if locked.state != "open":
            rules.step(locked.state, "close")
            raise Clash("This alert is closed. Open a new one instead.", code="alert_ended")
        alert = await store.alert(con, alert_id)
        assert alert is not None  # noqa: S101 - locked above
        silent = await con.fetchval(DELIVERIES.silent, alert_id)
        last = await con.fetchrow(DELIVERIES.last_reminder, alert_id)
        if last is not None and last["round"] > 0 and last["age_s"] < REMIND_AGAIN_S:
            return alert, Reminder(last["round"], silent, last["deliveries"])
        number = 1 if last is None else last["round"] + 1
        lane = rules.SEVERITY_LANE[locked.severity]
        ranked = (locked.severity, lane)
        queued = await deliveries.remind(con, alert_id, ranked, texted, number)
        await audit(con, who.actor, "alert.remind", str(alert_id), round=number)
        await stream.append(con, [store.alert_draft(alert_id)])
        return alert, Reminder(number, silent, queued)


async def get(db: Database, operation_id: int, sight: Sight, alert_id: UUID) -> Alert:
    """One alert. Raises NotFound for one outside the caller's sight."""
    async with db.transaction(operation_id) as con:
        found = await store.alert(con, alert_id)
        if found is None or not await store.sees(con, alert_id, sight):
            raise NotFound(NO_ALERT)
        return found


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
