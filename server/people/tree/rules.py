"""What is wrong with a tree before any crisis, and how much that weighs. Pure.

A node's score is 100 less the weight of the worst issue about its warden, less that of the worst
about its alternates, less those of its other issues. The tree's is the mean over its people of
their nodes' scores; who has no node counts 0. So mending anything never lowers a score, and
naming somebody is never worse than naming nobody.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from server.people.roster.links import circles

FRESH_S = 24 * 3600
MANY_NODES = 3  # more than these are too many for one warden
DEEPEST = 6  # levels an answer can be expected to climb
NAMED = 100  # refs an issue lists; `count` has them all

Severity = Literal["critical", "serious", "minor"]
Kind = Literal[
    "orphans",
    "cycle",
    "no_warden",
    "nobody_here",
    "warden_unreachable",
    "warden_away",
    "warden_not_fresh",
    "warden_no_number",
    "no_alternate",
    "alternate_unreachable",
    "alternate_not_fresh",
    "alternate_no_number",
    "warden_of_many",
    "member_twice",
    "too_deep",
    "empty",
]
_WARDEN: dict[str, int] = {
    "no_warden": 60,
    "nobody_here": 50,
    "warden_unreachable": 40,
    "warden_away": 15,
    "warden_not_fresh": 15,
    "warden_no_number": 5,
}
_ALTERNATES: dict[str, int] = {
    "no_alternate": 20,
    "alternate_unreachable": 15,
    "alternate_not_fresh": 10,
    "alternate_no_number": 5,
}
_OTHER: dict[str, int] = {
    "cycle": 100,
    "warden_of_many": 10,
    "member_twice": 10,
    "too_deep": 5,
    "empty": 5,
}
_CRITICAL = frozenset({"orphans", "cycle", "no_warden", "nobody_here", "warden_unreachable"})
_MINOR = frozenset({"warden_no_number", "alternate_no_number", "too_deep", "empty"})
_REMEDIES: dict[str, str] = {
    "orphans": "Put their area under a node, or name them as members of one.",
    "cycle": "Give one of these nodes another parent: each is above itself.",
    "no_warden": "Name a warden.",
    "nobody_here": "Everybody who answers for it is away. Name an alternate who is there.",
    "warden_unreachable": "Enrol her phone again, and put a number on record.",
    "warden_away": "Tell the first alternate that she acts now.",
    "warden_not_fresh": "Her phone has been silent for a day, or there is none: have her open it.",
    "warden_no_number": "Put a number on record: a phone without network still rings.",
    "no_alternate": "Name an alternate for when the warden does not answer.",
    "alternate_unreachable": "Enrol a phone for each, or put a number on record.",
    "alternate_not_fresh": "Their phones have been silent for a day: have them opened.",
    "alternate_no_number": "Put a number on record for each.",
    "warden_of_many": "Nobody calls so many zones. Name other wardens for some.",
    "member_twice": "Name each in one node: two wardens will each wait for the other.",
    "too_deep": "Hang it higher: every level costs an answer time.",
    "empty": "Nobody belongs to it. Remove it, or give it an area or members.",
}


class Staff(msgspec.Struct, frozen=True):
    """A warden or alternate of a node as she can be reached now.

    `fresh`: a phone of hers can be woken and was heard within a day. `number`: one is on record.
    `away`: she is expected outside the node's area.
    """

    ref: str
    name: str
    fresh: bool
    heard_at: datetime | None
    number: bool
    away: bool

    @property
    def reachable(self) -> bool:
        """Whether there is any way to her."""
        return self.fresh or self.number


class Facts(msgspec.Struct, frozen=True):
    """A node with what is known of those who answer for it. `people`: directly in it."""

    node: str
    parent: str | None
    warden: Staff | None
    alternates: list[Staff]
    members: list[str]
    people: int


class Issue(msgspec.Struct, frozen=True):
    """Something to mend. `node` is null for orphans; `refs`: whom it is about, 100 at most, of
    `count`."""

    kind: Kind
    node: str | None
    severity: Severity
    refs: list[str]
    count: int
    remedy: str


def issue(kind: Kind, node: str | None, refs: Iterable[str] = ()) -> Issue:
    """An issue with its severity and remedy."""
    who = list(refs)
    severity: Severity = "serious"
    if kind in _CRITICAL:
        severity = "critical"
    elif kind in _MINOR:
        severity = "minor"
    return Issue(kind, node, severity, who[:NAMED], len(who), _REMEDIES[kind])


def issues(nodes: Sequence[Facts]) -> dict[str, list[Issue]]:
    """What is wrong with each node, the weightiest first."""
    wards = Counter(n.warden.ref for n in nodes if n.warden is not None)
    named = Counter(ref for n in nodes for ref in n.members)
    parents = {n.node: n.parent for n in nodes}
    above = set(parents.values())
    rings = {node: ring for ring in circles(parents) for node in ring}
    depths = _depths(parents, rings.keys())
    found: dict[str, list[Issue]] = {}
    for n in nodes:
        own = [*_of_warden(n), *_of_alternates(n)]
        if n.node in rings:
            own.append(issue("cycle", n.node))
        if n.warden is not None and wards[n.warden.ref] > MANY_NODES:
            own.append(issue("warden_of_many", n.node, [n.warden.ref]))
        twice = sorted(ref for ref in n.members if named[ref] > 1)
        if twice:
            own.append(issue("member_twice", n.node, twice))
        if depths.get(n.node, 0) > DEEPEST:
            own.append(issue("too_deep", n.node))
        if not n.people and n.node not in above:
            own.append(issue("empty", n.node))
        found[n.node] = sorted(own, key=lambda i: (-weight(i.kind), i.kind))
    return found


def weight(kind: str) -> int:
    """How much an issue takes from its node's score; orphans take from the tree's alone."""
    return _WARDEN.get(kind) or _ALTERNATES.get(kind) or _OTHER.get(kind) or 0


def node_score(own: Iterable[Issue]) -> int:
    """0 to 100 for one node."""
    kinds = {i.kind for i in own}
    worst = [max((g[k] for k in kinds if k in g), default=0) for g in (_WARDEN, _ALTERNATES)]
    return max(0, 100 - sum(worst) - sum(_OTHER.get(k, 0) for k in kinds))


def tree_score(nodes: Iterable[tuple[int, int]], orphans: int) -> int | None:
    """From people and score of each node: 0 to 100, rounded down; None where there is nobody."""
    weighed = list(nodes)
    people = sum(p for p, _ in weighed) + orphans
    return sum(p * score for p, score in weighed) // people if people else None


def _of_warden(n: Facts) -> list[Issue]:
    who = n.warden
    if who is None:
        return [issue("no_warden", n.node)]
    found = []
    if who.away:
        gone = all(a.away for a in n.alternates)
        refs = [who.ref, *(a.ref for a in n.alternates if gone)]
        found.append(issue("nobody_here" if gone else "warden_away", n.node, refs))
    if not who.reachable:
        found.append(issue("warden_unreachable", n.node, [who.ref]))
    elif not who.fresh:
        found.append(issue("warden_not_fresh", n.node, [who.ref]))
    elif not who.number:
        found.append(issue("warden_no_number", n.node, [who.ref]))
    return found


def _of_alternates(n: Facts) -> list[Issue]:
    if not n.alternates:
        return [issue("no_alternate", n.node)]
    lost = [a.ref for a in n.alternates if not a.reachable]
    stale = [a.ref for a in n.alternates if a.number and not a.fresh]
    mute = [a.ref for a in n.alternates if a.fresh and not a.number]
    kinds: list[tuple[Kind, list[str]]] = [
        ("alternate_unreachable", lost),
        ("alternate_not_fresh", stale),
        ("alternate_no_number", mute),
    ]
    return [issue(kind, n.node, refs) for kind, refs in kinds if refs]


def _depths(parents: Mapping[str, str | None], rings: Iterable[str]) -> dict[str, int]:
    """Levels from the top, 1 for a root; none for what hangs in a circle."""
    below: dict[str | None, list[str]] = {}
    ringed = set(rings)
    for node, parent in parents.items():
        if node not in ringed:
            below.setdefault(parent if parent in parents else None, []).append(node)
    found: dict[str, int] = {}
    level, depth = below.get(None, []), 1
    while level:
        found.update(dict.fromkeys(level, depth))
        level, depth = [c for node in level for c in below.get(node, [])], depth + 1
    return found
