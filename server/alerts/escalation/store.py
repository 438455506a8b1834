"""Rows of the tree as an alert saw it, and of its steps."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from server.alerts.escalation import rules
from server.alerts.escalation.rules import Node, Policy, PolicyChange, Step
from server.db import named_sql

SQL = named_sql(__file__)


class Setting(msgspec.Struct, frozen=True):
    """What an alert's steps go by."""

    state: str
    severity: str
    kind: str
    mode: str
    policy: Policy
    zone: str


async def policy_of(con: Any, severity: str) -> tuple[Policy, str]:
    """The operation's policy for a severity, and its time zone."""
    zone, own = await con.fetchrow(SQL.settings, severity)
    return (rules.DEFAULTS[severity] if own is None else _policy(own)), zone


async def setting(con: Any, alert_id: UUID) -> Setting | None:
    """What the steps of an alert go by, its row held until the commit; None: no such alert."""
    row = await con.fetchrow(SQL.alert, alert_id)
    if row is None:
        return None
    policy, zone = await policy_of(con, row["severity"])
    return Setting(
        state=row["state"],
        severity=row["severity"],
        kind=row["kind"],
        mode=row["mode"],
        policy=policy if row["policy"] is None else _policy(row["policy"]),
        zone=zone,
    )


async def new_policy(con: Any, severity: str, change: PolicyChange | None) -> str:
    """What a new alert will go by, as JSON. Raises BadInput where its wishes run backwards."""
    policy, _ = await policy_of(con, severity)
    return msgspec.json.encode(rules.changed(policy, change)).decode()


async def kept_policy(con: Any, alert_id: UUID, severity: str) -> Policy:
    """What an alert goes by; the operation's own for one that older code has made."""
    kept = await con.fetchval(SQL.kept_policy, alert_id)
    return (await policy_of(con, severity))[0] if kept is None else _policy(kept)


def _policy(text: str) -> Policy:
    return msgspec.json.decode(text, type=Policy)


async def nodes(con: Any, alert_id: UUID, texted: Sequence[str]) -> dict[int, Node]:
    """The nodes of an alert by id, with who of their leaders can be told now."""
    rows = await con.fetch(SQL.nodes, alert_id)
    led = {r["node_id"]: _leaders(r) for r in rows}
    everybody = sorted({person for leaders in led.values() for person in leaders})
    found = await con.fetch(SQL.able, everybody, list(texted)) if everybody else []
    able = frozenset(r[0] for r in found)
    return {
        r["node_id"]: Node(
            node_id=r["node_id"],
            parent_id=r["parent_id"],
            people=r["people"],
            state=r["state"],
            leaders=led[r["node_id"]],
            able=able.intersection(led[r["node_id"]]),
            answer_s=r["answer_s"],
            charge=r["charge"],
            passed_to=r["passed_to"],
        )
        for r in rows
    }


def _leaders(row: Any) -> tuple[int, ...]:
    warden = () if row["warden_id"] is None else (row["warden_id"],)
    return (*warden, *(a for a in row["alternates"] if a != row["warden_id"]))


async def silent(con: Any, alert_id: UUID) -> Mapping[int, int]:
    """How many are silent, by node."""
    return {r["node_id"]: r["people"] for r in await con.fetch(SQL.silent, alert_id)}


async def put_steps(con: Any, alert_id: UUID, steps: Iterable[Step]) -> None:
    """Writes steps to be taken."""
    columns = list(zip(*((s.act, s.node_id, s.due_at) for s in steps), strict=True))
    if columns:
        await con.execute(SQL.put_steps, alert_id, *map(list, columns))


async def begin_again(con: Any, alert_id: UUID, steps: Iterable[Step]) -> None:
    """Writes steps for somebody who came later."""
    columns = list(zip(*((s.act, s.node_id, s.due_at) for s in steps), strict=True))
    if columns:
        await con.execute(SQL.begin_again, alert_id, *map(list, columns))


async def tell(
    con: Any, alert_id: UUID, persons: Iterable[int], purpose: str, lane: int, texted: Sequence[str]
) -> None:
    """Queues a word to some leaders, by all their ways at once."""
    wanted = sorted(set(persons))
    if wanted:
        await con.execute(SQL.tell, alert_id, wanted, lane, purpose, list(texted))
