"""The calls about cascades, acknowledgements and policies."""

from collections.abc import Sequence
from typing import Any

from server.alerts import store as alert_store
from server.alerts.actions import NO_ALERT, steerable
from server.alerts.escalation import actions, reading, rules
from server.alerts.escalation.messages import CascadeOut, OpenedOut, PoliciesOut, PolicyOut
from server.alerts.escalation.rules import DEFAULTS, Policy
from server.alerts.escalation.store import SQL
from server.alerts.store import Sight
from server.db import Database
from server.errors import NotFound
from server.people.store import audit
from server.web import Call, Endpoint, Reply

ONE = "/v1/alerts/{alert_id}"
POLICY = "/v1/policies/{severity}"


class Cascades:
    """The handlers, over one database. `texted`: prefixes of numbers an SMS route serves."""

    def __init__(self, database: Database, texted: Sequence[str]) -> None:
        self._db = database
        self._texted = texted

    async def _sight(self, call: Call) -> Sight:
        return alert_store.sight_of(call.me, await call.auth.scope(call.me))

    async def get(self, call: Call) -> Reply:
        """The tree of an alert at work."""
        sight, alert_id = await self._sight(call), call.uuid("alert_id")
        return Reply(200, await reading.cascade(self._db, call.me.operation_id, sight, alert_id))

    async def acknowledge(self, call: Call) -> Reply:
        """A warden takes up what she is asked: her branches open at once."""
        alert_id, person_id = call.uuid("alert_id"), call.me.person_id
        async with self._db.transaction(call.me.operation_id) as con:
            if not await alert_store.sees(con, alert_id, await self._sight(call)):
                raise NotFound(NO_ALERT)
            rows = await con.fetch(SQL.asked_of, alert_id, person_id)
        return await self._open(call, [r[0] for r in rows])

    async def open_node(self, call: Call) -> Reply:
        """The desk opens a branch that waits for its warden."""
        alert_id, scope = call.uuid("alert_id"), await call.auth.scope(call.me)
        async with self._db.transaction(call.me.operation_id) as con:
            await steerable(con, call.me, scope, alert_id)
            node_id = await con.fetchval(SQL.node_of, alert_id, call.path["node"])
            if node_id is None:
                raise NotFound("This alert has no such node.")
            await audit(
                con, call.me.actor, "alert.open_node", str(alert_id), node=call.path["node"]
            )
        return await self._open(call, [node_id], desk=True)

    async def _open(self, call: Call, node_ids: Sequence[int], *, desk: bool = False) -> Reply:
        alert_id, operation_id = call.uuid("alert_id"), call.me.operation_id
        args = (self._db, operation_id, alert_id, node_ids, self._texted)
        opened = await actions.open_branches(*args, desk=desk)
        rows = await self._db.fetch(operation_id, SQL.codes, alert_id, opened)
        return Reply(200, OpenedOut([r[0] for r in rows]))

    async def policies(self, call: Call) -> Reply:
        """How the operation escalates, by severity."""
        return Reply(200, await reading.policies(self._db, call.me.operation_id))

    async def put_policy(self, call: Call) -> Reply:
        """Sets how alerts of a severity escalate from now on."""
        severity = _severity(call)
        rules.check(call.body, "")
        await actions.set_policy(self._db, call.me, severity, call.body)
        return await self._policy(call, severity)

    async def drop_policy(self, call: Call) -> Reply:
        """Goes back to the default."""
        severity = _severity(call)
        await actions.set_policy(self._db, call.me, severity, None)
        return await self._policy(call, severity)

    async def _policy(self, call: Call, severity: str) -> Reply:
        found = await reading.policies(self._db, call.me.operation_id)
        return Reply(200, next(p for p in found.items if p.severity == severity))


def _severity(call: Call) -> str:
    severity = call.path["severity"]
    if severity not in DEFAULTS:
        raise NotFound(f"There is no such severity: give one of {', '.join(DEFAULTS)}.")
    return severity


def endpoints(database: Database, texted: Sequence[str]) -> list[Endpoint]:
    """The calls of this room."""
    room = Cascades(database, texted)
    read, write = "policy.read", "policy.write"
    opened: dict[int, Any] = {200: OpenedOut}
    return [
        Endpoint(
            "GET",
            f"{ONE}/tree",
            room.get,
            "The tree of an alert at work: who is asked, who chases whom, what is next",
            "headcount.read",
            {200: CascadeOut},
        ),
        Endpoint(
            "POST",
            f"{ONE}/acknowledge",
            room.acknowledge,
            "A warden takes up what she is asked",
            "alert.acknowledge",
            opened,
        ),
        Endpoint(
            "POST",
            f"{ONE}/nodes/{{node}}/open",
            room.open_node,
            "Open a branch without waiting for its warden",
            "alert.steer",
            opened,
        ),
        Endpoint(
            "GET", "/v1/policies", room.policies, "How alerts escalate", read, {200: PoliciesOut}
        ),
        Endpoint(
            "PUT",
            POLICY,
            room.put_policy,
            "Set how alerts of a severity escalate",
            write,
            {200: PolicyOut},
            body=Policy,
        ),
        Endpoint(
            "DELETE",
            POLICY,
            room.drop_policy,
            "Go back to the default",
            write,
            {200: PolicyOut},
        ),
    ]
