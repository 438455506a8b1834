"""The board of a movement: its snapshot, and its events as each viewer may see them."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec

from server.auth import Scope
from server.db import Database
from server.hub import Kind
from server.people import headcount as headcounts
from server.people.headcount import Row, Tally, population
from server.people.labels import load_names, tallies
from server.relocation import rules
from server.relocation.messages import (
    Board,
    StageCell,
    StageCounts,
    StageGroup,
    StageGroups,
    StageParity,
    StageSide,
)
from server.relocation.movements import store as movements
from server.relocation.movements.store import Sight
from server.relocation.plan import store as plan
from server.relocation.store import SQL
from server.stream import Event

MOVED = ("boarded", "arrived", "accommodated")
ALL_OF_THEM = 2_000_000


async def board(database: Database, operation_id: int, sight: Sight, movement_id: UUID) -> Board:
    """The board as of one instant. Raises NotFound out of sight."""
    seen = (movement_id, sight.areas, sight.people)
    async with database.transaction(operation_id, snapshot=True) as con:
        movement = await movements.one(con, sight, movement_id)
        head = await con.fetchrow(SQL.head, *seen)
        rows = tallies(await cell_rows(con, *seen), await load_names(con))
        sides = await con.fetch(SQL.sides, *seen)
        split = await con.fetch(SQL.split_households, *seen, None, ALL_OF_THEM)
        conflicts = await con.fetchval(SQL.conflicts_open, *seen)
        points = await plan.points(con, movement_id)
        legs = await plan.legs(con, movement_id)
        vehicles = await plan.vehicles(con, movement_id)
    whole = sight.areas is None and sight.people is None
    closed = head["at_close"] if whole else None
    return Board(
        movement=movement,
        seq=head["seq"],
        as_of=head["as_of"],
        population=population(rows),
        counts=count(rows),
        elsewhere=sum(r["people"] for r in sides if r["expected"] == "elsewhere"),
        by=grouped(rows),
        cells=[cell(r) for r in rows],
        parity=parity(sides),
        visitors=visitors(sides),
        points=points,
        legs=legs,
        vehicles=vehicles,
        split_households=len(split),
        conflicts=conflicts,
        late=head["late"],
        at_close=counts_of(msgspec.json.decode(closed)) if closed else None,
    )


async def cell_rows(
    con: Any, movement_id: UUID, areas: Sequence[int] | None, people: Sequence[int] | None
) -> list[Row]:
    """The cells of a movement that somebody sees."""
    if people is not None:
        rows = await con.fetch(SQL.cells_by_people, movement_id, people)
    else:
        rows = await con.fetch(SQL.cells_by_area, movement_id, areas)
    return [tuple(r) for r in rows]


def counts_of(by_stage: Counter[str] | dict[str, int]) -> StageCounts:
    """Counts by stage; nobody where one is not named."""
    return StageCounts(**{stage: by_stage.get(stage, 0) for stage in rules.STAGES})


def count(rows: Iterable[Tally]) -> StageCounts:
    """Totals by stage."""
    return counts_of(headcounts.sums(rows))


def grouped(rows: Sequence[Tally]) -> StageGroups:
    """The three groupings; each sums to the population."""
    area, agency, category = (
        [StageGroup(key, label, population(own), count(own)) for (key, label), own in lines]
        for lines in headcounts.groupings(rows)
    )
    return StageGroups(area, agency, category)


def cell(row: Tally) -> StageCell:
    """One row as it is sent."""
    return StageCell(row.area, row.agency, row.category, row.status, row.people)  # type: ignore[arg-type]


def parity(rows: Iterable[Any]) -> StageParity:
    """From rows of parity ('local', 'international' or None), stage and people."""
    found: dict[str, Counter[str]] = {"local": Counter(), "international": Counter()}
    for row in rows:
        if row["parity"] is not None:
            found[row["parity"]][row["stage"]] += row["people"]
    local, international = _side(found["local"]), _side(found["international"])
    gap = None
    if local is not None and international is not None:
        gap = round(local.moved - international.moved, 4)
    return StageParity(local, international, gap)


def visitors(rows: Iterable[Any]) -> StageSide | None:
    """Of the same rows: who is counted where she visits."""
    found: Counter[str] = Counter()
    for row in rows:
        if row["visiting"]:
            found[row["stage"]] += row["people"]
    return _side(found)


def _side(by_stage: Counter[str]) -> StageSide | None:
    people = by_stage.total()
    if not people:
        return None
    moved = sum(by_stage[stage] for stage in MOVED)
    # rounded down: with one person left nothing may read 100 %
    return StageSide(people, counts_of(by_stage), math.floor(moved / people * 10_000) / 10_000)


def _plans(said: dict[str, Any]) -> bool:
    """Whether an event tells of the plan or the state; those of older code don't say `reported`."""
    return not (said["cells"] or said["things"] or said.get("reported"))


class Faces:
    """Renders the room's events for viewers. One instance a process."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def kinds(self) -> list[Kind]:
        """The hub's kinds of this room, merged a movement."""
        return [Kind("movement", lambda e: e.data["movement_id"], False, self._movement)]

    async def _movement(
        self, operation_id: int, scope: Scope, events: list[Event]
    ) -> dict[str, Any] | None:
        """Absolute counts of the cells, vehicles and points that changed, and of all.

        `plan`: the plan or the state changed, so the board must be fetched again.
        """
        movement_id = UUID(events[0].data["movement_id"])
        sight = Sight(scope.area_list(), scope.people_list(), "")
        changed = {tuple(c[:4]) for e in events for c in e.data["cells"]}
        things = sorted({UUID(t) for e in events for t in e.data["things"]})
        seen = (movement_id, sight.areas, sight.people)
        async with self._db.transaction(operation_id, snapshot=True) as con:
            if not await con.fetchval(movements.SQL.sees, movement_id, *sight.args()):
                return None
            rows = await cell_rows(con, *seen)
            names = await load_names(con)
            conflicts = await con.fetchval(SQL.conflicts_open, *seen)
            vehicles = await plan.vehicles(con, movement_id, things) if things else []
            points = await plan.points(con, movement_id, things) if things else []
        moved = tallies(headcounts.changed(rows, changed, scope.people is not None), names)
        return {
            "movement_id": movement_id,
            "plan": any(_plans(e.data) for e in events),
            "counts": count(tallies(rows, names)),
            "cells": [cell(r) for r in moved],
            "vehicles": vehicles,
            "points": points,
            "conflicts": conflicts,
        }
