"""What gateways report of texts: taken at once, forward only, as often as they repeat it."""

import asyncio
from uuid import UUID

import msgspec

from server import log
from server.alerts.channels.sms.reports import Report, understand
from server.alerts.deliveries import marks
from server.alerts.deliveries.progress import Progress
from server.alerts.deliveries.store import SQL
from server.db import Database, retried
from server.errors import NotFound
from server.gateways import Doors, of_gateway
from server.texting import SmsRoute
from server.web import Call, Endpoint, Reply

LOGGER = log.get("reports")
PATH = "/v1/inbound/dlr/{route}"
TAKEN = 200  # not 204: Kannel asks again and again for what is neither 200 nor 202
LOOK_AGAIN_S = 0.5  # a report may overtake the record of its text's own answer


class ReportQuery(msgspec.Struct, frozen=True):
    """What a gateway adds to the address of its reports. `id` is our delivery's."""

    id: str | None = None
    type: str | None = None


class Reports:
    """The handler, over one database and the configured routes."""

    def __init__(self, database: Database, progress: Progress, doors: Doors[SmsRoute]) -> None:
        self._db = database
        self._progress = progress
        self._doors = doors

    async def take(self, call: Call) -> Reply:
        """Takes one report. Raises Unauthenticated, or NotFound for a text never sent so."""
        route, request = of_gateway(self._doors, call)
        report = understand(route, request)
        if report is None:
            LOGGER.info("report_passed_over", route=route.name)
            return Reply(TAKEN)
        if not await self._record(route.name, report):
            await asyncio.sleep(LOOK_AGAIN_S)
            if not await self._record(route.name, report):
                raise NotFound("No text was sent under this id over this route.")
        return Reply(TAKEN)

    async def _record(self, route: str, report: Report) -> bool:
        """Writes what is new in it; whether there is such a text."""
        async with self._db.connection() as con:
            args = (route, report.delivery_id, report.provider_id)
            row = await con.fetchrow(SQL.delivery_of_report, *args)
        if row is None:
            return False
        operation_id, delivery_id = row
        known, alert_id = await write_report(
            self._db, operation_id, delivery_id, route, report.said
        )
        if alert_id is not None:
            self._progress.touch(operation_id, alert_id)
        return known


@retried
async def write_report(
    db: Database, operation_id: int, delivery_id: UUID, route: str, said: str
) -> tuple[bool, UUID | None]:
    """Whether this route had the text, and its alert if something new was learnt."""
    async with db.transaction(operation_id) as con:
        if not await con.fetchval(SQL.lock_text, delivery_id, route, said):
            return False, None
        alert_id: UUID | None = await con.fetchval(SQL.take_report, delivery_id, route, said)
        if said == "delivered":
            await marks.heard(con, operation_id, "sms", route)
        return True, alert_id


def endpoints(database: Database, progress: Progress, doors: Doors[SmsRoute]) -> list[Endpoint]:
    """The same for POST and GET: Kannel reports by GET."""
    room = Reports(database, progress, doors)
    words = "A gateway reports what became of a text"
    return [
        Endpoint("GET", PATH, room.take, words, None, {TAKEN: None}, query=ReportQuery),
        Endpoint(
            "POST",
            PATH,
            room.take,
            words,
            None,
            {TAKEN: None},
            body=bytes,
            decode=bytes,
            query=ReportQuery,
            lenient=True,
        ),
    ]
