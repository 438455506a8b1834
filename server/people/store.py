"""Rows of people as frozen structs. Every function takes the connection of a transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from server.db import named_sql
from server.people import rules

SQL = named_sql(__file__)
Struct = TypeVar("Struct", bound=msgspec.Struct)


class Operation(msgspec.Struct, frozen=True):
    """A tenant. `region`: ISO 3166 alpha-2, the default of phone numbers."""

    operation_id: int
    code: str
    name: str
    timezone: str
    region: str


class Area(msgspec.Struct, frozen=True):
    """An area; parent as code and id."""

    area_id: int
    code: str
    name: str
    parent: str | None
    parent_id: int | None
    kind: str
    lat: float | None
    lon: float | None


class ListedPerson(msgspec.Struct, frozen=True):
    """A person in a list. `devices`: how many live ones she has."""

    ref: str
    name: str
    category: str
    kind: str
    area: str
    agency: str
    sponsor: str | None
    devices: int


class Person(msgspec.Struct, frozen=True):
    """A person who is not merged into another, with her area and agency in words."""

    person_id: int
    ref: str
    name: str
    category: str
    kind: str
    area_id: int
    sponsor_id: int | None
    language: str | None
    email: str | None
    updated_at: datetime
    area: str
    area_name: str
    agency: str
    sponsor: str | None


class Me(msgspec.Struct, frozen=True):
    """A phone's person, her operation in words, and the database's time."""

    person_id: int
    ref: str
    name: str
    category: str
    sponsor_id: int | None
    language: str | None
    area: str
    area_name: str
    agency: str
    operation: str
    operation_name: str
    timezone: str
    now: datetime
    pin_set: bool


class PersonKey(msgspec.Struct, frozen=True):
    """A person by her ids alone."""

    person_id: int
    ref: str
    name: str
    category: str
    area_id: int
    agency_id: int
    sponsor_id: int | None


class Device(msgspec.Struct, frozen=True):
    """A live device. `push`: how it can be woken; `dead_at`: since when it no longer can."""

    device_id: UUID
    platform: str
    created_at: datetime
    last_seen_at: datetime | None
    push: str | None
    dead_at: datetime | None
    delivered_at: datetime | None


class Relative(msgspec.Struct, frozen=True):
    """A member of a household."""

    person_id: int
    ref: str
    name: str
    category: str
    sponsor_id: int | None


class OpenAlert(msgspec.Struct, frozen=True):
    """An open alert as its person's phone shows it."""

    alert_id: UUID
    kind: str
    severity: str
    title: str
    body: str
    exercise: bool
    state: str
    opened_at: datetime | None
    expires_at: datetime | None


class LatestAnswer(msgspec.Struct, frozen=True):
    """Where one person stands in one alert; no times while unaccounted."""

    alert_id: UUID
    person_id: int
    status: str
    event_at: datetime | None
    received_at: datetime | None


class Branch(msgspec.Struct, frozen=True):
    """A warden's first node, and the people under all her nodes."""

    node: str
    label: str
    members: int


class Operator(msgspec.Struct, frozen=True):
    """A live operator. `area` is a code, `person` a ref."""

    operator_id: int
    name: str
    role: str
    area: str | None
    person: str | None


class Enrolment(msgspec.Struct, frozen=True):
    """A code's record, held by whoever reads it."""

    enrolment_id: UUID
    person_id: int
    area_id: int
    used_at: datetime | None
    revoked_at: datetime | None


class CodeFound(msgspec.Struct, frozen=True):
    """The record behind a typed code. `just_used`: within 10 minutes of its use."""

    enrolment_id: UUID
    person_id: int
    device_id: UUID | None
    used_at: datetime | None
    revoked: bool
    expired: bool
    just_used: bool
    ref: str
    name: str
    merged_into: int | None


def row_to(kind: type[Struct], row: Any) -> Struct:
    """One row as a struct of the same field names."""
    return kind(**dict(row))


async def _one(con: Any, kind: type[Struct], sql: str, *args: Any) -> Struct | None:
    row = await con.fetchrow(sql, *args)
    return None if row is None else row_to(kind, row)


async def _all(con: Any, kind: type[Struct], sql: str, *args: Any) -> list[Struct]:
    return [row_to(kind, row) for row in await con.fetch(sql, *args)]


async def operation(con: Any) -> Operation:
    """The operation of the running transaction."""
    return row_to(Operation, await con.fetchrow(SQL.operation))


async def areas(con: Any, only: Sequence[int] | None, after: str | None, most: int) -> list[Area]:
    """Areas by code, after one; `only` these ids, or all."""
    return await _all(con, Area, SQL.areas, only, after, most)


async def agencies(con: Any, after: str | None, most: int) -> list[str]:
    """Agencies by name, after one."""
    return [r["name"] for r in await con.fetch(SQL.agencies, after, most)]


async def person_by_ref(con: Any, ref: str) -> Person | None:
    """A person by ref; None where there is none or she was merged into another."""
    if not rules.storable(ref):
        return None
    return await _one(con, Person, SQL.person, ref)


async def me(con: Any, person_id: int) -> Me | None:
    """A phone's person; None where she was merged into another."""
    return await _one(con, Me, SQL.me, person_id)


async def people_by_ref(con: Any, refs: Sequence[str]) -> dict[str, PersonKey]:
    """Those of `refs` that exist, by ref."""
    found = await _all(con, PersonKey, SQL.people_by_ref, list(filter(rules.storable, refs)))
    return {p.ref: p for p in found}


async def phones(con: Any, person_id: int) -> list[str]:
    """A person's numbers (E.164), the first tried first."""
    return [r["phone"] for r in await con.fetch(SQL.phones, person_id)]


async def devices(con: Any, person_id: int) -> list[Device]:
    """A person's live devices, the oldest first."""
    return await _all(con, Device, SQL.devices, person_id)


async def household(con: Any, sponsor_id: int) -> list[Relative]:
    """A sponsor and her family, the sponsor first."""
    return await _all(con, Relative, SQL.family_of, sponsor_id)


async def open_alerts(con: Any, person_id: int) -> list[OpenAlert]:
    """The open alerts that hold a person, newest first."""
    return await _all(con, OpenAlert, SQL.open_alerts, person_id)


async def answers(
    con: Any, alerts: Sequence[UUID], people: Sequence[int]
) -> dict[tuple[UUID, int], LatestAnswer]:
    """Where people stand in alerts, by alert and person; nothing for who is not in one."""
    found = await _all(con, LatestAnswer, SQL.answers, list(alerts), list(people))
    return {(a.alert_id, a.person_id): a for a in found}


async def branch(con: Any, person_id: int) -> Branch | None:
    """A warden's or alternate's branch; None for anyone else."""
    first = await con.fetchrow(SQL.branch, person_id)
    if first is None:
        return None
    return Branch(first["node"], first["label"], await con.fetchval(SQL.branch_size, person_id))


async def operator(con: Any, operator_id: int) -> Operator | None:
    """A live operator."""
    return await _one(con, Operator, SQL.operator, operator_id)


async def operators(con: Any) -> list[Operator]:
    """The live operators by name."""
    return await _all(con, Operator, SQL.operators)


async def enrolment(con: Any, enrolment_id: UUID) -> Enrolment | None:
    """An enrolment, locked until the transaction ends."""
    return await _one(con, Enrolment, SQL.enrolment, enrolment_id)


async def enrolment_by_code(con: Any, code_sha256: bytes) -> CodeFound | None:
    """The enrolment of a code, locked until the transaction ends."""
    return await _one(con, CodeFound, SQL.enrolment_by_code, code_sha256)


async def area_id(con: Any, code: str) -> int | None:
    """An area's id."""
    if not rules.storable(code):
        return None
    found: int | None = await con.fetchval(SQL.area_by_code, code)
    return found


async def audit(con: Any, actor: str, action: str, subject: str, **detail: Any) -> None:
    """Records an act in its own transaction. `detail` holds no personal datum."""
    text = msgspec.json.encode(detail).decode()
    await con.execute(SQL.audit, actor, action, subject, text)
