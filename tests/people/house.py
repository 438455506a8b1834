"""A small operation with people in it, and the calls of this room over real Postgres."""

from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any
from uuid import uuid4

import httpx
from pydantic import SecretStr
from starlette.routing import Route, Router

from server.auth import Authenticator
from server.config import Settings
from server.db import Database
from server.people import operations
from server.people.routes import endpoints
from server.people.store import Operation
from server.vault import Vault
from server.web import Shell
from tests.support.live import PUSH_KEY

# KE > NBO > (GIG, WES); Ann of GIG sponsors Ben and Cleo; Dan of WES is on his own; Ann is the
# warden of GIG's node, Eve of WES's with Dan as alternate.
STATION = """
    INSERT INTO area (operation_id, code, name, kind, lat, lon) VALUES
      ({0}, 'KE', 'Kenya', 'country', 1, 38);
    INSERT INTO area (operation_id, code, name, kind, parent_id)
      SELECT {0}, 'NBO', 'Nairobi', 'duty_station', area_id FROM area
      WHERE operation_id = {0} AND code = 'KE';
    INSERT INTO area (operation_id, code, name, kind, parent_id)
      SELECT {0}, z, z || ' zone', 'zone', area_id FROM area, unnest(ARRAY['GIG', 'WES']) z
      WHERE operation_id = {0} AND code = 'NBO';
    INSERT INTO agency (operation_id, name) VALUES ({0}, 'Health'), ({0}, 'Food');
    INSERT INTO person (operation_id, ref, name, category, agency_id, area_id, sponsor_id, language)
      SELECT {0}, r, n, c, (SELECT agency_id FROM agency WHERE operation_id = {0} AND name = g),
             (SELECT area_id FROM area WHERE operation_id = {0} AND code = a),
             (SELECT person_id FROM person WHERE operation_id = {0} AND ref = s), 'en'
      FROM (VALUES ('P1', 'Ann Otieno', 'national', 'Health', 'GIG', NULL),
                   ('P4', 'Дан Иванов', 'international', 'Food', 'WES', NULL),
                   ('P5', 'Eve نور', 'local', 'Food', 'WES', NULL)) v (r, n, c, g, a, s);
    INSERT INTO person (operation_id, ref, name, category, agency_id, area_id, sponsor_id, language)
      SELECT {0}, r, n, 'family', p.agency_id, p.area_id, p.person_id, 'fr'
      FROM person p, (VALUES ('P2', 'Ben Otieno'), ('P3', 'Cleo Otieno')) v (r, n)
      WHERE p.operation_id = {0} AND p.ref = 'P1';
    INSERT INTO contact_point (operation_id, person_id, rank, phone)
      SELECT {0}, person_id, 1, '+25471200000' || right(ref, 1) FROM person
      WHERE operation_id = {0};
    INSERT INTO tree_node (operation_id, node, label, area_id)
      SELECT {0}, 'ROOT', 'Nairobi', area_id FROM area WHERE operation_id = {0} AND code = 'NBO';
    INSERT INTO tree_node (operation_id, node, label, area_id, warden_id, parent_id)
      SELECT {0}, 'N-' || a.code, 'Zone ' || a.code, a.area_id, p.person_id, t.node_id
      FROM (VALUES ('GIG', 'P1'), ('WES', 'P5')) v (code, ref)
      JOIN area a ON a.operation_id = {0} AND a.code = v.code
      JOIN person p ON p.operation_id = {0} AND p.ref = v.ref
      JOIN tree_node t ON t.operation_id = {0} AND t.node = 'ROOT';
    INSERT INTO tree_alternate (operation_id, node_id, rank, person_id)
      SELECT {0}, n.node_id, 1, p.person_id FROM tree_node n, person p
      WHERE n.operation_id = {0} AND n.node = 'N-WES' AND p.operation_id = {0} AND p.ref = 'P4';
"""


@dataclass
class House:
    """An operation of a test's own in the shared database, and its calls."""

    dsn: str
    db: Database
    auth: Authenticator
    web: httpx.AsyncClient
    operation: Operation

    @property
    def operation_id(self) -> int:
        return self.operation.operation_id

    async def other(self, *, furnished: bool = False) -> "House":
        """The same house in another new operation."""
        made = replace(self, operation=await new_operation(self.dsn))
        if furnished:
            await made.furnish()
        return made

    async def furnish(self) -> None:
        async with self.db.transaction(self.operation_id) as con:
            await con.execute(STATION.format(self.operation_id))

    async def operator(self, role: Any = "operator", **more: Any) -> str:
        made = await operations.add_operator(self.db, self.operation.code, "Desk", role, **more)
        return made.token

    async def sql(self, sql: str, *args: Any) -> Any:
        async with self.db.transaction(self.operation_id) as con:
            return await con.fetchval(sql, *args)

    async def call(
        self, method: str, path: str, token: str | None = None, **more: Any
    ) -> httpx.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return await self.web.request(method, path, headers=headers, **more)

    async def get(self, path: str, token: str, **more: Any) -> Any:
        """The JSON of a read that must succeed."""
        answer = await self.call("GET", path, token, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def code(self, desk: str, ref: str, **more: Any) -> Any:
        """A new enrolment."""
        body = {"person_ref": ref, **more}
        answer = await self.call("POST", "/v1/enrolments", desk, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def device(self, desk: str, ref: str, **more: Any) -> Any:
        """An enrolled phone of a person."""
        code = (await self.code(desk, ref))["code"]
        body = {"code": code, "platform": "sim", **more}
        answer = await self.call("POST", "/v1/devices", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()


def client(db: Database, auth: Authenticator, settings: Settings) -> httpx.AsyncClient:
    """HTTP over the room's own endpoints."""
    calls = sorted(endpoints(db, auth, settings, Vault(b"test")), key=lambda e: e.path)
    calls.sort(key=lambda e: "{" in e.path)
    paths = groupby(calls, key=lambda e: e.path)
    router = Router([Route(path, Shell(list(own), auth)) for path, own in paths])
    transport = httpx.ASGITransport(app=router, client=("203.0.113.7", 50000))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


def settings() -> Settings:
    return Settings(
        public_url="https://muster.example",
        secret_key=SecretStr("test"),
        vapid_private_key=SecretStr(PUSH_KEY),
    )


async def new_operation(dsn: str) -> Operation:
    """An empty operation in Nairobi under a code of its own."""
    return await operations.add_operation(dsn, uuid4().hex[:12], "Alpha", "Africa/Nairobi")
