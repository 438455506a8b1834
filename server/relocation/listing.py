"""The people of a movement, and the households that are in more than one place."""

from typing import Any
from uuid import UUID

from server import paging
from server.db import Database
from server.errors import NotFound, refuse_field
from server.people.messages import AreaName, PersonName
from server.people.rules import storable
from server.relocation.messages import (
    Household,
    HouseholdsQuery,
    MemberWhere,
    Mover,
    MoverInFull,
    MoversQuery,
    SaidOut,
)
from server.relocation.movements import store as movements
from server.relocation.movements.store import Sight
from server.relocation.store import SQL


async def people(
    database: Database, operation_id: int, sight: Sight, movement_id: UUID, query: MoversQuery
) -> paging.Page[Mover]:
    """One page, by name. Raises NotFound out of sight."""
    if query.counted is not None and query.vehicle is None:
        raise refuse_field("vehicle", "Name the vehicle whose count it is, by its number.")
    async with database.transaction(operation_id) as con:
        await movements.must_see(con, sight, movement_id)
        rows = await con.fetch(
            *(SQL.people, movement_id, sight.areas, sight.people),
            *(query.stage, query.area, query.vehicle, query.missing, literal(query.q)),
            *(*query.after(str, int), query.limit + 1),
            *(query.agency, query.category, query.side, query.expected, query.counted),
            *(query.point, query.unsettled, query.visiting, query.late, None),
        )
    path = f"/v1/movements/{movement_id}/people"
    return paging.page(path, query, rows, lambda r: (r["name"], r["person_id"]), _mover)


async def person(
    database: Database, operation_id: int, sight: Sight, movement_id: UUID, ref: str
) -> MoverInFull:
    """One person with her reports. Raises NotFound out of sight, and for who is not in it."""
    async with database.transaction(operation_id, snapshot=True) as con:
        await movements.must_see(con, sight, movement_id)
        seen = (movement_id, sight.areas, sight.people)
        rows = await con.fetch(SQL.people, *seen, *[None] * 7, 1, *[None] * 9, ref)
        if not rows:
            raise NotFound("She is not in this movement, or not in your sight.")
        reports = await con.fetch(SQL.reports_of, movement_id, rows[0]["person_id"])
    return MoverInFull(_mover(rows[0]), [SaidOut(*r) for r in reports])


def literal(text: str | None) -> str | None:
    """Search text with the wildcards of LIKE taken literally."""
    if text is None:
        return None
    return text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")


def _mover(row: Any) -> Mover:
    return Mover(
        ref=row["ref"],
        name=row["name"],
        category=row["category"],
        area=AreaName(row["area_code"], row["area_name"]),
        agency=row["agency"],
        stage=row["stage"],
        vehicle_no=row["vehicle_no"],
        point=row["point"],
        since=row["since"],
        late=bool(row["late"]),
        how=row["how"],
        reason=row["reason"],
        reported_by=row["reporter"],
        sponsor=row["sponsor"],
        added=row["added"],
        expected=row["expected"],
        phone=row["phone"],
        missing=row["gap"],
        position_age_s=row["position_s"],
        phone_age_s=row["phone_s"],
        unresolved=row["unresolved"],
    )


async def households(
    database: Database, operation_id: int, sight: Sight, movement_id: UUID, query: HouseholdsQuery
) -> paging.Page[Household]:
    """One page of split households, by the sponsor's ref. Raises NotFound out of sight."""
    (after,) = query.after(str)
    if after is not None and not storable(after):
        raise refuse_field("cursor", "Take the cursor from `next`, or leave it out.")
    seen = (movement_id, sight.areas, sight.people)
    async with database.transaction(operation_id) as con:
        await movements.must_see(con, sight, movement_id)
        rows = await con.fetch(SQL.split_households, *seen, after, query.limit + 1)
        ids = [r["household_id"] for r in rows]
        members = await con.fetch(SQL.members, movement_id, ids, sight.areas, sight.people)
    path = f"/v1/movements/{movement_id}/households"
    own: dict[int, list[MemberWhere]] = {key: [] for key in ids}
    for row in members:
        own[row["household_id"]].append(_member(row))
    return paging.page(
        path,
        query,
        rows,
        key=lambda r: [r["ref"]],
        item=lambda r: Household(r["ref"], own[r["household_id"]]),
    )


def _member(row: Any) -> MemberWhere:
    person = PersonName(row["ref"], row["name"])
    return MemberWhere(person, row["stage"], row["vehicle_no"], row["point"], row["since"])
