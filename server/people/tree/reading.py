"""Reading the tree: as it is, with how it stands, or as an old version has it."""

from collections.abc import Iterator
from typing import Any

import msgspec

from server.auth import Principal, Scope
from server.db import Database
from server.errors import Forbidden, NotFound
from server.paging import Page, page
from server.people.tree import health, store
from server.people.tree.health import Checked
from server.people.tree.messages import (
    StaffOut,
    TreeNodeOut,
    TreePage,
    TreeQuery,
    VersionsQuery,
)
from server.people.tree.rules import Facts
from server.people.tree.store import TreeNode, Version


async def tree(db: Database, who: Principal, scope: Scope, query: TreeQuery) -> TreePage:
    """A page by node: a warden's branch, the nodes of an operator's areas, or all.

    An old version is for callers who see the whole operation. Raises NotFound for others, and
    where there is none.
    """
    async with db.transaction(who.operation_id, snapshot=True) as con:
        if query.version is None:
            number, nodes = await _live(con, scope)
        else:
            number, nodes = query.version, await _old(con, scope, query.version)
    (after,) = query.after(str)
    rest = [n for n in nodes if after is None or n.node > after][: query.limit + 1]
    shown = page("/v1/tree", query, rest, lambda n: [n.node], lambda n: n)
    return TreePage(shown.items, shown.next, version=number)


async def versions(
    db: Database, who: Principal, scope: Scope, query: VersionsQuery
) -> Page[Version]:
    """Versions, newest first. Raises Forbidden for who sees a part of the operation only."""
    if not scope.whole:
        raise Forbidden("Versions hold the whole tree: ask an operator of all areas.")
    (before,) = query.after(int)
    if before is not None and not 0 < before < 2**31:
        before = 0
    async with db.transaction(who.operation_id) as con:
        found = await store.versions(con, before, query.limit + 1)
    return page("/v1/tree/versions", query, found, lambda v: [v.version], lambda v: v)


async def _live(con: Any, scope: Scope) -> tuple[int, list[TreeNodeOut]]:
    checked = await health.check(con)
    seen = await health.in_sight(con, scope, checked.nodes)
    return checked.version, [_out(n.face, checked) for n in seen]


async def _old(con: Any, scope: Scope, number: int) -> list[TreeNodeOut]:
    nodes = await store.version(con, number) if scope.whole else None
    if nodes is None:
        raise NotFound("There is no such version among those you may see.")
    return [TreeNodeOut(**msgspec.structs.asdict(n)) for n in nodes]


def _out(face: TreeNode, checked: Checked) -> TreeNodeOut:
    facts = checked.facts[face.node]
    return TreeNodeOut(
        **msgspec.structs.asdict(face),
        people=facts.people,
        staff=list(_staff(facts)),
        issues=checked.issues[face.node],
        score=checked.scores[face.node],
    )


def _staff(facts: Facts) -> Iterator[StaffOut]:
    if facts.warden is not None:
        yield StaffOut(role="warden", **msgspec.structs.asdict(facts.warden))
    for alternate in facts.alternates:
        yield StaffOut(role="alternate", **msgspec.structs.asdict(alternate))
