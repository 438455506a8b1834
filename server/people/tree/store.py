"""Rows of the tree as frozen structs. Every function takes the connection of a transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from server.db import named_sql
from server.people.tree.rules import FRESH_S
from server.stream import Draft

SQL = named_sql(__file__)


class TreeNode(msgspec.Struct, frozen=True):
    """A node of the communication tree, its people as refs. `answer_s`: seconds its warden has
    in a cascade, null: the policy's."""

    node: str
    parent: str | None
    label: str
    area: str | None
    warden: str | None
    alternates: list[str]
    members: list[str]
    answer_s: int | None = None


class Placed(msgspec.Struct, frozen=True):
    """A node with its ids."""

    node_id: int
    area_id: int | None
    face: TreeNode


class Area(msgspec.Struct, frozen=True):
    """An area's id, code and parent."""

    area_id: int
    code: str
    parent_id: int | None


class Heard(msgspec.Struct, frozen=True):
    """A warden or alternate, whatever her node: see rules.Staff. `there`: an area's id."""

    ref: str
    name: str
    heard_at: datetime | None
    fresh: bool
    number: bool
    gone: bool
    there: int | None


class Version(msgspec.Struct, frozen=True):
    """One version of the tree: when, by whom and why it was made, and how many nodes it has."""

    version: int
    made_at: datetime
    made_by: str
    reason: str
    nodes: int


async def nodes(con: Any) -> list[Placed]:
    """The whole tree, by node."""
    return [_placed(dict(row)) for row in await con.fetch(SQL.nodes)]


def _placed(row: dict[str, Any]) -> Placed:
    node_id, area_id = row.pop("node_id"), row.pop("area_id")
    return Placed(node_id, area_id, TreeNode(**row))


async def below(con: Any, node_ids: Sequence[int]) -> set[int]:
    """The ids of some nodes and all below."""
    return {r["node_id"] for r in await con.fetch(SQL.below, list(node_ids))}


async def areas(con: Any) -> list[Area]:
    """All areas."""
    return [Area(*row) for row in await con.fetch(SQL.areas)]


async def staff(con: Any) -> dict[str, Heard]:
    """Wardens and alternates by ref."""
    return {r["ref"]: Heard(**dict(r)) for r in await con.fetch(SQL.staff, float(FRESH_S))}


async def people(con: Any) -> tuple[dict[int, int], list[tuple[str, int]]]:
    """How many people each node answers for, by its id; and who has no node: ref and area id."""
    counts: dict[int, int] = {}
    orphans: list[tuple[str, int]] = []
    for row in await con.fetch(SQL.people):
        if row["node_id"] is None:
            orphans = list(zip(row["refs"], row["areas"], strict=True))
        else:
            counts[row["node_id"]] = row["people"]
    return counts, orphans


async def head(con: Any) -> int:
    """The number of the newest version, 0 where none was kept."""
    return int(await con.fetchval(SQL.head))


async def keep(con: Any, actor: str, reason: str) -> int:
    """Makes a version of the tree as it is. The caller holds the roster and tells the stream."""
    faces = [n.face for n in await nodes(con)]
    text = msgspec.json.encode(faces).decode()
    return int(await con.fetchval(SQL.add_version, actor, reason, text))


async def version(con: Any, number: int) -> list[TreeNode] | None:
    """The tree as it was, by node; None where there is no such version."""
    text = await con.fetchval(SQL.version, number)
    return None if text is None else msgspec.json.decode(text, type=list[TreeNode])


async def versions(con: Any, before: int | None, most: int) -> list[Version]:
    """Versions, newest first."""
    return [Version(**dict(row)) for row in await con.fetch(SQL.versions, before, most)]


def draft(number: int) -> Draft:
    """The event of a new version."""
    return Draft("tree", {"version": number})
