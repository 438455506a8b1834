"""Movements over HTTP: parse, act, answer."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from server import paging
from server.db import Database
from server.paging import Page
from server.relocation import board, listing, report_routes, reporting
from server.relocation.actions import Reports
from server.relocation.codes import routes as codes
from server.relocation.conflicts import routes as conflicts
from server.relocation.manifests import file_routes as files
from server.relocation.manifests import routes as manifests
from server.relocation.messages import (
    Board,
    Household,
    HouseholdsQuery,
    Mover,
    MoverInFull,
    MoversQuery,
)
from server.relocation.movements import actions, report, store
from server.relocation.movements.messages import (
    Added,
    AddIn,
    CloseIn,
    MovementIn,
    MovementOut,
    MovementsQuery,
    Timeline,
)
from server.relocation.movements.report import Report
from server.relocation.movements.store import SQL, Sight
from server.relocation.plan import routes as plan
from server.typeset import Typesetter
from server.vault import Vault
from server.web import Call, Endpoint, Reply

ONE = "/v1/movements/{movement_id}"
Wake = Callable[[int], None]


class Movements:
    """The handlers of movements themselves. `texted`: prefixes of numbers an SMS route serves."""

    def __init__(self, database: Database, wake: Wake, texted: Sequence[str]) -> None:
        self._db = database
        self._wake = wake
        self._texted = texted

    async def post(self, call: Call) -> Reply:
        """A movement to prepare; its people are listed within seconds."""
        scope = await call.auth.scope(call.me)
        made = await actions.create(self._db, call.me, scope, call.body)
        return await self._answer(call, call.body.id, 201 if made else 200)

    async def listed(self, call: Call) -> Reply:
        """The movements a caller sees, newest first."""
        query, sight = call.query, await _sight(call)
        rows = await self._db.fetch(
            *(call.me.operation_id, SQL.movements, *sight.args(), query.state),
            *(*query.after(datetime, UUID), query.limit + 1, None),
        )
        key = ("created_at", "movement_id")
        found = paging.page(
            "/v1/movements", query, rows, lambda r: [r[k] for k in key], store.shown
        )
        return Reply(200, found)

    async def board(self, call: Call) -> Reply:
        """The board of a movement."""
        seen = (call.me.operation_id, await _sight(call), call.uuid("movement_id"))
        return Reply(200, await board.board(self._db, *seen))

    async def activate(self, call: Call) -> Reply:
        """It begins."""
        return await self._steer(call, actions.activate)

    async def cancel(self, call: Call) -> Reply:
        """It is called off."""
        return await self._steer(call, actions.cancel)

    async def _steer(self, call: Call, verb: Callable[..., object]) -> Reply:
        scope, movement_id = await call.auth.scope(call.me), call.uuid("movement_id")
        await verb(self._db, call.me, scope, movement_id)  # type: ignore[misc]
        return await self._answer(call, movement_id)

    async def close(self, call: Call) -> Reply:
        """The close-out."""
        scope, movement_id = await call.auth.scope(call.me), call.uuid("movement_id")
        await actions.close(self._db, call.me, scope, movement_id, call.body)
        return await self._answer(call, movement_id)

    async def _answer(self, call: Call, movement_id: UUID, status: int = 200) -> Reply:
        self._wake(call.me.operation_id)
        sight = await _sight(call)
        async with self._db.transaction(call.me.operation_id) as con:
            return Reply(status, await store.one(con, sight, movement_id))

    async def people(self, call: Call) -> Reply:
        """The people of a movement, a page at a time."""
        seen = (call.me.operation_id, await _sight(call), call.uuid("movement_id"))
        return Reply(200, await listing.people(self._db, *seen, call.query))

    async def add(self, call: Call) -> Reply:
        """People who join after the freezing."""
        scope, movement_id = await call.auth.scope(call.me), call.uuid("movement_id")
        joined = await actions.add_people(self._db, call.me, scope, movement_id, call.body)
        self._wake(call.me.operation_id)
        return Reply(200, Added(joined))

    async def households(self, call: Call) -> Reply:
        """Households in more than one place."""
        seen = (call.me.operation_id, await _sight(call), call.uuid("movement_id"))
        return Reply(200, await listing.households(self._db, *seen, call.query))

    async def one_of_them(self, call: Call) -> Reply:
        """One of its people, with all that was reported of her."""
        seen = (call.me.operation_id, await _sight(call), call.uuid("movement_id"))
        return Reply(200, await listing.person(self._db, *seen, call.path["ref"]))

    async def timeline(self, call: Call) -> Reply:
        """What was done with it."""
        seen = (call.me.operation_id, await _sight(call), call.uuid("movement_id"))
        return Reply(200, await report.timeline(self._db, *seen))

    async def report(self, call: Call) -> Reply:
        """What it comes to."""
        seen = (call.me.operation_id, await _sight(call), call.uuid("movement_id"))
        return Reply(200, await report.report(self._db, *seen, self._texted))


async def _sight(call: Call) -> Sight:
    return store.sight_of(call.me, await call.auth.scope(call.me))


def endpoints(
    database: Database, reports: Reports, wake: Wake, texted: Sequence[str], vault: Vault
) -> list[Endpoint]:
    """The calls of this room and those inside it."""
    room = Movements(database, wake, texted)
    setter = Typesetter()
    return [
        *reporting.endpoints(database, reports),
        *_of_movements(room),
        *_of_people(room),
        *plan.endpoints(database, wake),
        *conflicts.endpoints(database, wake),
        *report_routes.endpoints(database, texted, setter),
        *manifests.endpoints(database, wake),
        *files.endpoints(database, wake, reports, setter),
        *codes.endpoints(database, wake, vault),
    ]


def _of_movements(room: Movements) -> list[Endpoint]:
    return [
        *_steering(room),
        Endpoint(
            "POST",
            "/v1/movements",
            room.post,
            "Prepare a movement: its people are listed from this moment on",
            "movement.steer",
            {201: MovementOut, 200: MovementOut},
            body=MovementIn,
            body_limit=1 << 20,
        ),
        Endpoint(
            "GET",
            "/v1/movements",
            room.listed,
            "Movements, newest first",
            "movement.read",
            {200: Page[MovementOut]},
            query=MovementsQuery,
        ),
        Endpoint("GET", ONE, room.board, "The board of a movement", "movement.read", {200: Board}),
        Endpoint(
            "GET",
            f"{ONE}/timeline",
            room.timeline,
            "What was done with a movement, in order",
            "movement.read",
            {200: Timeline},
        ),
        Endpoint(
            "GET",
            f"{ONE}/report",
            room.report,
            "What a movement comes to: timeline, counts, parity, conflicts, who was not reached",
            "movement.read",
            {200: Report},
        ),
    ]


def _steering(room: Movements) -> list[Endpoint]:
    return [
        Endpoint(
            "POST",
            f"{ONE}/activate",
            room.activate,
            "A movement begins",
            "movement.steer",
            {200: MovementOut},
        ),
        Endpoint(
            "POST",
            f"{ONE}/cancel",
            room.cancel,
            "Call a movement off; reports that still come count, marked late",
            "movement.steer",
            {200: MovementOut},
        ),
        Endpoint(
            "POST",
            f"{ONE}/close",
            room.close,
            "The close-out: everybody has arrived, stays, or is listed by name",
            "movement.steer",
            {200: MovementOut},
            body=CloseIn,
            body_limit=8 << 20,
        ),
    ]


def _of_people(room: Movements) -> list[Endpoint]:
    return [
        Endpoint(
            "GET",
            f"{ONE}/people",
            room.people,
            "The people of a movement, and who is missed between two stages",
            "movement.read",
            {200: Page[Mover]},
            query=MoversQuery,
        ),
        Endpoint(
            "GET",
            f"{ONE}/people/{{ref}}",
            room.one_of_them,
            "One of its people, with every report of her",
            "movement.read",
            {200: MoverInFull},
        ),
        Endpoint(
            "POST",
            f"{ONE}/people",
            room.add,
            "Add people on record, with their family",
            "movement.people",
            {200: Added},
            body=AddIn,
        ),
        Endpoint(
            "GET",
            f"{ONE}/households",
            room.households,
            "Households that are in more than one place",
            "movement.read",
            {200: Page[Household]},
            query=HouseholdsQuery,
        ),
    ]
