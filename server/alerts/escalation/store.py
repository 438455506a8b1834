"""Rows of the tree as an alert saw it, and of its steps."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from server.alerts import rules as alerts
from server.alerts.escalation import rules
from server.alerts.escalation.rules import Node, Policy, PolicyChange, Step
from server.db import named_sql

SQL = named_sql(__file__)
LOOK_AGAIN = timedelta(seconds=1)  # while a warden is asked: her answer is looked for


class Setting(msgspec.Struct, frozen=True):
    """What an alert's steps go by."""

    severity: str
    kind: str
    mode: str
    policy: Policy
    zone: str

    @property
    def lane(self) -> int:
        """In which its turns wait, and what they send."""
        return alerts.SEVERITY_LANE[self.severity]


class Look(msgspec.Struct, frozen=True):
    """What an alert's next turn depends on, `now`. `answered`: the asked nodes that may open;
    `due_at`: when the next step is due."""

    now: datetime
    begun: bool
    answered: list[int]
    asked: bool
    due_at: datetime | None

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do yet."""
        return self.begun and not self.answered and (self.due_at is None or self.due_at > self.now)

    @property
    def next_at(self) -> datetime | None:
        """When the next turn is; None: nothing is to come."""
        if not self.begun:
            return self.now
        soon = self.now + LOOK_AGAIN if self.asked else None
        return min((t for t in (self.due_at, soon) if t is not None), default=None)


async def policy_of(con: Any, severity: str) -> tuple[Policy, str]:
    """The operation's policy for a severity, and its time zone."""
    zone, own = await con.fetchrow(SQL.settings, severity)
    return (rules.DEFAULTS[severity] if own is None else _policy(own)), zone


async def setting(con: Any, alert_id: UUID) -> Setting | None:
    """What the steps of an open alert go by, its row held until the commit; None: it isn't open."""
    row = await con.fetchrow(SQL.alert, alert_id)
    if row is None:
        return None
    kept = row["policy"]
    policy = rules.DEFAULTS[row["severity"]] if kept is None else _policy(kept)
    return Setting(**{**row, "policy": policy})


async def look(con: Any, alert_id: UUID) -> Look:
    """What the next turn of an alert depends on. Its row is held: see `setting`."""
    return Look(**await con.fetchrow(SQL.look, alert_id))


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
    return {r["node_id"]: _node(r, able.intersection(led[r["node_id"]])) for r in rows}


async def include(con: Any, alert_id: UUID, person_id: int) -> Node:
    """Counts somebody who came later into her node; the node, without who can be told."""
    return _node(await con.fetchrow(SQL.include, alert_id, person_id), frozenset())


def _node(row: Any, able: frozenset[int]) -> Node:
    return Node(
        node_id=row["node_id"],
        parent_id=row["parent_id"],
        people=row["people"],
        state=row["state"],
        leaders=_leaders(row),
        able=able,
        answer_s=row["answer_s"],
        charge=row["charge"],
        passed_to=row["passed_to"],
    )


def _leaders(row: Any) -> tuple[int, ...]:
    warden = () if row["warden_id"] is None else (row["warden_id"],)
    return (*warden, *(a for a in row["alternates"] if a != row["warden_id"]))


async def silent(con: Any, alert_id: UUID) -> Mapping[int, int]:
    """How many are silent, by node."""
    return {r["node_id"]: r["people"] for r in await con.fetch(SQL.silent, alert_id)}


async def put_steps(
    con: Any, alert_id: UUID, steps: Iterable[Step], *, again: bool = False
) -> None:
    """Writes steps to be taken. `again`: for who came later; what had ended begins again."""
    columns = list(zip(*((s.act, s.node_id, s.due_at) for s in steps), strict=True))
    if columns:
        sql = SQL.begin_again if again else SQL.put_steps
        await con.execute(sql, alert_id, *map(list, columns))


async def tell(
    con: Any, alert_id: UUID, persons: Iterable[int], purpose: str, lane: int, texted: Sequence[str]
) -> None:
    """Queues a word to some leaders, by all their ways at once."""
    wanted = sorted(set(persons))
    if wanted:
        await con.execute(SQL.tell, alert_id, wanted, lane, purpose, list(texted))
