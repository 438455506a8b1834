"""Manifests over HTTP."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from server.db import Database
from server.paging import Page
from server.relocation.manifests import actions, filling, listing, sealing
from server.relocation.manifests.messages import (
    AmendIn,
    Fill,
    FillIn,
    Manifest,
    ManifestIn,
    Traveller,
    Travellers,
    TravellersIn,
    TravellersQuery,
)
from server.relocation.movements.store import sight_of
from server.web import Call, Endpoint, Reply

ONE = "/v1/movements/{movement_id}"
LIST = f"{ONE}/vehicles/{{vehicle_id}}/manifest"


class Manifests:
    """The handlers."""

    def __init__(self, database: Database, wake: Callable[[int], None]) -> None:
        self._db = database
        self._wake = wake

    async def get(self, call: Call) -> Reply:
        """A manifest, as far as the caller sees its people."""
        return await self._answer(call, call.uuid("movement_id"), call.uuid("vehicle_id"))

    async def put(self, call: Call) -> Reply:
        """A manifest as it is to be."""
        return await self._change(call, actions.put_list, call.body)

    async def seal(self, call: Call) -> Reply:
        """A manifest is closed."""
        return await self._change(call, sealing.seal)

    async def amend(self, call: Call) -> Reply:
        """A sealed manifest changes, for a reason."""
        return await self._change(call, sealing.amend, call.body)

    async def _change(self, call: Call, verb: Any, *said: Any) -> Reply:
        scope = await call.auth.scope(call.me)
        ids = call.uuid("movement_id"), call.uuid("vehicle_id")
        made = await verb(self._db, call.me, scope, *ids, *said)
        self._wake(call.me.operation_id)
        return await self._answer(call, *ids, status=201 if made else 200)

    async def _answer(
        self, call: Call, movement_id: UUID, vehicle_id: UUID, status: int = 200
    ) -> Reply:
        sight = sight_of(call.me, await call.auth.scope(call.me))
        ids = (movement_id, vehicle_id)
        found = await listing.manifest(self._db, call.me.operation_id, sight, *ids)
        return Reply(status, found)

    async def fill(self, call: Call) -> Reply:
        """Seats by rule, shown or given."""
        scope = await call.auth.scope(call.me)
        found = await filling.fill(self._db, call.me, scope, call.uuid("movement_id"), call.body)
        self._wake(call.me.operation_id)
        return Reply(200, found)

    async def list_travellers(self, call: Call) -> Reply:
        """What is known of everybody, a page at a time."""
        sight = sight_of(call.me, await call.auth.scope(call.me))
        about = (call.uuid("movement_id"), call.query)
        return Reply(200, await listing.travellers(self._db, call.me.operation_id, sight, *about))

    async def travellers(self, call: Call) -> Reply:
        """What is known of papers and of medical needs."""
        scope = await call.auth.scope(call.me)
        found = await actions.put_travellers(
            self._db, call.me, scope, call.uuid("movement_id"), call.body
        )
        self._wake(call.me.operation_id)
        return Reply(200, Travellers(found))


def endpoints(database: Database, wake: Callable[[int], None]) -> list[Endpoint]:
    """The calls of manifests."""
    room = Manifests(database, wake)
    many = 1 << 20
    shown: dict[int, Any] = {200: Manifest}
    return [
        Endpoint("GET", LIST, room.get, "Who is to sit on a vehicle", "movement.read", shown),
        Endpoint(
            "PUT",
            LIST,
            room.put,
            "Who is to sit on a vehicle, by hand",
            "manifest.write",
            shown,
            body=ManifestIn,
            body_limit=many,
        ),
        Endpoint(
            "POST",
            f"{LIST}/seal",
            room.seal,
            "Seal a manifest: from here on it is only amended",
            "manifest.write",
            shown,
        ),
        Endpoint(
            "POST",
            f"{LIST}/amendments",
            room.amend,
            "Amend a sealed manifest, with the reason",
            "manifest.write",
            {201: Manifest, 200: Manifest},
            body=AmendIn,
        ),
        Endpoint(
            "POST",
            f"{ONE}/fill",
            room.fill,
            "Seats of a leg by rule: shown, or given; with the waiting list",
            "manifest.write",
            {200: Fill},
            body=FillIn,
        ),
        *_of_travellers(room),
    ]


def _of_travellers(room: Manifests) -> list[Endpoint]:
    return [
        Endpoint(
            "GET",
            f"{ONE}/travellers",
            room.list_travellers,
            "What is known of each: travel papers, medical need",
            "movement.read",
            {200: Page[Traveller]},
            query=TravellersQuery,
        ),
        Endpoint(
            "PUT",
            f"{ONE}/travellers",
            room.travellers,
            "What is known of people's travel papers and medical needs",
            "movement.people",
            {200: Travellers},
            body=TravellersIn,
            body_limit=1 << 20,
        ),
    ]
