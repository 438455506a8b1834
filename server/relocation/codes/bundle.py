"""A checker's list: all her phone needs where there is no network."""

import base64
from datetime import timedelta
from typing import Any
from uuid import UUID

from server.auth import Principal
from server.db import Database
from server.errors import NotFound
from server.relocation.codes import keys
from server.relocation.codes.keys import SQL
from server.relocation.codes.messages import Bundle, BundleKey, Listed
from server.relocation.movements.store import NO_MOVEMENT
from server.relocation.plan import store as plan

GOOD_FOR = timedelta(hours=48)


async def bundle(db: Database, who: Principal, movement_id: UUID, vehicle: int | None) -> Bundle:
    """The list of one instant. Raises NotFound for who does not check this movement."""
    async with db.transaction(who.operation_id, snapshot=True) as con:
        own = await con.fetchrow(SQL.movement, movement_id, who.person_id)
        if own is None:
            raise NotFound(NO_MOVEMENT)
        public = await keys.public(con)
        people = await con.fetch(SQL.list, movement_id, vehicle)
        legs = await plan.legs(con, movement_id)
        vehicles = await plan.vehicles(con, movement_id)
        points = await plan.points(con, movement_id)
    return Bundle(
        movement=movement_id,
        title=own["title"],
        exercise=own["exercise"],
        state=own["state"],
        as_of=own["as_of"],
        expires_at=own["as_of"] + GOOD_FOR,
        keys=[BundleKey(n, _text(key)) for n, key in public.items()],
        people=[_listed(r) for r in people],
        legs=legs,
        vehicles=vehicles,
        points=points,
    )


def _listed(row: Any) -> Listed:
    handle, *rest = row
    return Listed(None if handle is None else _text(handle), *rest)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
