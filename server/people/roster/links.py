"""Which rows name which others, what is on record to be named, and circles of them. Pure."""

from collections.abc import Iterator, Mapping

import msgspec

from server.people.roster.rows import AreaRow, NodeRow, PersonRow, PresenceRow, Row
from server.people.roster.tables import AREAS, PEOPLE, TREE


class KnownPerson(msgspec.Struct, frozen=True):
    """A person on record. `phones`: her numbers by rank."""

    category: str
    sponsor: str | None
    area: str
    agency: str
    kind: str
    phones: dict[int, str]


class Known(msgspec.Struct, frozen=True):
    """What is on record: parents by code and node, people by ref, agencies as spelled, keys of
    imported presences that are not over."""

    areas: dict[str, str | None]
    nodes: dict[str, str | None]
    people: dict[str, KnownPerson]
    agencies: list[str]
    presences: list[str] = []


class Reference(msgspec.Struct, frozen=True):
    """A cell that names another row."""

    column: str
    kind: str
    key: str


def references(row: Row) -> Iterator[Reference]:
    """The cells of a row that name other rows."""
    if isinstance(row, AreaRow):
        if row.parent:
            yield Reference("parent", AREAS, row.parent)
    elif isinstance(row, PersonRow):
        if row.area:
            yield Reference("area", AREAS, row.area)
        if row.family_of:
            yield Reference("family_of", PEOPLE, row.family_of)
    elif isinstance(row, PresenceRow):
        yield Reference("ref", PEOPLE, row.ref)
        if row.area:
            yield Reference("area", AREAS, row.area)
    else:
        yield from _node_references(row)


def _node_references(row: NodeRow) -> Iterator[Reference]:
    if row.parent:
        yield Reference("parent", TREE, row.parent)
    if row.area:
        yield Reference("area", AREAS, row.area)
    if row.warden:
        yield Reference("warden", PEOPLE, row.warden)
    for ref in row.alternates:
        yield Reference("alternates", PEOPLE, ref)
    for ref in row.members:
        yield Reference("members", PEOPLE, ref)


def circles(parents: Mapping[str, str | None]) -> list[list[str]]:
    """The circles of a forest of parents that is none, each once. Linear."""
    seen: dict[str, int] = {}
    found: list[list[str]] = []
    for walk, start in enumerate(parents):
        path: list[str] = []
        at: str | None = start
        while at is not None and at in parents and at not in seen:
            seen[at] = walk
            path.append(at)
            at = parents[at]
        if at is not None and seen.get(at) == walk:
            found.append(path[path.index(at) :])
    return found
