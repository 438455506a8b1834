"""A small world to alert: an operation, areas, people, devices; and the API over it."""

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import groupby
from typing import Any

import asyncpg
import httpx
from starlette.routing import Route, Router

from server import jobs
from server.alerts import jobs as alert_jobs
from server.alerts import routes
from server.alerts.deliveries.progress import Progress
from server.auth import Authenticator, digest
from server.config import Settings
from server.db import Database
from server.mailing import served
from server.web import Shell

AREAS = ("KE", "KE-N", "KE-N1", "KE-N2", "KE-S")


class World:
    """One operation in a fresh database, with direct SQL for the arranging of things."""

    def __init__(self, dsn: str, **settings: Any) -> None:
        self.db = Database(dsn, 8)
        self.dsn = dsn
        self.auth = Authenticator(self.db)
        self.settings = Settings(**settings)
        self.op = 0
        self.areas: dict[str, int] = {}
        self.agency = 0

    async def sql(self, text: str, *args: Any) -> list[Any]:
        """Rows of one statement under the operation."""
        return await self.db.fetch(self.op, text, *args)

    async def value(self, text: str, *args: Any) -> Any:
        """The first column of the first row."""
        rows = await self.sql(text, *args)
        return rows[0][0] if rows else None

    async def begin(self, code: str = "KEN") -> None:
        """Makes the operation: country KE with regions KE-N (zones 1, 2) and KE-S."""
        con = await asyncpg.connect(self.dsn)
        self.op = await con.fetchval(
            "SELECT add_operation($1, 'Kenya', 'Africa/Nairobi', 'KE')", code
        )
        await con.close()
        for area, parent, kind, lat in (
            ("KE", None, "country", None),
            ("KE-N", "KE", "region", 3.0),
            ("KE-N1", "KE-N", "zone", 3.1),
            ("KE-N2", "KE-N", "zone", 3.2),
            ("KE-S", "KE", "region", -3.0),
        ):
            self.areas[area] = await self.value(
                "INSERT INTO area (operation_id, code, name, parent_id, kind, lat, lon)"
                " VALUES (current_operation(), $1, 'Area ' || $1, $2, $3, $4, $5)"
                " RETURNING area_id",
                area,
                self.areas.get(parent or ""),
                kind,
                lat,
                None if lat is None else 37.0,
            )
        self.agency = await self.value(
            "INSERT INTO agency (operation_id, name) VALUES (current_operation(), 'WFP')"
            " RETURNING agency_id"
        )

    async def person(
        self, ref: str, area: str = "KE-N1", category: str = "national", **more: Any
    ) -> int:
        """One person; `sponsor` a person id, `kind` roster unless given."""
        return await self.value(
            "INSERT INTO person (operation_id, ref, name, category, agency_id, area_id, sponsor_id,"
            " kind, language)"
            " VALUES (current_operation(), $1, 'Name ' || $1, $2, $3, $4, $5, $6, $7)"
            " RETURNING person_id",
            ref,
            category,
            self.agency,
            self.areas[area],
            more.get("sponsor"),
            more.get("kind", "roster"),
            more.get("language"),
        )

    async def phone(self, person_id: int, token: str | None = None, kind: str = "fcm") -> uuid.UUID:
        """An enrolled device with a push address; its bearer token is `phone-<id>`."""
        device = uuid.uuid4()
        address = token or f"fcm-token-{device}"
        await self.sql(
            "WITH d AS (INSERT INTO device (operation_id, device_id, person_id, platform, sms_id5,"
            " sms_key) VALUES (current_operation(), $1, $2, 'sim', left($1::uuid::text, 18), 'x')),"
            " c AS (INSERT INTO credential (operation_id, token_sha256, kind, device_id)"
            " VALUES (current_operation(), $3, 'device', $1))"
            " INSERT INTO push_address (operation_id, device_id, kind, address)"
            " VALUES (current_operation(), $1, $5, $4)",
            device,
            person_id,
            digest(f"phone-{device}"),
            address,
            kind,
        )
        return device

    async def number(self, person_id: int, phone: str, rank: int = 1) -> None:
        """A telephone number of a person."""
        await self.sql(
            "INSERT INTO contact_point (operation_id, person_id, rank, phone)"
            " VALUES (current_operation(), $1, $2, $3)",
            person_id,
            rank,
            phone,
        )

    async def operator(
        self, token: str = "boss", role: str = "operator", area: str | None = None, **more: Any
    ) -> None:
        """An operator with an API token."""
        await self.sql(
            "WITH o AS (INSERT INTO operator (operation_id, name, role, area_id, person_id)"
            " VALUES (current_operation(), $1, $2, $3, $4) RETURNING operator_id)"
            " INSERT INTO credential (operation_id, token_sha256, kind, operator_id)"
            " SELECT current_operation(), $5, 'operator', operator_id FROM o",
            f"Name of {token}",
            role,
            self.areas[area] if area else None,
            more.get("person"),
            digest(token),
        )

    async def people(self, count: int, phones: int = 0, area: str = "KE-N1") -> None:
        """Many people at once, the first `phones` of them with a live FCM address."""
        await self.sql(
            "INSERT INTO person (operation_id, ref, name, category, agency_id, area_id)"
            " SELECT current_operation(), 'P' || n, 'Person ' || n,"
            " (ARRAY['national', 'international', 'local'])[1 + n % 3], $2, $3"
            " FROM generate_series(1, $1::int) n",
            count,
            self.agency,
            self.areas[area],
        )
        await self.sql(
            "WITH p AS (SELECT person_id, gen_random_uuid() AS id FROM person ORDER BY 1 LIMIT $1),"
            " d AS (INSERT INTO device (operation_id, device_id, person_id, platform, sms_id5,"
            " sms_key) SELECT current_operation(), id, person_id, 'sim', id::text, 'x' FROM p)"
            " INSERT INTO push_address (operation_id, device_id, kind, address)"
            " SELECT current_operation(), id, 'fcm', 'sim-token-' || person_id FROM p",
            phones,
        )

    async def checkin(
        self, person_id: int, status: str = "safe", ago_s: float = 0.0, **more: Any
    ) -> uuid.UUID:
        """A report on record as a check-in batch leaves it while an alert is being prepared."""
        key = uuid.uuid4()
        await self.sql(
            "WITH held AS MATERIALIZED"
            " (SELECT pg_advisory_xact_lock_shared(41, current_operation())),"
            " t AS (SELECT clock_timestamp() AS now FROM held)"
            " INSERT INTO checkin (operation_id, checkin_id, person_id, status, at, event_at,"
            " received_at, alert_id, exercise, reporter, actor, body_hash)"
            " SELECT current_operation(), $1, $2, $3, now, now - $4 * interval '1 second', now, $5,"
            " $6, 'self', 'device:00000000-0000-0000-0000-000000000000', '' FROM t",
            key,
            person_id,
            status,
            ago_s,
            more.get("alert_id"),
            more.get("exercise", False),
        )
        return key

    async def run_jobs(self) -> None:
        """Runs what is due, as a worker does."""
        runner = jobs.Runner(self.db, alert_jobs.handlers(self.db, served(self.settings)))
        while await runner.turn():
            pass

    async def cells_agree(self, alert_id: object) -> bool:
        """The invariant: kept cells equal a fresh count, and sum to the population."""
        kept = await self.sql(
            "SELECT area_id, agency_id, category, status, count FROM cell"
            " WHERE alert_id = $1 AND count > 0 ORDER BY 1, 2, 3, 4",
            alert_id,
        )
        fresh = await self.sql(
            "SELECT area_id, agency_id, category, status, count(*)::int FROM alert_person"
            " WHERE alert_id = $1 GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
            alert_id,
        )
        population = await self.value("SELECT population FROM alert WHERE alert_id = $1", alert_id)
        same = [tuple(r) for r in kept] == [tuple(r) for r in fresh]
        return same and sum(r["count"] for r in kept) == population

    async def counts(self, alert_id: object) -> dict[str, int]:
        """People by status, as kept."""
        rows = await self.sql(
            "SELECT status, sum(count)::int AS n FROM cell WHERE alert_id = $1 GROUP BY 1", alert_id
        )
        return {r["status"]: r["n"] for r in rows if r["n"]}

    async def events(self, kind: str) -> list[Any]:
        """The data of the events of one kind, in order."""
        rows = await self.sql("SELECT data FROM event WHERE kind = $1 ORDER BY seq", kind)
        return [json.loads(r["data"]) for r in rows]

    def asgi(self) -> Router:
        """The calls of the alerts room alone."""
        made = routes.endpoints(self.db, self.auth, self.settings, Progress(self.db))
        ordered = sorted(made, key=lambda e: ("{" in e.path, e.path))
        paths = groupby(ordered, key=lambda e: e.path)
        return Router(
            routes=[Route(path, endpoint=Shell(list(own), self.auth)) for path, own in paths]
        )

    def client(self, token: str = "boss") -> httpx.AsyncClient:
        """A caller of the API."""
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.asgi()),
            base_url="http://muster",
            headers={"Authorization": f"Bearer {token}"},
        )


@asynccontextmanager
async def world(dsn: str, **settings: Any) -> AsyncIterator[World]:
    """A world with one operator whose token is `boss`."""
    made = World(dsn, **settings)
    await made.db.open()
    try:
        await made.begin()
        await made.operator()
        yield made
    finally:
        await made.db.close()


def alert(**more: Any) -> dict[str, Any]:
    """The body of a plain roll call of everybody."""
    return {
        "id": str(uuid.uuid4()),
        "kind": "rollcall",
        "audience": {"all": True},
        "title": "Explosion near the compound",
        "body": "Stay inside and report.",
        "exercise": False,
        **more,
    }
