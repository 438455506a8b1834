"""A phone's own view: its person, household, open alerts; its push address; its end."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from server.auth import Authenticator, Principal
from server.db import Database
from server.errors import NotFound
from server.people import messages, moves, store
from server.people.messages import (
    AnswerOut,
    AreaName,
    BranchOut,
    HouseholdAnswer,
    HouseholdMember,
    OperationOut,
    SelfAlert,
    SelfOut,
    SelfPanic,
    SelfPanicEnd,
    SelfPerson,
)

SQL = store.SQL
Answers = dict[tuple[UUID, int], store.LatestAnswer]


async def view(db: Database, who: Principal) -> SelfOut:
    """All a phone shows, as of one moment. A sponsor sees her family's answers, not the reverse."""
    async with db.transaction(who.operation_id, snapshot=True) as con:
        me = await store.me(con, _person_id(who))
        if me is None:
            raise NotFound("This person is no longer on the roster.")
        relatives = await _relatives(con, me)
        family = [r for r in relatives if r.sponsor_id == me.person_id]
        alerts = await store.open_alerts(con, me.person_id)
        household = [me.person_id, *(r.person_id for r in family)]
        answers = await _answers(con, alerts, household)
        branch = await store.branch(con, me.person_id)
        rows = await con.fetch(SQL.own_watches, me.person_id)
        moving = await moves.movements(con, me.ref, household)
        checks = await con.fetch(SQL.own_checks, me.person_id)
        panic = await con.fetchrow(SQL.own_panic, me.person_id, who.actor)
        near = await con.fetch(SQL.nearby_help, me.person_id)
        last = await con.fetchrow(SQL.own_panic_end, me.person_id, who.actor)
    watches = [messages.SelfWatch(**row) for row in rows]
    return SelfOut(
        person=_person(me),
        operation=OperationOut(me.operation, me.operation_name, me.timezone),
        household=[_member(me, r) for r in relatives],
        alerts=[_alert(a, me, family, answers) for a in alerts],
        branch=None if branch is None else BranchOut(branch.node, branch.label, branch.members),
        server_time=me.now,
        watches=watches,
        pin_set=me.pin_set,
        nearby_help=[messages.NearbyHelp(**row) for row in near],
        watch=watches[0] if watches else None,
        panic=None if panic is None else SelfPanic(**panic),
        movements=moving,
        last_panic=None if last is None else SelfPanicEnd(**last),
        checks=[moves.SelfCheck(**row) for row in checks],
    )


async def put_push(db: Database, who: Principal, push: messages.Push) -> None:
    """Where this phone can be woken from now on. Raises BadInput for an impossible address."""
    kind, address = messages.push_address(push)
    async with db.transaction(who.operation_id) as con:
        await con.execute(SQL.put_push, who.device_id, kind, address)


async def forget(db: Database, auth: Authenticator, who: Principal) -> None:
    """Forgets this phone: its token ends, its push address is removed."""
    async with db.transaction(who.operation_id) as con:
        ended = await con.fetch(SQL.revoke_device_credentials, who.device_id)
        await con.execute(SQL.revoke_device, who.device_id)
        await con.execute(SQL.drop_push, who.device_id)
        await store.audit(con, who.actor, "device.forget", f"device:{who.device_id}")
    auth.forget(*(r["token_sha256"] for r in ended))


def _person_id(who: Principal) -> int:
    if who.person_id is None:
        raise NotFound("There is no person behind this token.")
    return who.person_id


async def _relatives(con: Any, me: store.Me) -> list[store.Relative]:
    """The others of my household, my sponsor first."""
    household = await store.household(con, me.sponsor_id or me.person_id)
    return [r for r in household if r.person_id != me.person_id]


async def _answers(con: Any, alerts: Sequence[store.OpenAlert], people: Sequence[int]) -> Answers:
    if not alerts:
        return {}
    return await store.answers(con, [a.alert_id for a in alerts], people)


def _person(me: store.Me) -> SelfPerson:
    area = AreaName(me.area, me.area_name)
    return SelfPerson(me.ref, me.name, me.category, area, me.agency, me.language)


def _member(me: store.Me, other: store.Relative) -> HouseholdMember:
    return HouseholdMember(
        ref=other.ref,
        name=other.name,
        category=other.category,
        role="sponsor" if other.sponsor_id is None else "family",
        may_report=other.sponsor_id == me.person_id,
    )


def _alert(
    alert: store.OpenAlert, me: store.Me, family: Sequence[store.Relative], answers: Answers
) -> SelfAlert:
    asked = [r for r in family if (alert.alert_id, r.person_id) in answers]
    return SelfAlert(
        id=alert.alert_id,
        kind=alert.kind,
        severity=alert.severity,
        title=alert.title,
        body=alert.body,
        exercise=alert.exercise,
        state=alert.state,
        opened_at=alert.opened_at,
        expires_at=alert.expires_at,
        answer=_answer(answers.get((alert.alert_id, me.person_id))),
        household=[
            HouseholdAnswer(r.ref, _answer(answers[alert.alert_id, r.person_id])) for r in asked
        ],
    )


def _answer(latest: store.LatestAnswer | None) -> AnswerOut | None:
    if latest is None or latest.event_at is None or latest.received_at is None:
        return None
    return AnswerOut(latest.status, latest.event_at, latest.received_at)
