"""Reading a call-down list, as of one moment and never outside the caller's branch."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from server.alerts.branch import store
from server.alerts.branch.messages import (
    BranchAlert,
    BranchList,
    BranchNode,
    BranchPerson,
    BranchQuery,
)
from server.alerts.branch.store import SQL
from server.auth import Principal, Scope
from server.db import Database
from server.errors import Forbidden
from server.paging import page
from server.people.messages import AreaName, PersonName
from server.people.presence import store as presence

PATH = "/v1/self/branch"


async def branch(
    db: Database, who: Principal, scope: Scope, query: BranchQuery, texted: Sequence[str]
) -> BranchList:
    """A page of a warden's people, in the order to call. Raises Forbidden for anyone else."""
    if scope.nodes is None or scope.people is None:
        raise Forbidden("Only a warden or an alternate of the communication tree has a branch.")
    people = sorted(scope.people)
    async with db.transaction(who.operation_id, snapshot=True) as con:
        alerts = [_alert(row) for row in await con.fetch(SQL.alerts, people)]
        calls = [a for a in alerts if a.kind == "rollcall"]
        actual, exercises = [[a.id for a in calls if a.exercise is e] for e in (False, True)]
        after = query.after(int, str, int)
        rows = await con.fetch(SQL.people, people, actual, exercises, *after, query.limit + 1)
        own = await presence.areas_of_nodes(con, scope.nodes)
        faces = await _faces(con, rows, [a.id for a in alerts], own, texted)
        nodes = [BranchNode(*row) for row in await con.fetch(SQL.nodes, list(scope.nodes))]
        as_of = await con.fetchval(SQL.clock)
    shown = page(
        PATH, query, rows, lambda r: (r["turn"], r["name"], r["person_id"]),
        lambda r: faces[r["person_id"]],
    )  # fmt: skip
    return BranchList(as_of, nodes, alerts, len(people), shown.items, shown.next)


def _alert(row: Any) -> BranchAlert:
    return BranchAlert(
        id=row["alert_id"],
        kind=row["kind"],
        severity=row["severity"],
        title=row["title"],
        exercise=row["exercise"],
        opened_at=row["opened_at"],
        people=row["people"],
        silent=row["silent"],
    )


async def _faces(
    con: Any,
    rows: Sequence[Any],
    alerts: Sequence[UUID],
    own: Collection[int],
    texted: Sequence[str],
) -> dict[int, BranchPerson]:
    """The rows with all that is known, in as many reads whatever their number."""
    ids = [row["person_id"] for row in rows]
    phones = await store.phones(con, ids)
    standing = await store.standing(con, alerts, ids)
    known = await store.known(con, ids, texted)
    found = {}
    for row in rows:
        key = row["person_id"]
        more, away = known[key], row["gone"] and row["there"] not in own
        age = more["position_age_s"]
        found[key] = BranchPerson(
            ref=row["ref"],
            name=row["name"],
            category=row["category"],
            area=AreaName(row["area_code"], row["area_name"]),
            agency=row["agency"],
            sponsor=PersonName(row["sponsor"], row["sponsor_name"]) if row["sponsor"] else None,
            expected="elsewhere" if away else "here",
            reach=more["reach"],
            phones=phones[key],
            devices=more["devices"],
            heard_at=more["heard_at"],
            answered_at=more["answered_at"],
            position_age_s=None if age is None else max(0.0, round(age, 1)),
            alerts=standing[key],
        )
    return found
