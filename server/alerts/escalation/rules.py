"""When which step is due, and which branch opens next. Pure.

Times are seconds after a branch opened (in a broadcast: after the alert did). A null step is
never taken. Nothing here waits for a person for ever: every branch opens in the end.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, Meta, UnsetType

from server.errors import refuse_field

Act = Literal["unsent", "channels", "call_down", "alternate", "up", "open_branch"]
DESK = 0  # the node of those whom no node of the tree answers for
WEEK_S = 7 * 86400
UNSENT_AFTER = timedelta(seconds=30)  # a provider that has taken nothing by then is passed by
UNSENT_AGAIN = timedelta(seconds=15)
Wait = Annotated[int, Meta(ge=0, le=WEEK_S)]
WallTime = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class Quiet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Wall time of the operation's zone between which nobody is called about the silent."""

    from_: WallTime = msgspec.field(name="from")
    until: WallTime


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The steps towards the silent.

    channels_after_s: the next channels (text, e-mail) besides push; 0: all at once.
    warden_after_s: the warden gets her call-down list. alternate_after_s: the alternates, one
    after another. up_after_s: the node above, at the top the duty desk. answer_s: how long a
    warden has in a cascade before her branch opens without her.
    """

    channels_after_s: Wait | None
    warden_after_s: Wait | None
    alternate_after_s: Wait | None
    up_after_s: Wait | None
    answer_s: Annotated[int, Meta(ge=10, le=86400)]
    quiet: Quiet | None = None


class PolicyChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What an alert wants otherwise than the operation's policy for its severity."""

    channels_after_s: Wait | UnsetType | None = UNSET
    warden_after_s: Wait | UnsetType | None = UNSET
    alternate_after_s: Wait | UnsetType | None = UNSET
    up_after_s: Wait | UnsetType | None = UNSET
    answer_s: Annotated[int, Meta(ge=10, le=86400)] | UnsetType = UNSET
    quiet: Quiet | UnsetType | None = UNSET


DEFAULTS: Mapping[str, Policy] = {
    "life_safety": Policy(0, 120, 300, 600, 120),
    "urgent": Policy(300, 600, 1200, 1800, 300),
    "routine": Policy(3600, 7200, 14400, 21600, 1800, Quiet("21:00", "07:00")),
}
_ORDER = ("channels_after_s", "warden_after_s", "alternate_after_s", "up_after_s")


class Node(msgspec.Struct, frozen=True):
    """A node of the tree as the alert saw it. `leaders`: the warden, then the alternates; `able`:
    those of them who can be told now. `people`: of the population, directly in this node."""

    node_id: int
    parent_id: int | None
    people: int
    state: str
    leaders: tuple[int, ...] = ()
    able: frozenset[int] = frozenset()
    answer_s: int | None = None
    charge: int | None = None
    passed_to: int | None = None

    @property
    def told(self) -> frozenset[int]:
        """The leaders who have had their turn."""
        return frozenset() if self.charge is None else frozenset(self.leaders[: self.charge + 1])

    def speaker(self, told: frozenset[int]) -> int | None:
        """Who of its leaders is told about others' silent: whoever is in charge, else the first
        who can be told; not who was told already."""
        if self.charge is not None and self.leaders[self.charge] in self.able - told:
            return self.leaders[self.charge]
        return next((p for p in self.leaders if p in self.able and p not in told), None)

    def next_leader(self) -> int | None:
        """The place among the leaders of whoever is to be told next; None: nobody is left."""
        first = 0 if self.charge is None else self.charge + 1
        places = range(first, len(self.leaders))
        return next((n for n in places if self.leaders[n] in self.able), None)


class Step(msgspec.Struct, frozen=True):
    """Something to be done about a node at a time."""

    act: Act
    node_id: int
    due_at: datetime


class Turn(msgspec.Struct, frozen=True):
    """How a cascade goes on at a node: asked, opened (why), or skipped (why)."""

    node_id: int
    does: Literal["ask", "open", "skip"]
    why: str | None = None


def changed(policy: Policy, change: PolicyChange | None) -> Policy:
    """The policy with an alert's own wishes. Raises BadInput where steps would run backwards.

    Only for a new alert: it keeps what this gives, for a policy changed later must not stop it.
    """
    made = policy
    if change is not None:
        wanted: dict[str, Any] = {
            name: value
            for name in PolicyChange.__struct_fields__
            if (value := getattr(change, name)) is not UNSET
        }
        made = msgspec.structs.replace(policy, **wanted)
    check(made, "escalation")
    return made


def check(policy: Policy, path: str) -> None:
    """Raises BadInput, naming the field, where a later step would come before an earlier one."""
    last, before = 0, ""
    for name in _ORDER:
        value: int | None = getattr(policy, name)
        if value is None:
            continue
        if value < last:
            field = f"{path}.{name}" if path else name
            raise refuse_field(field, f"Give at least {last}: {before} comes first.")
        last, before = value, name


def steps(policy: Policy, kind: str, node: Node, opened: datetime, zone: str) -> list[Step]:
    """What is due about a node whose branch opened. An advisory asks nobody for an answer, so
    nobody is chased for one: only the next channel follows."""
    waits: list[tuple[Act, int | None]] = [("channels", policy.channels_after_s or None)]
    if kind != "advisory" and node.node_id == DESK:
        waits.append(("up", policy.warden_after_s))
    elif kind != "advisory":
        waits += [
            ("call_down", policy.warden_after_s),
            ("alternate", policy.alternate_after_s if len(node.leaders) > 1 else None),
            ("up", policy.up_after_s),
        ]
    return [
        Step(act, node.node_id, after_quiet(opened + timedelta(seconds=wait), policy.quiet, zone))
        for act, wait in waits
        if wait is not None and node.people > 0
    ]


def unsent(policy: Policy, opened: datetime) -> list[Step]:
    """When it is first looked at whose messages did not get out. Not where the alert wants no
    other channel, or all went by all of them at once."""
    if not policy.channels_after_s:
        return []
    wait = min(UNSENT_AFTER, timedelta(seconds=policy.channels_after_s))
    return [Step("unsent", DESK, opened + wait)]


def after_quiet(due: datetime, quiet: Quiet | None, zone: str) -> datetime:
    """The time itself, or the end of the quiet hours it falls into, on the operation's clock.

    Wall time is meant: on a night the clocks change the hours are as long as that night is.
    """
    if quiet is None or quiet.from_ == quiet.until:
        return due
    there = ZoneInfo(zone)
    local = due.astimezone(there)
    start, end = time.fromisoformat(quiet.from_), time.fromisoformat(quiet.until)
    now = local.time().replace(tzinfo=None)
    inside = start <= now < end if start < end else now >= start or now < end
    if not inside:
        return due
    day = local.date() + timedelta(days=1 if now >= end else 0)
    ends = datetime.combine(day, end, there).astimezone(due.tzinfo)
    return max(due, ends)


def next_alternate(policy: Policy, node: Node, now: datetime, zone: str) -> datetime | None:
    """When the alternate after the one just told is due; None if there is none. They share the
    time until the branch is passed up."""
    if node.next_leader() is None:
        return None
    wait = max(60, _room(policy) // max(1, len(node.leaders) - 1))
    return after_quiet(now + timedelta(seconds=wait), policy.quiet, zone)


def next_up(policy: Policy, now: datetime, zone: str) -> datetime:
    """When the silent are passed one node further up."""
    return after_quiet(now + timedelta(seconds=max(60, _room(policy))), policy.quiet, zone)


def _room(policy: Policy) -> int:
    told, up = policy.alternate_after_s, policy.up_after_s
    return 300 if told is None or up is None else up - told


def begin(nodes: Iterable[Node], mode: str) -> list[Turn]:
    """The first turns: in a broadcast all branches open, in a cascade the tops are asked."""
    every = list(nodes)
    if mode == "broadcast":
        return [Turn(n.node_id, "open", "broadcast") for n in every]
    known = {n.node_id for n in every}
    tops = [n for n in every if n.parent_id not in known]
    turns: list[Turn] = []
    _unlock(tops, _children(every), turns)
    return turns


def opened(nodes: Iterable[Node], node_ids: Sequence[int]) -> list[Turn]:
    """What follows below branches that have opened: their children are asked, or open too."""
    below = _children(nodes)
    turns: list[Turn] = []
    for node_id in node_ids:
        _unlock(below.get(node_id, []), below, turns)
    return turns


def _unlock(nodes: Sequence[Node], below: Mapping[int, list[Node]], turns: list[Turn]) -> None:
    waiting = [n for n in nodes if n.state == "waiting"]
    while waiting:
        node = waiting.pop()
        if node.node_id == DESK:
            turns.append(Turn(DESK, "open", "nobody on the tree answers for them"))
        elif node.next_leader() is not None:
            turns.append(Turn(node.node_id, "ask"))
        else:
            turns.append(_unled(node))
            waiting += [n for n in below.get(node.node_id, []) if n.state == "waiting"]


def _unled(node: Node) -> Turn:
    if node.people == 0:
        return Turn(node.node_id, "skip", "nobody is in it, and nobody leads it")
    why = "nobody who leads it can be told" if node.leaders else "nobody leads it"
    return Turn(node.node_id, "open", why)


def _children(nodes: Iterable[Node]) -> dict[int, list[Node]]:
    below: dict[int, list[Node]] = {}
    for node in nodes:
        if node.parent_id is not None:
            below.setdefault(node.parent_id, []).append(node)
    return below


def above(nodes: Mapping[int, Node], node: Node) -> tuple[Node, int] | None:
    """The nearest node above those told so far with a leader who can be told and was not told of
    these silent yet, and that leader; None: the duty desk is next."""
    told, seen = node.told, {node.node_id}
    at, reached = _parent(nodes, node), node.passed_to is None
    while at is not None and at.node_id not in seen:
        leader = at.speaker(told)
        if reached and leader is not None:
            return at, leader
        if leader is not None:
            told |= {leader}
        reached = reached or at.node_id == node.passed_to
        seen.add(at.node_id)
        at = _parent(nodes, at)
    return None


def _parent(nodes: Mapping[int, Node], node: Node) -> Node | None:
    return None if node.parent_id is None else nodes.get(node.parent_id)
