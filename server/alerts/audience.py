"""Whom an alert addresses: an audience checked against the record, and made query arguments."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import shapely

from server.alerts import rules
from server.alerts.messages import Audience
from server.alerts.store import SQL
from server.auth import Principal, Scope
from server.errors import BadInput, FieldError, refuse_field


class Resolved(msgspec.Struct, frozen=True):
    """The arguments of audience_people. `unplaced`: see `Matched`."""

    kind: str
    names: list[str]
    here: list[int] = []
    placed: list[int] = []
    spots: list[int] = []

    def args(self, incident_id: UUID | None, within: int | None) -> tuple[Any, ...]:
        """In the order the function takes them."""
        here, placed, spots = self.here, self.placed, self.spots
        return self.kind, self.names, here, placed, spots, incident_id, within


def kind_of(audience: Audience) -> tuple[str, Any]:
    """Which one it is, and its value. Raises BadInput for none, or several."""
    given = msgspec.to_builtins(audience)
    if len(given) != 1:
        raise refuse_field("audience", f"Give exactly one of {', '.join(rules.AUDIENCES)}.")
    [(kind, value)] = given.items()
    if kind == "all" and value is not True:
        raise refuse_field("audience.all", "Give true, or choose another audience.")
    if kind == "polygon":
        rules.polygon(value)
    return kind, value


async def check(con: Any, audience: Audience, scope: Scope) -> None:
    """Raises BadInput where it names what is not on record, or not the caller's."""
    kind, value = kind_of(audience)
    if kind == "areas":
        areas = scope.area_list()
        unknown = await con.fetch(SQL.unknown_areas, value, areas)
        _refuse(kind, value, unknown, "There is no area with this code.")
    if kind == "agencies":
        unknown = await con.fetch(SQL.unknown_agencies, value)
        _refuse(kind, value, unknown, "There is no agency with this name.")
    if kind == "tree_node" and not await con.fetchval(SQL.has_node, value):
        raise refuse_field("audience.tree_node", "There is no such node in the tree.")


def _refuse(kind: str, given: list[str], unknown: Sequence[Any], message: str) -> None:
    missing = {r[0] for r in unknown}
    errors = [
        FieldError(f"audience.{kind}[{n}]", message) for n, k in enumerate(given) if k in missing
    ]
    if errors:
        raise BadInput("Correct the fields named in errors and send it again.", errors=errors)


def within(who: Principal, scope: Scope) -> int | None:
    """The area an operator's alerts are limited to; None for the whole operation."""
    return None if scope.areas is None else who.area_id


async def resolve(con: Any, audience: dict[str, Any], moment: datetime) -> Resolved:
    """The arguments that select the audience. `moment`: positions of the 24 h before count."""
    [(kind, value)] = audience.items()
    if kind == "polygon":
        return await _inside(con, rules.polygon(value), moment)
    if kind == "all":
        return Resolved(kind, [])
    return Resolved(kind, [value] if isinstance(value, str) else value)


async def _inside(con: Any, outline: shapely.Polygon, moment: datetime) -> Resolved:
    people = await con.fetch(SQL.fresh_positions, moment)
    areas = await con.fetch(SQL.area_points)
    return Resolved(
        kind="polygon",
        names=[],
        here=_ids_inside(outline, people),
        placed=[r[0] for r in people],
        spots=_ids_inside(outline, areas),
    )


def _ids_inside(outline: shapely.Polygon, rows: Sequence[Any]) -> list[int]:
    """The ids of (id, lon, lat) rows inside or on the outline."""
    if not rows:
        return []
    points = np.array([(r[1], r[2]) for r in rows])
    shapely.prepare(outline)
    inside = shapely.intersects_xy(outline, points[:, 0], points[:, 1])
    return [r[0] for r, hit in zip(rows, inside, strict=True) if hit]
