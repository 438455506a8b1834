"""The calls of health."""

from datetime import datetime
from typing import Any
from uuid import UUID

from server.alerts.health import reading
from server.alerts.health.alarms import SILENT
from server.alerts.health.messages import (
    AlarmOut,
    AlarmsQuery,
    ChannelsOut,
    PhonesOf,
    SilentPhone,
    SilentPhones,
)
from server.alerts.health.store import SQL
from server.alerts.messages import PlainQuery
from server.config import Settings
from server.db import Database
from server.paging import Page, page
from server.people.messages import PersonName
from server.web import Call, Endpoint, Reply


class HealthCalls:
    """The handlers, over one database and the ways of the settings."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._db = database
        self._ways = reading.configured(settings)

    async def channels(self, call: Call) -> Reply:
        """Every way out: what waits, what holds it, when it will have finished."""
        return Reply(200, await reading.channels(self._db, call.me.operation_id, self._ways))

    async def alarms(self, call: Call) -> Reply:
        """Alarms, newest first."""
        query = call.query
        raised_at, alarm_id = query.after(datetime, UUID)
        args = (query.state == "open", raised_at, alarm_id, query.limit + 1)
        rows = await self._db.fetch(call.me.operation_id, SQL.alarms, *args)
        key = lambda r: (r["raised_at"], r["alarm_id"])  # noqa: E731
        return Reply(200, page("/v1/alarms", query, rows, key, shown))

    async def silent(self, call: Call) -> Reply:
        """Phones in sight that have said nothing for a day."""
        scope = await call.auth.scope(call.me)
        areas = scope.area_list()
        seen_at, device_id = call.query.after(datetime, UUID)
        args = (SILENT, areas, seen_at, device_id, call.query.limit + 1)
        async with self._db.transaction(call.me.operation_id, snapshot=True) as con:
            groups = await con.fetch(SQL.phones, SILENT, areas)
            rows = await con.fetch(SQL.silent_phones, *args)
        key = lambda r: (r["seen_at"], r["device_id"])  # noqa: E731
        listed = page("/v1/phones/silent", call.query, rows, key, _phone)
        found = SilentPhones(
            phones=sum(g["phones"] for g in groups),
            silent=sum(g["silent"] for g in groups),
            by_area=[PhonesOf(*g) for g in groups],
            items=listed.items,
            next=listed.next,
        )
        return Reply(200, found)


def shown(row: Any) -> AlarmOut:
    """A row of an alarm as it is answered."""
    return AlarmOut(
        id=row["alarm_id"],
        kind=row["kind"],
        subject=row["subject"],
        detail=row["detail"],
        raised_at=row["raised_at"],
        cleared_at=row["cleared_at"],
    )


def _phone(row: Any) -> SilentPhone:
    return SilentPhone(
        device_id=row["device_id"],
        person=PersonName(row["ref"], row["name"]),
        category=row["category"],
        area=row["code"],
        platform=row["platform"],
        seen_at=row["seen_at"],
    )


def endpoints(database: Database, settings: Settings) -> list[Endpoint]:
    """The calls of health. Raises ValueError for settings that cannot be used."""
    room = HealthCalls(database, settings)
    return [
        Endpoint(
            "GET",
            "/v1/channels",
            room.channels,
            "Every way out: what waits, what holds it, when it will have finished",
            "channel.read",
            {200: ChannelsOut},
        ),
        Endpoint(
            "GET",
            "/v1/alarms",
            room.alarms,
            "Alarms, newest first",
            "channel.read",
            {200: Page[AlarmOut]},
            query=AlarmsQuery,
        ),
        Endpoint(
            "GET",
            "/v1/phones/silent",
            room.silent,
            "Phones that have said nothing for a day",
            "phone.read",
            {200: SilentPhones},
            query=PlainQuery,
        ),
    ]
