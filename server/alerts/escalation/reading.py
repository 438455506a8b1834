"""What callers see of a tree at work."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from server.alerts import store as alert_store
from server.alerts.escalation import rules, store
from server.alerts.escalation.messages import (
    CascadeOut,
    NextStep,
    NodeOut,
    PoliciesOut,
    PolicyOut,
    TakenOut,
)
from server.alerts.escalation.store import SQL
from server.alerts.store import Sight
from server.db import Database
from server.errors import NotFound
from server.people.headcount import Counts
from server.people.messages import PersonName

NO_ALERT = "There is no such alert."


async def cascade(db: Database, operation_id: int, sight: Sight, alert_id: UUID) -> CascadeOut:
    """The tree of an alert: nodes with people in the caller's sight, and those above them.

    Raises NotFound for an alert outside the caller's sight.
    """
    async with db.transaction(operation_id, snapshot=True) as con:
        alert = await alert_store.alert(con, alert_id)
        if alert is None or not await alert_store.sees(con, alert_id, sight):
            raise NotFound(NO_ALERT)
        policy = await store.kept_policy(con, alert_id, alert.severity)
        rows = await con.fetch(SQL.progress, alert_id, sight.areas, sight.people)
        shown = _in_sight(rows, sight)
        names = await _names(con, shown)
        taken = await con.fetch(SQL.taken, alert_id)
        as_of: datetime = await con.fetchval(SQL.clock)
    codes = {r["node_id"]: r["node"] for r in shown}
    told = {*codes.values(), ""} if len(shown) == len(rows) else set(codes.values())
    return CascadeOut(
        alert_id=alert_id,
        as_of=as_of,
        mode=alert.mode,  # type: ignore[arg-type]
        policy=policy,
        nodes=[_node(r, codes, names) for r in shown],
        taken=[TakenOut(**dict(r)) for r in taken if r["node"] in told],
    )


def _in_sight(rows: list[Any], sight: Sight) -> list[Any]:
    """All nodes for who sees all; else those with people in sight, and the nodes above these."""
    if sight.areas is None and sight.people is None:
        return rows
    by_id = {r["node_id"]: r for r in rows}
    kept: set[int] = set()
    for row in rows:
        at: int | None = row["node_id"] if row["people"] else None
        while at is not None and at in by_id and at not in kept:
            kept.add(at)
            at = by_id[at]["parent_id"]
    return [r for r in rows if r["node_id"] in kept]


async def _names(con: Any, rows: list[Any]) -> Mapping[int, PersonName]:
    wanted = {p for r in rows for p in (r["warden_id"], *r["alternates"]) if p is not None}
    found = await con.fetch(SQL.leaders, sorted(wanted))
    return {r["person_id"]: PersonName(r["ref"], r["name"]) for r in found}


def _node(row: Any, codes: Mapping[int, str], names: Mapping[int, PersonName]) -> NodeOut:
    led = [p for p in (row["warden_id"], *row["alternates"]) if p is not None]
    charge = row["charge"]
    in_charge = names.get(led[charge]) if charge is not None and charge < len(led) else None
    following = None
    if row["next_act"] is not None:
        following = NextStep(row["next_act"], row["next_at"])
    return NodeOut(
        node=row["node"],
        label=row["label"],
        parent=codes.get(row["parent_id"]),
        warden=names.get(row["warden_id"]),
        alternates=[names[p] for p in row["alternates"] if p in names],
        state=row["state"],
        state_why=row["state_why"],
        asked_at=row["asked_at"],
        acknowledged_at=row["acknowledged_at"],
        opened_at=row["opened_at"],
        in_charge=in_charge,
        charged_at=row["charged_at"],
        passed_up_at=row["passed_up_at"],
        desk_at=row["desk_at"],
        people=row["people"],
        counts=Counts(row["safe"], row["need_help"], row["away"], row["unaccounted"]),
        next=following,
    )


async def policies(db: Database, operation_id: int) -> PoliciesOut:
    """How the operation escalates, by severity."""
    found = {r["severity"]: r for r in await db.fetch(operation_id, SQL.policies)}
    return PoliciesOut([_policy(severity, found.get(severity)) for severity in rules.DEFAULTS])


def _policy(severity: str, row: Any) -> PolicyOut:
    if row is None:
        return PolicyOut(severity, False, rules.DEFAULTS[severity], None, None)  # type: ignore[arg-type]
    policy = msgspec.json.decode(row["policy"], type=rules.Policy)
    return PolicyOut(severity, True, policy, row["updated_at"], row["updated_by"])  # type: ignore[arg-type]
