"""Whom a report is about, in what capacity it is made, and whether a good code says so.

A code is verified here again, whatever a phone said of it: without a good one a report is no `qr`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from server.auth import Authenticator, Principal
from server.clock import corrected
from server.db import Database
from server.errors import Problem, refuse_field
from server.people import store as people
from server.people.reporters import Resolved, resolve_reporters
from server.relocation.codes import keys, rules
from server.relocation.codes.keys import SQL
from server.relocation.codes.rules import Named
from server.relocation.messages import StageIn

NO_CODE = "It is not good: forged, revoked, or of somebody else. Name the person, if you know her."
OWN = frozenset({"self", "family"})


class About(msgspec.Struct, frozen=True):
    """Whom a report is about, and in what capacity it is made. `scanned`: a code of hers that was
    good then was shown to somebody else."""

    person_id: int
    ref: str
    capacity: str
    scanned: bool = False


class _Scanned(msgspec.Struct, frozen=True):
    person_id: int
    ref: str


class _Looked(msgspec.Struct, frozen=True):
    """Of each item: whom its code stands for, if it is good; and who is named by it, where it comes
    from a checker of its movement."""

    scanned: list[_Scanned | None]
    named: list[_Scanned | None]


async def about(
    db: Database, auth: Authenticator, who: Principal, items: Sequence[StageIn]
) -> list[About | Problem]:
    """Whom each report is about, or why it may not be."""
    looked = None
    if any(i.code is not None for i in items):
        looked = await _look(db, who, items)
    scanned = looked.scanned if looked else [None] * len(items)
    refs = [i.for_ or (s.ref if s else None) for i, s in zip(items, scanned, strict=True)]
    found = await _resolved(db, auth, who, refs)
    if looked is None and who.person_id is not None and any(map(_may_check, found)):
        looked = await _look(db, who, items)
    named = looked.named if looked else [None] * len(items)
    return [_one(who, *each) for each in zip(items, refs, found, scanned, named, strict=True)]


async def _resolved(
    db: Database, auth: Authenticator, who: Principal, refs: Sequence[str | None]
) -> list[Resolved | Problem]:
    """Whom some refs name: of a record that was merged meanwhile, the person who remains. A report
    of before must not be refused for it."""
    found = await resolve_reporters(db, auth, who, refs)
    lost = {r for r, f in zip(refs, found, strict=True) if r and isinstance(f, Problem)}
    if not lost:
        return found
    async with db.transaction(who.operation_id, lane="report") as con:
        now = dict(await con.fetch(SQL.renamed, sorted(lost)))
    if not now:
        return found
    return await resolve_reporters(db, auth, who, [now.get(r, r) if r else r for r in refs])


def _may_check(found: Resolved | Problem) -> bool:
    """Whether a report is about nobody of the caller's own: it may be a checker's."""
    return isinstance(found, Problem) or found[1] not in OWN


def _one(
    who: Principal,
    item: StageIn,
    ref: str | None,
    found: Resolved | Problem,
    scanned: _Scanned | None,
    named: _Scanned | None,
) -> About | Problem:
    if item.code is not None and ref is None:
        return refuse_field("code", NO_CODE, code="code_invalid")
    if named is not None and (_may_check(found) or scanned is not None):
        return About(named.person_id, named.ref, "checker", scanned is not None)
    if isinstance(found, Problem):
        return found
    person_id, capacity = found
    return About(
        person_id,
        ref or who.person_ref or "",
        capacity,
        scanned is not None and capacity not in OWN,
    )


async def _look(db: Database, who: Principal, items: Sequence[StageIn]) -> _Looked:
    """Verifies codes, and finds whether the caller checks the movements named."""
    async with db.transaction(who.operation_id, lane="report") as con:
        now = await con.fetchval(SQL.clock)
        scanned = await _scanned(con, items, now)
        office = await _office(con, who, items)
        checks = [_checks(office, item, now) for item in items]
        refs = {i.for_ for i, own in zip(items, checks, strict=True) if own and i.for_}
        known = await _by_ref(con, refs) if refs else {}
    named = [
        _named(item, found, known) if own else None
        for item, found, own in zip(items, scanned, checks, strict=True)
    ]
    return _Looked(scanned, named)


async def _by_ref(con: Any, refs: set[str]) -> dict[str, people.PersonKey]:
    """People by the refs they have, or had before they were merged."""
    known = await people.people_by_ref(con, sorted(refs))
    lost = sorted(refs - known.keys())
    now = dict(await con.fetch(SQL.renamed, lost)) if lost else {}
    remain = await people.people_by_ref(con, sorted(now.values())) if now else {}
    return known | {ref: remain[own] for ref, own in now.items() if own in remain}


def _named(
    item: StageIn, scanned: _Scanned | None, known: Mapping[str, people.PersonKey]
) -> _Scanned | None:
    """Whom a checker's report is about: named by ref, or by a good code alone."""
    if item.for_ is None:
        return scanned
    person = known.get(item.for_)
    return None if person is None else _Scanned(person.person_id, item.for_)


async def _scanned(con: Any, items: Sequence[StageIn], now: datetime) -> list[_Scanned | None]:
    """Whom each code stands for: signed by this operation, issued, and not revoked when scanned."""
    if not any(i.code for i in items):
        return [None] * len(items)
    public = keys.loaded(await keys.public(con))
    said = await asyncio.to_thread(lambda: [_read(i.code, public) for i in items])
    named = [s for s in said if s is not None]
    handles, counters = [s.handle for s in named], [s.counter for s in named]
    rows = await con.fetch(SQL.spoken_for, handles, counters)
    known = {(r["handle"], r["counter"]): r for r in rows}
    return [_good(i, s, known, now) for i, s in zip(items, said, strict=True)]


def _read(code: str | None, public: Mapping[int, rules.PublicKey]) -> Named | None:
    return None if code is None else rules.read(code, public)


def _good(
    item: StageIn, said: Named | None, known: Mapping[tuple[bytes, int], Any], now: datetime
) -> _Scanned | None:
    row = None if said is None else known.get((said.handle, said.counter))
    if row is None or item.for_ not in (None, row["ref"], row["now"]):
        return None
    at = corrected(item.at, item.sent_at, now)
    if row["revoked_at"] is not None and row["revoked_at"] <= at:
        return None
    return _Scanned(row["person_id"], row["ref"])


async def _office(
    con: Any, who: Principal, items: Sequence[StageIn]
) -> dict[UUID, datetime | None]:
    """The movements the caller checks or checked, and until when."""
    if who.person_id is None:
        return {}
    movements = list({i.movement for i in items})
    rows = await con.fetch(SQL.checks, who.person_id, movements)
    return {r["movement_id"]: r["ended_at"] for r in rows}


def _checks(office: Mapping[UUID, datetime | None], item: StageIn, now: datetime) -> bool:
    """Whether she checked it when she made the report: one of before she was relieved that comes
    later is a checker's all the same."""
    if item.movement not in office:
        return False
    ended_at = office[item.movement]
    return ended_at is None or corrected(item.at, item.sent_at, now) < ended_at
