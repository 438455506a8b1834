"""A tree's health: read in one snapshot, judged by `rules`, cut to what the caller sees."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from server.auth import Principal, Scope
from server.db import Database
from server.people.tree import rules, store
from server.people.tree.messages import NodeHealth, TreeHealth
from server.people.tree.rules import Facts, Issue, Staff
from server.people.tree.store import Heard, Placed


class Checked(msgspec.Struct, frozen=True):
    """The tree with all that is known of it now. By node: facts, issues, score."""

    version: int
    nodes: list[Placed]
    facts: dict[str, Facts]
    issues: dict[str, list[Issue]]
    scores: dict[str, int]
    orphans: list[tuple[str, int]]


async def check(con: Any) -> Checked:
    """The whole tree, judged. One snapshot, five reads, none of them a node's."""
    nodes = await store.nodes(con)
    counts, orphans = await store.people(con)
    staff = await store.staff(con)
    inside = _Inside(await store.areas(con))
    facts = [_facts(n, counts.get(n.node_id, 0), staff, inside) for n in nodes]
    issues = rules.issues(facts)
    return Checked(
        version=await store.head(con),
        nodes=nodes,
        facts={f.node: f for f in facts},
        issues=issues,
        scores={node: rules.node_score(own) for node, own in issues.items()},
        orphans=orphans,
    )


async def in_sight(con: Any, scope: Scope, nodes: Sequence[Placed]) -> list[Placed]:
    """The nodes a caller sees: a warden's branch, those of an operator's areas, or all."""
    if scope.nodes is not None:
        own = await store.below(con, scope.nodes)
        return [n for n in nodes if n.node_id in own]
    if scope.areas is not None:
        areas = set(scope.areas)
        return [n for n in nodes if n.area_id in areas]
    return list(nodes)


async def health(db: Database, who: Principal, scope: Scope) -> TreeHealth:
    """What is wrong with the caller's part of the tree, the weightiest first."""
    async with db.transaction(who.operation_id, snapshot=True) as con:
        tree = await check(con)
        nodes = await in_sight(con, scope, tree.nodes)
    orphans = _orphans(tree, scope)
    shown = [
        NodeHealth(
            n.face.node, n.face.label, tree.facts[n.face.node].people, tree.scores[n.face.node]
        )
        for n in nodes
    ]
    found = [i for n in nodes for i in tree.issues[n.face.node]]
    if orphans:
        found.append(rules.issue("orphans", None, orphans))
    order = {"critical": 0, "serious": 1, "minor": 2}
    return TreeHealth(
        as_of=datetime.now(UTC),
        version=tree.version,
        score=rules.tree_score([(n.people, n.score) for n in shown], len(orphans or [])),
        people=sum(n.people for n in shown) + len(orphans or []),
        orphans=None if orphans is None else len(orphans),
        nodes=shown,
        issues=sorted(found, key=lambda i: (order[i.severity], -rules.weight(i.kind), i.kind)),
    )


def _orphans(tree: Checked, scope: Scope) -> list[str] | None:
    """A warden sees none: they are in nobody's branch."""
    if scope.people is not None:
        return None
    return [ref for ref, area in tree.orphans if scope.areas is None or area in scope.areas]


class _Inside:
    """Whether one area lies in another."""

    def __init__(self, areas: Iterable[store.Area]) -> None:
        self._parents = {a.area_id: a.parent_id for a in areas}

    def __call__(self, area: int | None, within: int) -> bool:
        seen = set()
        while area is not None and area not in seen:
            if area == within:
                return True
            seen.add(area)
            area = self._parents.get(area)
        return False


def _facts(n: Placed, people: int, staff: Mapping[str, Heard], inside: _Inside) -> Facts:
    def known(ref: str) -> Staff:
        heard = staff[ref]
        elsewhere = heard.there is None or (
            n.area_id is not None and not inside(heard.there, n.area_id)
        )
        away = heard.gone and elsewhere
        return Staff(ref, heard.name, heard.fresh, heard.heard_at, heard.number, away)

    face = n.face
    return Facts(
        node=face.node,
        parent=face.parent,
        warden=None if face.warden is None else known(face.warden),
        alternates=[known(ref) for ref in face.alternates],
        members=face.members,
        people=people,
    )
