"""Receipts of phones: thousands at once after an alert, so taken in batches, as check-ins are."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

import msgspec

from server.alerts.deliveries import marks
from server.alerts.deliveries.progress import Progress
from server.alerts.deliveries.store import SQL
from server.alerts.messages import Receipt, ReceiptOut
from server.batch import Batcher
from server.db import Database, retried


class Given(msgspec.Struct, frozen=True):
    """What one device says in one request."""

    device_id: UUID
    items: list[Receipt]


class Receipts:
    """Takes receipts: one batch under way for each operation, the next one gathering."""

    def __init__(self, database: Database, progress: Progress) -> None:
        self._db = database
        self._progress = progress
        self._batchers: dict[int, Batcher[Given, frozenset[UUID]]] = {}

    async def take(self, operation_id: int, given: Given) -> list[ReceiptOut]:
        """Results in the order of the items, when they are durable.

        A delivery of somebody else's is unknown, as one that never was.
        """
        batcher = self._batchers.get(operation_id)
        if batcher is None:
            run = partial(self._run, operation_id)
            batcher = Batcher(run, name=f"receipts of operation {operation_id}", most=200)
            self._batchers[operation_id] = batcher
        own = await batcher.submit(given)
        return [_told(item, own) for item in given.items]

    async def _run(
        self, operation_id: int, batch: Sequence[Given]
    ) -> Sequence[frozenset[UUID] | Exception]:
        alerts, taken = await _write(self._db, operation_id, batch)
        for alert_id in alerts:
            self._progress.touch(operation_id, alert_id)
        return [taken.get(str(given.device_id), frozenset()) for given in batch]


@retried
async def _write(
    db: Database, operation_id: int, batch: Sequence[Given]
) -> tuple[set[UUID], dict[str, frozenset[UUID]]]:
    """One transaction; the alerts concerned, and by device which deliveries are its own."""
    devices = sorted({g.device_id for g in batch})
    columns = _columns(batch)
    async with db.transaction(operation_id) as con:
        await con.execute(SQL.lock_deliveries, columns[0])
        rows = await con.fetch(SQL.take_receipts, *columns)
        await con.execute(SQL.addresses_heard, devices)
        for channel in sorted({r["channel"] for r in rows}):
            await marks.heard(con, operation_id, channel)
    own: defaultdict[str, set[UUID]] = defaultdict(set)
    for row in rows:
        own[row["endpoint"]].add(row["delivery_id"])
    alerts = {r["alert_id"] for r in rows if r["alert_id"] is not None}
    return alerts, {d: frozenset(ids) for d, ids in own.items()}


def _columns(batch: Sequence[Given]) -> list[list[object]]:
    """(delivery, device, delivered, seen) columns, one row for each delivery and device."""
    said: dict[tuple[UUID, UUID], dict[str, datetime]] = {}
    for given in batch:
        for item in given.items:
            times = said.setdefault((item.delivery_id, given.device_id), {})
            times[item.kind] = min(item.at, times.get(item.kind, item.at))
    rows = [(d, str(v), t.get("delivered"), t.get("seen")) for (d, v), t in sorted(said.items())]
    return [list(column) for column in zip(*rows, strict=True)]


def _told(item: Receipt, own: frozenset[UUID]) -> ReceiptOut:
    if item.delivery_id in own:
        return ReceiptOut(item.delivery_id, ok=True)
    return ReceiptOut(item.delivery_id, error="There is no such delivery to this device.")
