"""Rows of a movement's plan, as they are shown."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

from server.db import named_sql
from server.people.messages import PersonName
from server.relocation.plan.messages import FunctionOut, LegOut, PointOut, VehicleOut

SQL = named_sql(__file__)
LEFT = frozenset({"boarded", "arrived", "accommodated"})


async def points(con: Any, movement_id: UUID, only: Sequence[UUID] | None = None) -> list[PointOut]:
    """The points of a movement, or some."""
    rows = await con.fetch(SQL.points, movement_id, only)
    return [PointOut(*r) for r in rows]


async def legs(con: Any, movement_id: UUID, only: UUID | None = None) -> list[LegOut]:
    """The legs of a movement in order, or one."""
    return [LegOut(*r) for r in await con.fetch(SQL.legs, movement_id, only)]


async def vehicles(
    con: Any, movement_id: UUID, only: Sequence[UUID] | None = None
) -> list[VehicleOut]:
    """The vehicles of a movement by number, or some."""
    return [_vehicle(r) for r in await con.fetch(SQL.vehicles, movement_id, only)]


def _vehicle(row: Any) -> VehicleOut:
    return VehicleOut(**row, seats_left=row["seats"] - row["boarded"])


async def functions(
    con: Any, movement_id: UUID, only: UUID | None = None, areas: Sequence[int] | None = None
) -> list[FunctionOut]:
    """The critical work of a movement by name, or one; or what people of some areas keep."""
    rows = await con.fetch(SQL.functions, movement_id, only, areas)
    return [_function(list(own)) for _, own in groupby(rows, key=lambda r: r["function_id"])]


def _left(row: Any) -> bool:
    """Whether somebody is on her way or there; also at a point between two legs."""
    return row["stage"] in LEFT or (row["stage"] == "at_point" and row["rode"])


def _function(rows: Sequence[Any]) -> FunctionOut:
    """Of one function's rows, the keeper's first."""
    people = [PersonName(r["ref"], r["person"]) for r in rows]
    stays = [n for n, r in enumerate(rows) if not _left(r) and r["stage"] != "in_question"]
    unsure = any(r["stage"] == "in_question" for r in rows)
    return FunctionOut(
        id=rows[0]["function_id"],
        name=rows[0]["name"],
        keeper=people[0],
        deputies=people[1:],
        place=rows[0]["place"],
        note=rows[0]["note"],
        cover="covered" if stays else "uncertain" if unsure else "uncovered",
        by=people[stays[0]] if stays else None,
    )
