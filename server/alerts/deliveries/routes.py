"""The calls of deliveries."""

from typing import Any
from uuid import UUID

from server.alerts import store
from server.alerts.actions import NO_ALERT
from server.alerts.deliveries.progress import Progress
from server.alerts.deliveries.receipts import Given, Receipts
from server.alerts.deliveries.store import SQL
from server.alerts.deliveries.unreached import UnreachedOut, unreached
from server.alerts.messages import DeliveryOut, PlainQuery, ReceiptsIn, ReceiptsOut
from server.db import Database
from server.errors import NotFound
from server.paging import Page, page
from server.people.messages import PersonName
from server.web import Call, Endpoint, Reply, plausible


class Deliveries:
    """The handlers, over one database."""

    def __init__(self, database: Database, progress: Progress) -> None:
        self._db = database
        self._receipts = Receipts(database, progress)

    async def list(self, call: Call) -> Reply:
        """The deliveries of an alert, to the people the caller sees."""
        alert_id, query = call.uuid("alert_id"), call.query
        sight = store.sight_of(call.me, await call.auth.scope(call.me))
        ref, delivery_id = query.after(str, UUID)
        async with self._db.transaction(call.me.operation_id) as con:
            if not await store.sees(con, alert_id, sight):
                raise NotFound(NO_ALERT)
            args = (alert_id, sight.areas, ref, delivery_id, query.limit + 1)
            rows = await con.fetch(SQL.deliveries, *args)
        path = f"/v1/alerts/{alert_id}/deliveries"
        return Reply(200, page(path, query, rows, lambda r: (r["ref"], r["delivery_id"]), _shown))

    async def unreached(self, call: Call) -> Reply:
        """Who is silent and has not been reached, and who answers for each."""
        sight = store.sight_of(call.me, await call.auth.scope(call.me))
        args = (self._db, call.me.operation_id, sight, call.uuid("alert_id"), call.query)
        return Reply(200, await unreached(*args))

    async def receipts(self, call: Call) -> Reply:
        """Takes what a phone says of its own deliveries."""
        for n, item in enumerate(call.body.items):
            plausible(f"items[{n}].at", item.at)
        device_id = call.me.device_id
        assert device_id is not None  # noqa: S101 - the role is device
        given = Given(device_id, call.body.items)
        results = await self._receipts.take(call.me.operation_id, given)
        return Reply(200, ReceiptsOut(results))


def _shown(row: Any) -> DeliveryOut:
    return DeliveryOut(
        delivery_id=row["delivery_id"],
        person=PersonName(row["ref"], row["name"]) if row["ref"] else None,
        channel=row["channel"],
        purpose=row["purpose"],
        round=row["round"],
        state=row["state"],
        queued_at=row["queued_at"],
        accepted_at=row["accepted_at"],
        delivered_at=row["delivered_at"],
        seen_at=row["seen_at"],
        answered_at=row["answered_at"],
        held_until=row["held_until"],
        attempts=row["attempts"],
        error=row["error"],
        route=row["route"],
        parts=row["parts"],
        price_micro=row["price_micro"],
        currency=row["currency"],
    )


def endpoints(database: Database, progress: Progress) -> list[Endpoint]:
    """The calls of deliveries. `progress` is told what moved."""
    room = Deliveries(database, progress)
    return [
        Endpoint(
            "GET",
            "/v1/alerts/{alert_id}/deliveries",
            room.list,
            "Deliveries of an alert, each fact as what it is",
            "delivery.read",
            {200: Page[DeliveryOut]},
            query=PlainQuery,
        ),
        Endpoint(
            "GET",
            "/v1/alerts/{alert_id}/unreached",
            room.unreached,
            "Who is silent and has not been reached: why, and who answers for each",
            "unreached.read",
            {200: Page[UnreachedOut]},
            query=PlainQuery,
        ),
        Endpoint(
            "POST",
            "/v1/receipts",
            room.receipts,
            "A phone says what arrived and what was seen",
            "receipt.give",
            {200: ReceiptsOut},
            body=ReceiptsIn,
        ),
    ]
