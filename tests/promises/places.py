"""Where these tests run: a seeded operation, a Postgres of one's own, a server that owns one."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from server import db
from server.embedded import EmbeddedPostgres
from tests.support.live import ROOT, LiveServer
from tests.support.seed import Station, station

LONG = os.environ.get("MUSTER_LONG") == "1"


@asynccontextmanager
async def seeded(dsn: str, people: int, code: str = "TEST") -> AsyncIterator[Station]:
    """An operation with people in it, and the test's own way to the database."""
    database = db.Database(dsn, 8)
    await database.open()
    try:
        yield await station(database, people, code=code)
    finally:
        await database.close()


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder that a database server of another user can reach, unlike pytest's."""
    with tempfile.TemporaryDirectory(prefix="muster-promise-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@asynccontextmanager
async def own_postgres() -> AsyncIterator[EmbeddedPostgres]:
    """A migrated Postgres that no other test uses, so that it may be stopped and killed."""
    with own_folder() as folder:
        server = EmbeddedPostgres(folder)
        await asyncio.to_thread(server.start)
        try:
            await db.migrate(server.dsn)
            yield server
        finally:
            await asyncio.to_thread(server.stop, "immediate")


@asynccontextmanager
async def serving(dsn: str, *, role: str = "api", **env: str) -> AsyncIterator[LiveServer]:
    """A live server that is ended in order."""
    server = LiveServer(dsn, role=role, **env)
    await asyncio.to_thread(server.start)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)


class HomeServer(LiveServer):
    """`muster serve` that owns its database, as on a single box: no address is given to it."""

    def __init__(self, folder: Path) -> None:
        super().__init__("", role="api")
        self.postgres = EmbeddedPostgres(folder)  # to look at: the server starts its own
        self._folder = folder

    def start(self) -> "HomeServer":
        """Starts it and waits until it can write."""
        env = {k: v for k, v in os.environ.items() if k != "MUSTER_DATABASE_URL"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "server", "serve", "--port", str(self.port), "--role", "api"],
            cwd=ROOT,
            env={**env, "MUSTER_DATA_DIR": str(self._folder), "MUSTER_PUBLIC_URL": self.url},
        )
        self._wait_ready()
        return self


def postmaster(server: EmbeddedPostgres) -> int:
    """The process id of the server that runs on this data."""
    return int((server.cluster.data / "postmaster.pid").read_text().split()[0])


def kill_postmaster(server: EmbeddedPostgres) -> None:
    """SIGKILL of the database server: no checkpoint, no farewell."""
    os.kill(postmaster(server), signal.SIGKILL)
