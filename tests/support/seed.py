"""Small stations written straight into the tables: for tests below the HTTP layer."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from server import db

_PEOPLE = """
    WITH areas AS (
      INSERT INTO area (operation_id, code, name, kind, lat, lon)
      SELECT current_operation(), 'A' || n, 'Area ' || n, 'zone', 1 + n / 100.0, 30 + n / 100.0
      FROM generate_series(1, $2::int) n RETURNING area_id),
    agencies AS (
      INSERT INTO agency (operation_id, name)
      SELECT current_operation(), 'Agency ' || n FROM generate_series(1, $3::int) n
      RETURNING agency_id),
    a AS (SELECT array_agg(area_id ORDER BY area_id) ids FROM areas),
    g AS (SELECT array_agg(agency_id ORDER BY agency_id) ids FROM agencies)
    INSERT INTO person (operation_id, ref, name, category, agency_id, area_id)
    SELECT current_operation(), 'P' || n, 'Person ' || n,
           (ARRAY['national', 'local', 'international', 'contractor', 'volunteer'])[1 + n % 5],
           g.ids[1 + n % $3::int], a.ids[1 + n % $2::int]
    FROM generate_series(1, $1::int) n, a, g
    RETURNING person_id
"""
_OPEN = """
    WITH incident AS (
      INSERT INTO incident (operation_id, incident_id, title, exercise, opened_by)
      VALUES (current_operation(), $1, 'Test', $2, 'test') RETURNING incident_id),
    alert AS (
      INSERT INTO alert (operation_id, alert_id, incident_id, kind, severity, mode, audience,
                         title, body, exercise, state, body_sha256, created_by, counts_from,
                         opened_at)
      SELECT current_operation(), $1, incident_id, 'rollcall', 'urgent', 'broadcast', '{}',
             'Roll call', 'Answer', $2, $3, '', 'test', clock_timestamp(), clock_timestamp()
      FROM incident RETURNING alert_id),
    members AS (
      INSERT INTO alert_person (operation_id, alert_id, person_id, area_id, agency_id, category,
                                parity, matched)
      SELECT current_operation(), alert_id, p.person_id, p.area_id, p.agency_id, p.category,
             parity_of(p.category, s.category), 'all'
      FROM alert, person p
      LEFT JOIN person s ON s.operation_id = p.operation_id AND s.person_id = p.sponsor_id
      RETURNING area_id, agency_id, category)
    INSERT INTO cell (operation_id, alert_id, area_id, agency_id, category, status, count)
    SELECT current_operation(), $1, m.area_id, m.agency_id, m.category, s.status,
           CASE s.status WHEN 'unaccounted' THEN count(*) ELSE 0 END
    FROM members m, unnest(ARRAY['safe', 'need_help', 'away', 'unaccounted']) AS s (status)
    GROUP BY m.area_id, m.agency_id, m.category, s.status
"""
FRESH = """
    SELECT area_id, agency_id, category, status, count(*)::int FROM alert_person
    WHERE alert_id = $1 GROUP BY 1, 2, 3, 4
"""
KEPT = (
    "SELECT area_id, agency_id, category, status, count FROM cell WHERE alert_id = $1 AND count > 0"
)


@dataclass
class Station:
    """A seeded operation: its id and its people's ids, person n having the ref `P<n>`."""

    operation_id: int
    people: list[int]
    database: db.Database

    async def open_rollcall(
        self, *, exercise: bool = False, state: str = "open", alert_id: UUID | None = None
    ) -> UUID:
        """An open roll call over everyone."""
        alert_id = alert_id or uuid4()
        async with self.database.transaction(self.operation_id) as con:
            await con.execute(_OPEN, alert_id, exercise, state)
            await con.execute("ANALYZE alert_person")  # as an opening does
        return alert_id

    async def cells(self, alert_id: UUID) -> tuple[set[Any], set[Any]]:
        """The headcount as kept, and as counted afresh, at one instant."""
        async with self.database.transaction(self.operation_id, snapshot=True) as con:
            kept = {tuple(r) for r in await con.fetch(KEPT, alert_id)}
            fresh = {tuple(r) for r in await con.fetch(FRESH, alert_id)}
        return kept, fresh


async def station(
    database: db.Database, people: int = 100, areas: int = 4, agencies: int = 3, code: str = "TEST"
) -> Station:
    """Makes an operation with people spread over areas, agencies and categories."""
    con = await asyncpg.connect(database.dsn)
    try:
        operation_id = await con.fetchval(
            "SELECT add_operation($1, $1, 'Africa/Nairobi', 'KE')", code
        )
    finally:
        await con.close()
    async with database.transaction(operation_id) as con:
        rows = await con.fetch(_PEOPLE, people, areas, agencies)
    return Station(operation_id, [r[0] for r in rows], database)
