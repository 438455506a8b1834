"""What goes over the wire for the tree."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from server.paging import Page, PageQuery
from server.people.messages import Ref, Text, WideQuery
from server.people.tree.rules import Issue
from server.people.tree.store import TreeNode, Version

# `;` separates refs in files, so none may hold it.
Named = Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern="^[^;]*$")]
Seen = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]


class StaffOut(msgspec.Struct, frozen=True):
    """Who answers for a node, and how she can be reached. `fresh`: a phone of hers can be woken
    and was heard within a day; `away`: she is expected outside the node's area now."""

    ref: str
    name: str
    role: Literal["warden", "alternate"]
    fresh: bool
    heard_at: datetime | None
    number: bool
    away: bool


class TreeNodeOut(TreeNode, frozen=True, kw_only=True):
    """A node and how it stands. What is of now is null in an old version.

    `people`: those it answers for directly; `score`: 0 to 100.
    """

    people: int | None = None
    staff: list[StaffOut] | None = None
    issues: list[Issue] | None = None
    score: int | None = None


class TreePage(Page[TreeNodeOut], frozen=True, kw_only=True):
    """A page of one version of the tree. 0: none was kept yet."""

    version: int


class TreeQuery(WideQuery, frozen=True, kw_only=True):
    """`version`: an old one; left out, the tree as it is."""

    version: Seen | None = None


class VersionsPage(Page[Version], frozen=True):
    """A page of versions, newest first."""


class VersionsQuery(PageQuery, frozen=True, kw_only=True):
    """A page of versions."""


class SeenQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`version`: that of the tree the caller has seen."""

    version: Seen


class NodeIn(msgspec.Struct, frozen=True, kw_only=True):
    """A node as it shall be, whole. `version`: that of the tree the caller has seen; `reason`
    is kept with the new version."""

    label: Text
    reason: Text
    version: Seen
    parent: Ref | None = None
    area: Ref | None = None
    warden: Ref | None = None
    alternates: Annotated[list[Named], msgspec.Meta(max_length=20)] = []
    members: Annotated[list[Named], msgspec.Meta(max_length=20_000)] = []
    answer_s: Annotated[int, msgspec.Meta(ge=10, le=86_400)] | None = None


class NodeChanged(msgspec.Struct, frozen=True):
    """The node as it is on record, and the tree's version now."""

    version: int
    node: TreeNode


class TreeChanged(msgspec.Struct, frozen=True):
    """The tree's version after a node went."""

    version: int


class NodeHealth(msgspec.Struct, frozen=True):
    """One node in short."""

    node: str
    label: str
    people: int
    score: int


class TreeHealth(msgspec.Struct, frozen=True):
    """What to mend, as far as the caller sees the tree. `score` is null where there is nobody;
    `orphans`: people no node answers for, null for who does not see them."""

    as_of: datetime
    version: int
    score: int | None
    people: int
    orphans: int | None
    nodes: list[NodeHealth]
    issues: list[Issue]
