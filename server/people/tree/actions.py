"""Changing the tree: one function a verb, one transaction each, a version for each change."""

from collections.abc import Collection
from typing import Any

from server import stream
from server.auth import Principal, Scope
from server.db import Database, confirm, retried
from server.errors import BadInput, Clash, FieldError, Forbidden, NotFound, refuse_field
from server.people import store as people
from server.people.roster import rows, settle, tables
from server.people.roster import store as roster
from server.people.roster.links import Known
from server.people.roster.report import Refusal
from server.people.roster.rows import Checked, NodeRow
from server.people.roster.settle import Settled
from server.people.tree import store
from server.people.tree.messages import NodeChanged, NodeIn
from server.people.tree.store import Placed, TreeNode

NO_NODE = "There is no such node among those you may change."


@retried
async def put(
    db: Database, who: Principal, scope: Scope, node: str, wish: NodeIn
) -> tuple[NodeChanged, bool]:
    """Makes a node, or makes it what `wish` says; True where it is new.

    A node that is so already stays, whatever version was seen: a repeat is safe. Raises BadInput
    naming every field, Clash (`tree_changed`) where the tree has changed since it was seen,
    NotFound for a node outside the caller's areas.
    """
    async with db.transaction(who.operation_id) as con:
        await con.execute(people.SQL.hold_roster)
        nodes = {n.face.node: n for n in await store.nodes(con)}
        checked = _checked(node, wish)
        row: NodeRow = checked.rows[0]
        had = nodes.get(row.node)
        head = await store.head(con)
        if had is not None and _sees(scope, had) and had.face == _face(row, wish):
            await confirm(con)
            return NodeChanged(head, had.face), False
        _check_seen(wish.version, head)
        _check_scope(scope, had, row, nodes)
        settled = await _settled(con, checked, scope, had, nodes)
        await roster.write(con, settled, {}, lambda _: None)
        await con.execute(store.SQL.set_answer_s, row.node, wish.answer_s)
        version = await _keep(con, who, "tree.put", row.node, wish.reason)
    return NodeChanged(version, _face(row, wish)), had is None


@retried
async def remove(db: Database, who: Principal, scope: Scope, node: str, seen: int) -> int:
    """Removes a node; those below it hang below its parent. The tree's new version.

    Raises NotFound where there is none in the caller's areas, Clash (`tree_changed`).
    """
    async with db.transaction(who.operation_id) as con:
        await con.execute(people.SQL.hold_roster)
        had = {n.face.node: n for n in await store.nodes(con)}.get(node)
        if had is None or not _sees(scope, had):
            raise NotFound(NO_NODE)
        _check_seen(seen, await store.head(con))
        await con.execute(store.SQL.lift_children, node)
        await con.execute(store.SQL.remove_node, node)
        return await _keep(con, who, "tree.remove", node, f"{node} removed")


async def _keep(con: Any, who: Principal, act: str, node: str, reason: str) -> int:
    """Version, audit and event: the last words of a transaction that changed the tree."""
    version = await store.keep(con, who.actor, reason)
    await people.audit(con, who.actor, act, node, version=version)
    await stream.append(con, [store.draft(version)])
    return version


def _checked(node: str, wish: NodeIn) -> Checked:
    """The wish under the rules of tree.csv. Raises BadInput."""
    named = [";".join(refs) for refs in (wish.alternates, wish.members)]
    values = [node, wish.parent, wish.label, wish.area, wish.warden, *named]
    row = (1, [value or "" for value in values])
    checked = rows.check(tables.Table(tables.TREE, "", frozenset(), [row], []), "", lambda *_: None)
    _refuse(checked.refused)
    return checked


def _check_seen(seen: int, head: int) -> None:
    if seen != head:
        raise Clash(
            f"The tree is at version {head} by now, you have seen {seen}. Read it again, then"
            " make your change to what it is.",
            code="tree_changed",
        )


def _sees(scope: Scope, node: Placed) -> bool:
    return scope.areas is None or node.area_id in scope.areas


def _check_scope(scope: Scope, had: Placed | None, row: NodeRow, nodes: dict[str, Placed]) -> None:
    """An operator of some areas changes the nodes of these, below nodes of these."""
    if scope.people is not None:
        raise Forbidden("Only admins and operators change the tree.")
    if had is not None and not _sees(scope, had):
        raise NotFound(NO_NODE)
    if scope.areas is None:
        return
    if not row.area:
        raise refuse_field("area", "Name an area of yours.")
    parent = nodes.get(row.parent)
    kept = had is not None and (had.face.parent or "") == row.parent
    if not kept and (parent is None or not _sees(scope, parent)):
        raise refuse_field("parent", "Name a node of your areas as parent.")


async def _settled(
    con: Any, checked: Checked, scope: Scope, had: Placed | None, nodes: dict[str, Placed]
) -> Settled:
    """The row against the record, as far as the caller sees it. Raises BadInput."""
    row: NodeRow = checked.rows[0]
    areas = await store.areas(con)
    mine = {a.code for a in areas if scope.areas is None or a.area_id in scope.areas}
    known = Known(
        areas={a.code: None for a in areas if a.code in mine},
        nodes={name: n.face.parent for name, n in nodes.items()},
        people=await _known_people(con, row, mine, set() if had is None else _named(had.face)),
        agencies=[],
    )
    settled = settle.settle({tables.TREE: checked}, known, partial=False)
    _refuse(settled.refused)
    return settled


async def _known_people(
    con: Any, row: NodeRow, areas: Collection[str], before: Collection[str]
) -> dict[str, Any]:
    """Those of the roster in these areas, and who was named in the node before."""
    refs = sorted({row.warden, *row.alternates, *row.members} - {""})
    found = await roster.known_people(con, refs)
    return {
        ref: person
        for ref, person in found.items()
        if person.kind == "roster" and (person.area in areas or ref in before)
    }


def _named(face: TreeNode) -> set[str]:
    return {ref for ref in (face.warden, *face.alternates, *face.members) if ref is not None}


def _face(row: NodeRow, wish: NodeIn) -> TreeNode:
    return TreeNode(
        node=row.node,
        parent=row.parent or None,
        label=row.label,
        area=row.area or None,
        warden=row.warden or None,
        alternates=list(row.alternates),
        members=sorted(row.members),
        answer_s=wish.answer_s,
    )


def _refuse(refused: list[Refusal]) -> None:
    """Raises BadInput if anything was refused, a field each."""
    wrong = [
        FieldError(r.column, f"{r.reason[:1].upper()}{r.reason[1:]}. {r.remedy}") for r in refused
    ]
    if wrong:
        raise BadInput("Correct the fields named in errors and send it again.", errors=wrong)
