"""What every bench row needs: a database of its own, a server process, phones' tokens."""

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from uuid import UUID, uuid4

import asyncpg
import msgspec

from server import db
from server.auth import digest, new_token
from tests.support.live import PUSH_KEY
from tests.support.seed import Station, station

_DEVICES = """
    INSERT INTO device (operation_id, device_id, person_id, platform, sms_id5, sms_key)
    SELECT current_operation(), u.id, u.person, 'sim', lpad(u.n::text, 8, '0'), ''
    FROM unnest($1::uuid[], $2::int[]) WITH ORDINALITY AS u (id, person, n)
"""
_TOKENS = """
    INSERT INTO credential (operation_id, token_sha256, kind, device_id)
    SELECT current_operation(), u.token, 'device', u.id
    FROM unnest($1::uuid[], $2::bytea[]) AS u (id, token)
"""
_OPERATOR = """
    INSERT INTO operator (operation_id, name, role) VALUES (current_operation(), 'Bench', 'admin')
    RETURNING operator_id
"""
_OPERATOR_TOKEN = """
    INSERT INTO credential (operation_id, token_sha256, kind, operator_id)
    VALUES (current_operation(), $1, 'operator', $2)
"""


class Figure(msgspec.Struct, frozen=True):
    """One row of the bench: `value` in `unit`, and its `baseline` of the same run if any.

    `note` says under what it was measured, where that is for the machine to decide.
    """

    name: str
    value: float
    unit: str
    baseline: float | None = None
    note: str | None = None

    @property
    def ratio(self) -> float | None:
        """value / baseline."""
        return None if self.baseline in (None, 0) else self.value / float(self.baseline or 1)


@dataclass
class Bench:
    """The database server of this run; each row makes a database of its own in it."""

    dsn: str
    made: int = field(default=0)

    async def database(self) -> str:
        """The address of a fresh, migrated database."""
        self.made += 1
        name = f"bench_{os.getpid()}_{self.made}"
        con = await asyncpg.connect(self.dsn)
        await con.execute(f"CREATE DATABASE {name}")
        await con.close()
        base, _, query = self.dsn.partition("?")
        dsn = base.rsplit("/", 1)[0] + f"/{name}" + (f"?{query}" if query else "")
        await db.migrate(dsn)
        return dsn


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stage:
    """A seeded station behind a real server process; `tokens[n]` is the phone of person n."""

    def __init__(self, bench: Bench, *, people: int, rollcall: bool = False) -> None:
        self._bench = bench
        self._people = people
        self._rollcall = rollcall
        self.tokens: list[str] = []
        self.port = free_port()
        self.alert_id: UUID = uuid4()

    async def __aenter__(self) -> "Stage":
        self.dsn = await self._bench.database()
        self.database = db.Database(self.dsn, 4)
        await self.database.open()
        self.station: Station = await station(self.database, self._people, 24, 4)
        await self._enrol()
        if self._rollcall:
            self.alert_id = await self.station.open_rollcall()
        con = await asyncpg.connect(self.dsn)
        await con.execute("VACUUM ANALYZE")
        await con.close()
        self._server = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "loadtests.bench_server", self.dsn, str(self.port),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "MUSTER_SECRET_KEY": "bench", "MUSTER_VAPID_PRIVATE_KEY": PUSH_KEY},
        )  # fmt: skip
        assert self._server.stdout
        line = await asyncio.wait_for(self._server.stdout.readline(), 30)
        self.server_pid = int(line.split()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        assert self._server.stdin
        self._server.stdin.close()
        await asyncio.wait_for(self._server.wait(), 30)
        await self.database.close()

    async def operator(self) -> str:
        """A new operator's token."""
        token = new_token()
        async with self.database.transaction(self.station.operation_id) as con:
            operator_id = await con.fetchval(_OPERATOR)
            await con.execute(_OPERATOR_TOKEN, digest(token), operator_id)
        return token

    async def _enrol(self) -> None:
        people = self.station.people
        self.tokens = [new_token() for _ in people]
        devices = [uuid4() for _ in people]
        async with self.database.transaction(self.station.operation_id) as con:
            await con.execute(_DEVICES, devices, people)
            await con.execute(_TOKENS, devices, [digest(t) for t in self.tokens])


Row = Callable[[Bench], Awaitable[list[Figure]]]
