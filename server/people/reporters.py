"""In whose name a caller may report: herself, her family, a warden's branch, a desk's scope."""

from collections.abc import Sequence

from server.auth import Authenticator, Principal, Scope
from server.db import Database
from server.errors import Forbidden, NotFound, Problem, refuse_field
from server.people import rules, store

Resolved = tuple[int, str]


async def resolve_reporter(
    db: Database, auth: Authenticator, who: Principal, for_ref: str | None
) -> Resolved:
    """The person a report is about, as (person_id, reporter); reporter is self, family, warden
    or operator.

    `for_ref` None is the caller herself. Raises NotFound where the caller may not report for
    that person or there is none, BadInput (`for`) where an operator names nobody.
    """
    (outcome,) = await resolve_reporters(db, auth, who, [for_ref])
    if isinstance(outcome, Problem):
        raise outcome
    return outcome


async def resolve_reporters(
    db: Database, auth: Authenticator, who: Principal, refs: Sequence[str | None]
) -> list[Resolved | Problem]:
    """The same for many at once, a refusal in place of each that is not allowed."""
    named = {r for r in refs if r is not None and r != who.person_ref}
    found = await _people(db, who, named) if named else {}
    scope = await _scope(auth, who) if found else None
    return [_outcome(who, scope, found, ref) for ref in refs]


async def _people(db: Database, who: Principal, refs: set[str]) -> dict[str, store.PersonKey]:
    async with db.transaction(who.operation_id, lane="report") as con:
        return await store.people_by_ref(con, sorted(refs))


async def _scope(auth: Authenticator, who: Principal) -> Scope | None:
    """The caller's scope; None for a device whose person is no warden."""
    try:
        return await auth.scope(who)
    except Forbidden:
        return None


def _outcome(
    who: Principal, scope: Scope | None, found: dict[str, store.PersonKey], ref: str | None
) -> Resolved | Problem:
    if ref is None or ref == who.person_ref:
        if who.person_id is None:
            return refuse_field("for", "Name the person by ref.")
        return who.person_id, "self"
    person = found.get(ref)
    capacity = None if person is None else _capacity(who, scope, person)
    if person is None or capacity is None:
        return NotFound("There is no such person among those you may report for.")
    return person.person_id, capacity


def _capacity(who: Principal, scope: Scope | None, person: store.PersonKey) -> str | None:
    seen = scope is not None and scope.sees(person.person_id, person.area_id)
    if who.kind != "device" and who.role != "warden":
        return "operator" if seen else None
    return rules.reporter_of(who.person_id, person.person_id, person.sponsor_id, seen)
