"""The calls of satellite messengers: providers bring messages, desks say whose devices they are."""

from collections.abc import Callable
from typing import Any

from prometheus_client import Counter

from server.checkin.satellite import actions
from server.checkin.satellite.actions import Inbox
from server.checkin.satellite.intake import events_of
from server.checkin.satellite.messages import MessengerIn, MessengerOut, MessengersQuery
from server.checkin.satellite.store import SQL
from server.db import Database
from server.errors import NotFound, Unauthenticated, refuse_field
from server.gateways import Doors
from server.paging import Page, page
from server.people.messages import PersonName
from server.satellites import SatelliteRoute, believed
from server.web import Call, Endpoint, Reply

PATH = "/v1/inbound/satellite/{route}"
DEVICES = "/v1/satellite-devices"
ONE = f"{DEVICES}/{{imei}}"
BODY_LIMIT = 1024 * 1024  # a message has some hundred bytes: thousands of them fit
WITHIN_S = 4.7  # whoever cannot be recorded is told so before the provider gives up waiting
_PLAIN = [(b"content-type", b"text/plain; charset=utf-8")]
REFUSED = Counter(
    "muster_satellite_refused_total", "Requests that no provider of a route has sent", ["route"]
)


class Satellites:
    """The handlers, over one database and the configured routes."""

    def __init__(self, database: Database, doors: Doors[SatelliteRoute], inbox: Inbox) -> None:
        self._db = database
        self._doors = doors
        self._inbox = inbox

    async def take(self, call: Call) -> Reply:
        """Takes what a provider brings: on record before the answer. Raises Unauthenticated."""
        route, request = self._doors.opened(call)
        word = None if route is None else believed(route, request)
        if route is None or word is None:
            REFUSED.labels("unknown" if route is None else route.name).inc()
            raise Unauthenticated("This is not from the provider of a configured satellite route.")
        await self._inbox.take(route, events_of(route.kind, word.said, request.raw))
        return Reply(200, b"", _PLAIN)

    async def list(self, call: Call) -> Reply:
        """Devices that somebody has."""
        (after,) = call.query.after(str)
        if after is not None and not actions.storable(after):
            raise refuse_field("cursor", "Take the cursor from `next`, or leave it out.")
        areas = (await call.auth.scope(call.me)).area_list()
        args = (areas, after, None, call.query.limit + 1)
        rows = await self._db.fetch(call.me.operation_id, SQL.devices, *args)
        return Reply(200, page(DEVICES, call.query, rows, lambda r: [r["imei"]], shown))

    async def put(self, call: Call) -> Reply:
        """A device is somebody's."""
        imei, scope = call.path["imei"], await call.auth.scope(call.me)
        if not actions.storable(imei):
            raise refuse_field("imei", "Give the 15 digits of the IMEI.")
        made = await actions.assign(self._db, call.me, scope, imei, call.body)
        args = (scope.area_list(), None, imei, 1)
        rows = await self._db.fetch(call.me.operation_id, SQL.devices, *args)
        if not rows:  # somebody has taken it away meanwhile
            raise NotFound(actions.NO_DEVICE)
        return Reply(201 if made else 200, shown(rows[0]))

    async def remove(self, call: Call) -> Reply:
        """A device is nobody's any more."""
        imei, scope = call.path["imei"], await call.auth.scope(call.me)
        if not actions.storable(imei):
            raise NotFound(actions.NO_DEVICE)
        await actions.remove(self._db, call.me, scope, imei)
        return Reply(204)


def shown(row: Any) -> MessengerOut:
    """A row of devices."""
    return MessengerOut(
        imei=row["imei"],
        kind=row["kind"],
        label=row["label"],
        person=PersonName(row["ref"], row["name"]),
        since=row["since"],
        set_by=row["set_by"],
        heard_at=row["heard_at"],
    )


def endpoints(
    database: Database, doors: Doors[SatelliteRoute], wake: Callable[[int], None]
) -> list[Endpoint]:
    """The calls of this room."""
    room = Satellites(database, doors, Inbox(database, wake))
    return [
        Endpoint(
            "POST",
            PATH,
            room.take,
            "A provider brings what satellite messengers said",
            None,
            {200: "text/plain"},
            body=bytes,
            decode=bytes,
            lenient=True,
            body_limit=BODY_LIMIT,
            within_s=WITHIN_S,
        ),
        Endpoint(
            "GET",
            DEVICES,
            room.list,
            "Satellite messengers and who has them",
            "satellite.read",
            {200: Page[MessengerOut]},
            query=MessengersQuery,
        ),
        Endpoint(
            "PUT",
            ONE,
            room.put,
            "A satellite messenger is somebody's",
            "satellite.write",
            {201: MessengerOut, 200: MessengerOut},
            body=MessengerIn,
        ),
        Endpoint(
            "DELETE",
            ONE,
            room.remove,
            "A satellite messenger is nobody's any more",
            "satellite.write",
            {204: None},
        ),
    ]
