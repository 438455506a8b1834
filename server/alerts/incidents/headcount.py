"""The headcount of an incident: the people of all its alerts, each once, read when asked."""

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from server.alerts.incidents import store
from server.alerts.incidents.actions import NO_INCIDENT
from server.alerts.incidents.store import SQL
from server.alerts.store import Sight
from server.db import Database
from server.errors import NotFound

STATUSES = ("safe", "need_help", "away", "unaccounted")


class IncidentCounts(msgspec.Struct, frozen=True):
    """People by status."""

    safe: int = 0
    need_help: int = 0
    away: int = 0
    unaccounted: int = 0


class IncidentGroup(msgspec.Struct, frozen=True):
    """One line of a grouping."""

    key: str
    label: str
    population: int
    counts: IncidentCounts


class IncidentGroups(msgspec.Struct, frozen=True):
    """The same people by area, by agency, by category."""

    area: list[IncidentGroup]
    agency: list[IncidentGroup]
    category: list[IncidentGroup]


class IncidentCell(msgspec.Struct, frozen=True):
    """How many people share area, agency, category and status."""

    area: str
    agency: str
    category: str
    status: str
    count: int


class IncidentSide(msgspec.Struct, frozen=True):
    """One side of the parity comparison; median_s null when infinite."""

    population: int
    answered: int
    share: float
    median_s: float | None


class IncidentGap(msgspec.Struct, frozen=True):
    """Local less international."""

    share: float | None
    median_s: float | None


class IncidentParity(msgspec.Struct, frozen=True):
    """Local against international staff, families with their sponsors; an empty side is null."""

    local: IncidentSide | None
    international: IncidentSide | None
    gap: IncidentGap | None


class IncidentHeadcount(msgspec.Struct, frozen=True):
    """Everybody once, with the latest answer in any alert of the incident."""

    incident_id: UUID
    seq: int
    as_of: datetime
    state: Literal["open", "closed"]
    population: int
    counts: IncidentCounts
    by: IncidentGroups
    cells: list[IncidentCell]
    parity: IncidentParity


async def headcount(
    db: Database, operation_id: int, sight: Sight, incident_id: UUID
) -> IncidentHeadcount:
    """The headcount as of one instant. Raises NotFound out of sight."""
    async with db.transaction(operation_id, snapshot=True) as con:
        if not await store.sees(con, incident_id, sight):
            raise NotFound(NO_INCIDENT)
        incident = await store.shown(con, incident_id)
        rows = await con.fetch(SQL.incident_people, incident_id, sight.areas)
        sides = await con.fetch(SQL.incident_parity, incident_id, sight.areas)
        head = await con.fetchrow(SQL.stream_seq)
    return IncidentHeadcount(
        incident_id=incident_id,
        seq=head["seq"],
        as_of=head["as_of"],
        state="open" if incident.closed_at is None else "closed",
        population=sum(r["people"] for r in rows),
        counts=_count(rows),
        by=IncidentGroups(
            area=_groups(rows, lambda r: (r["code"], r["name"])),
            agency=_groups(rows, lambda r: (r["agency"], r["agency"])),
            category=_groups(rows, lambda r: (r["category"], r["category"])),
        ),
        cells=[_cell(r) for r in rows],
        parity=_parity({r["parity"]: _side(r) for r in sides}),
    )


def _cell(row: Any) -> IncidentCell:
    return IncidentCell(
        area=row["code"],
        agency=row["agency"],
        category=row["category"],
        status=row["status"],
        count=row["people"],
    )


def _count(rows: list[Any]) -> IncidentCounts:
    sums = dict.fromkeys(STATUSES, 0)
    for row in rows:
        sums[row["status"]] += row["people"]
    return IncidentCounts(**sums)


def _groups(rows: list[Any], name: Callable[[Any], tuple[str, str]]) -> list[IncidentGroup]:
    members: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in rows:
        members[name(row)].append(row)
    return [
        IncidentGroup(key, label, sum(r["people"] for r in own), _count(own))
        for (key, label), own in sorted(members.items(), key=lambda m: m[0][1])
    ]


def _side(row: Any) -> IncidentSide:
    median: float = row["median_s"]
    return IncidentSide(
        population=row["population"],
        answered=row["answered"],
        share=round(row["answered"] / row["population"], 4),
        median_s=None if median == float("inf") else round(median, 1),
    )


def _parity(sides: dict[str, IncidentSide]) -> IncidentParity:
    local, international = sides.get("local"), sides.get("international")
    return IncidentParity(local, international, _gap(local, international))


def _gap(local: IncidentSide | None, international: IncidentSide | None) -> IncidentGap | None:
    if local is None or international is None:
        return None
    seconds = None
    if local.median_s is not None and international.median_s is not None:
        seconds = round(local.median_s - international.median_s, 1)
    return IncidentGap(round(local.share - international.share, 4), seconds)
