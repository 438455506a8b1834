"""Taking the steps of an alert: one transaction a turn, by the database's clock.

A turn reads what is due, does it, and times the next turn; all of it commits together, so a
worker that dies leaves either the whole turn or none of it. Steps act on those who are silent
at that moment: an answer, or a warden's report in someone's name, has stopped them by itself.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from server import mailing, stream
from server.alerts import store as alert_store
from server.alerts.deliveries import store as deliveries
from server.alerts.escalation import rules, store
from server.alerts.escalation.rules import DESK, Node, Policy, Step, Turn
from server.alerts.escalation.store import SQL, Look, Setting
from server.auth import Principal
from server.db import Database, retried
from server.people.store import audit

SHUT = ("waiting", "asked")  # branches that may still be opened


class Pass:
    """One turn under way: an alert's nodes, what goes by, and what is to be said in the end."""

    def __init__(
        self,
        con: Any,
        alert_id: UUID,
        goes_by: Setting,
        nodes: dict[int, Node],
        now: datetime,
        texted: Sequence[str],
    ) -> None:
        self.con, self.alert_id, self.goes_by, self.nodes = con, alert_id, goes_by, nodes
        self.now, self.texted = now, texted
        self.lane = goes_by.lane
        self.told: defaultdict[str, set[int]] = defaultdict(set)
        self.changed, self.to_desk = False, False

    async def begin(self) -> None:
        """The first turn: opens or asks, and plans what follows."""
        cascade = self.goes_by.mode == "cascade"
        turns = rules.begin(self.nodes.values(), self.goes_by.mode)
        await self._take(turns, deliver=cascade)
        args = (self.goes_by.policy, self.now)
        await store.put_steps(self.con, self.alert_id, rules.unsent(*args))
        self.changed = cascade  # that a broadcast opens all branches is no news
        await self.read_again()

    async def read_again(self) -> None:
        """The nodes as they are by now."""
        self.nodes = await store.nodes(self.con, self.alert_id, self.texted)

    async def go_on(self, opened: Sequence[int], why: str, *, acknowledged: bool) -> None:
        """Opens branches whose leaders answered or did not, and goes on below them."""
        first = [Turn(n, "open", why) for n in opened if self.nodes[n].state in SHUT]
        await self._take(first, deliver=True, acknowledged=acknowledged)
        for turn in first:
            await self._end("open_branch", turn.node_id, "done", f"opened: {why}")
        below = rules.opened(self.nodes.values(), [t.node_id for t in first])
        await self._take(below, deliver=True)

    async def _take(
        self, turns: Sequence[Turn], *, deliver: bool, acknowledged: bool = False
    ) -> None:
        by_kind: defaultdict[tuple[str, str | None], list[int]] = defaultdict(list)
        for turn in turns:
            by_kind[turn.does, turn.why].append(turn.node_id)
        for (does, why), node_ids in by_kind.items():
            self.changed = True
            if does == "ask":
                await self._ask(node_ids)
                continue
            state = "open" if does == "open" else "skipped"
            args = (self.alert_id, node_ids, state, why, acknowledged)
            await self.con.execute(SQL.open_nodes, *args)
            await self._opened(node_ids, deliver=deliver)

    async def _ask(self, node_ids: Sequence[int]) -> None:
        due: list[Step] = []
        for node_id in node_ids:
            node = self.nodes[node_id]
            place = node.next_leader()
            assert place is not None  # noqa: S101 - only such nodes are asked
            await self.con.execute(SQL.ask, self.alert_id, node_id, place)
            self.told["ask"].add(node.leaders[place])
            wait = node.answer_s or self.goes_by.policy.answer_s
            due.append(Step("open_branch", node_id, self.now + timedelta(seconds=wait)))
        await store.put_steps(self.con, self.alert_id, due)

    async def _opened(self, node_ids: Sequence[int], *, deliver: bool) -> None:
        policy, zone, kind = self.goes_by.policy, self.goes_by.zone, self.goes_by.kind
        severity_lane = (self.goes_by.severity, self.lane)
        due: list[Step] = []
        for node_id in node_ids:
            node = self.nodes[node_id]
            due += rules.steps(policy, kind, node, self.now, zone)
            if deliver and node.people > 0 and node_id != DESK:  # the desk's own had it at once
                rows = await self.con.fetch(SQL.people_of_node, self.alert_id, node_id)
                people = [r[0] for r in rows]
                await deliveries.queue(self.con, self.alert_id, severity_lane, self.texted, people)
        await store.put_steps(self.con, self.alert_id, due)

    async def take_due(self) -> None:
        """Takes what is due, and what that makes due at once, so that nobody is told twice."""
        for _ in range(3):  # a step that finds nobody to tell hastens the next one
            due = await self.con.fetch(SQL.due_steps, self.alert_id)
            if not due:
                break
            silent = await store.silent(self.con, self.alert_id)
            for act, node_id in due:
                await self.step(act, node_id, silent.get(node_id, 0))

    async def step(self, act: str, node_id: int, silent: int) -> None:
        """Takes one step that is due; it ends, or is timed anew."""
        if act == "unsent":
            await self._unsent()
            return
        node = self.nodes[node_id]
        if act == "open_branch":
            await self._unanswered(node)
        elif silent == 0:
            await self._end(act, node_id, "stopped", "nobody is silent")
        elif act == "channels":
            await self._channels(node)
        elif act == "up":
            await self._up(node)
        else:
            await self._charge(act, node)

    async def _unanswered(self, node: Node) -> None:
        """A leader's time is over: the branch opens without her, and the next one is told."""
        if node.state != "asked":
            await self._end("open_branch", node.node_id, "stopped", "the branch is open")
            return
        place = node.next_leader()
        why = "no answer in time; no alternate can be told"
        if place is not None:
            why = "no answer in time; the alternate was told"
            await self.con.execute(SQL.charge, self.alert_id, node.node_id, place)
            self.told["ask"].add(node.leaders[place])
        await self.go_on([node.node_id], why, acknowledged=False)

    async def _unsent(self) -> None:
        """Texts whom push does not get out to; looked at again while any push still waits."""
        waiting = await self.con.fetchval(SQL.pushes_waiting, self.alert_id)  # before who is unsent
        people = [r[0] for r in await self.con.fetch(SQL.unsent, self.alert_id)]
        args = (self.con, self.alert_id, self.lane, self.texted, people)
        self.changed |= await deliveries.next_channels(*args) > 0
        if waiting or any(n.state in SHUT for n in self.nodes.values()):
            again = [Step("unsent", DESK, self.now + rules.UNSENT_AGAIN)]
            await store.put_steps(self.con, self.alert_id, again)
            return
        await self._end("unsent", DESK, "done", "every push has got out, or has failed")

    async def _channels(self, node: Node) -> None:
        everybody = self.goes_by.kind != "advisory"
        args = (self.alert_id, node.node_id, everybody)
        people = [r[0] for r in await self.con.fetch(SQL.silent_people, *args)]
        sent = await deliveries.next_channels(
            self.con, self.alert_id, self.lane, self.texted, people
        )
        await self._end("channels", node.node_id, "done", f"{sent} messages to {len(people)}")

    async def _charge(self, act: str, node: Node) -> None:
        """The warden, or the next alternate, gets the list. Who can't be told is passed over."""
        first = act == "call_down"
        if first and node.charge is not None and node.leaders[node.charge] in node.able:
            place: int | None = node.charge  # whoever answered for the branch in the cascade
        else:
            place = node.next_leader()
        if place is None:
            await self._end(act, node.node_id, "done", "nobody who leads it can be told")
            await self.con.execute(SQL.hasten, self.alert_id, "up", node.node_id, self.now)
            return
        await self.con.execute(SQL.charge, self.alert_id, node.node_id, place)
        self.nodes[node.node_id] = msgspec.structs.replace(node, charge=place)
        self.told["chase"].add(node.leaders[place])
        after = None if first else self._next_alternate(node.node_id)
        if after is not None:
            again = [Step("alternate", node.node_id, after)]
            await store.put_steps(self.con, self.alert_id, again)
            return
        told = "the warden was told" if place == 0 else f"alternate {place} was told"
        await self._end(act, node.node_id, "done", told)

    def _next_alternate(self, node_id: int) -> datetime | None:
        policy, zone = self.goes_by.policy, self.goes_by.zone
        return rules.next_alternate(policy, self.nodes[node_id], self.now, zone)

    async def _up(self, node: Node) -> None:
        """One node further up, as long as people stay silent, until the duty desk has them."""
        found = None if node.node_id == DESK else rules.above(self.nodes, node)
        if found is None:
            self.to_desk = True
            await self.con.execute(SQL.pass_up, self.alert_id, node.node_id, None)
            await self._end("up", node.node_id, "done", "passed to the duty desk")
            return
        boss, leader = found
        self.told["chase"].add(leader)
        self.changed = True
        await self.con.execute(SQL.pass_up, self.alert_id, node.node_id, boss.node_id)
        policy, zone = self.goes_by.policy, self.goes_by.zone
        again = [Step("up", node.node_id, rules.next_up(policy, self.now, zone))]
        await store.put_steps(self.con, self.alert_id, again)

    async def _end(self, act: str, node_id: int, state: str, result: str) -> None:
        self.changed = True
        await self.con.execute(SQL.end_step, self.alert_id, act, node_id, state, result)

    async def finish(self, operation_id: int) -> None:
        """Queues the words to leaders, times the next turn, and tells the consoles."""
        for purpose, persons in self.told.items():
            args = (self.alert_id, persons, purpose, self.lane, self.texted)
            await store.tell(self.con, *args)
        if self.to_desk and mailing.DESK in self.texted:
            await deliveries.queue_duty(self.con, self.alert_id, self.lane, None, None)
        look = await store.look(self.con, self.alert_id)
        await _time_next(self.con, operation_id, self.alert_id, self.lane, look)
        if self.changed:
            await stream.append(self.con, [alert_store.alert_draft(self.alert_id)])


async def enqueue(
    con: Any, operation_id: int, alert_id: UUID, lane: int, due_at: datetime | None = None
) -> None:
    """Times the next turn of an alert."""
    await alert_store.enqueue(con, operation_id, "alert.escalate", alert_id, due_at, lane)


async def _time_next(con: Any, operation_id: int, alert_id: UUID, lane: int, look: Look) -> None:
    if look.next_at is not None:
        await enqueue(con, operation_id, alert_id, lane, look.next_at)


async def _pass(con: Any, alert_id: UUID, goes_by: Setting, texted: Sequence[str]) -> Pass | None:
    """An alert with its nodes, begun; None: it has nobody to ask for."""
    nodes = await store.nodes(con, alert_id, texted)
    now: datetime = await con.fetchval(SQL.clock)
    own = Pass(con, alert_id, goes_by, nodes, now, texted)
    if nodes and all(n.state == "waiting" for n in nodes.values()):
        await own.begin()
    return own if nodes else None


@retried
async def turn(db: Database, operation_id: int, alert_id: UUID, texted: Sequence[str] = ()) -> None:
    """Does what is due about an alert, and times the next turn. May be repeated at any time."""
    async with db.transaction(operation_id) as con:
        goes_by = await store.setting(con, alert_id)
        if goes_by is None:
            return
        look = await store.look(con, alert_id)
        if look.idle:  # most turns while a warden is asked
            await _time_next(con, operation_id, alert_id, goes_by.lane, look)
            return
        own = await _pass(con, alert_id, goes_by, texted)
        if own is None:
            return
        answered = (await store.look(con, alert_id)).answered
        if answered:
            await own.go_on(answered, "answered", acknowledged=True)
            await own.read_again()
        await own.take_due()
        await own.finish(operation_id)


@retried
async def open_branches(
    db: Database,
    operation_id: int,
    alert_id: UUID,
    node_ids: Sequence[int],
    texted: Sequence[str],
    *,
    desk: bool = False,
) -> list[int]:
    """Opens branches that are shut at once; which did open. `desk`: the duty desk said so, which is
    no word of their leaders."""
    async with db.transaction(operation_id) as con:
        goes_by = await store.setting(con, alert_id)
        if goes_by is None:
            return []
        own = await _pass(con, alert_id, goes_by, texted)
        if own is None:
            return []
        asked = [n for n in node_ids if n in own.nodes and own.nodes[n].state in SHUT]
        why = "opened by the duty desk" if desk else "answered"
        await own.go_on(asked, why, acknowledged=not desk)
        await own.finish(operation_id)
        return asked


@retried
async def set_policy(db: Database, who: Principal, severity: str, policy: Policy | None) -> None:
    """Sets the operation's policy for a severity; None goes back to the default."""
    async with db.transaction(who.operation_id) as con:
        if policy is None:
            await con.execute(SQL.drop_policy, severity)
        else:
            text = msgspec.json.encode(policy).decode()
            await con.execute(SQL.put_policy, severity, text, who.actor)
        detail = None if policy is None else msgspec.to_builtins(policy)
        await audit(con, who.actor, "policy.set", severity, policy=detail)


async def include(con: Any, operation_id: int, alert_id: UUID, person_id: int) -> None:
    """Somebody was added to an open alert: she is chased like all others, counted from now."""
    goes_by = await store.setting(con, alert_id)
    if goes_by is None:
        return
    node = await store.include(con, alert_id, person_id)
    if node.state not in SHUT:  # one that is shut plans its steps when it opens
        now: datetime = await con.fetchval(SQL.clock)
        steps = rules.steps(goes_by.policy, goes_by.kind, node, now, goes_by.zone)
        await store.put_steps(con, alert_id, steps, again=True)
    await _time_next(con, operation_id, alert_id, goes_by.lane, await store.look(con, alert_id))
