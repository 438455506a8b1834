"""One real Postgres a test run, one fresh database a test.

Every worker of the run starts the same server: the first makes it, the others adopt it, the
last one ends it. A database is a copy of a template that was migrated once.

Its files lie in memory where the machine has room for them: `fsync` stays on, and a SIGKILL leaves
the same there as on a disk. A test that kills a database makes one of its own, on the disk.
"""

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from threading import Lock, Thread
from typing import IO, Any
from uuid import uuid4

import asyncpg
import psutil

from server import db
from server.embedded import EmbeddedPostgres

TEMPLATE = "migrated"
PREFIX = "muster-test-"
MEMORY = Path("/dev/shm")
ROOM_BYTES = 4 << 30
_FIND = "SELECT FROM pg_database WHERE datname = $1"


def new_run() -> tuple[Path, IO[str]]:
    """A folder for one run, and the file whose lock says that the run is alive."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    alive = (folder / "alive").open("w")
    fcntl.flock(alive, fcntl.LOCK_EX)
    if roomy():
        (folder / "shared").symlink_to(tempfile.mkdtemp(prefix=PREFIX, dir=MEMORY))
    else:
        (folder / "shared").mkdir()
    return folder, alive


def roomy() -> bool:
    """Has the machine memory to spare for the files of a test's database?"""
    if not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK):
        return False
    return min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available) > ROOM_BYTES


def end_dead_runs() -> None:
    """Clears up after runs that were killed: their servers outlived them."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            with (folder / "alive").open() as alive:
                fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
                end_run(folder)
        except OSError:
            continue  # alive, just being made, or another run clears it up


def end_run(folder: Path) -> None:
    """Ends every server below the folder and removes it."""
    for depth in ("", "*/", "*/*/"):
        for data in folder.glob(f"{depth}postgres/data/PG_VERSION"):
            EmbeddedPostgres(data.parents[2]).stop("immediate")
    shutil.rmtree((folder / "shared").resolve(), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


class TestServer:
    """The run's server. `folder` is shared by all workers of the run."""

    __test__ = False

    def __init__(self, folder: Path) -> None:
        self._lock = folder / "template.lock"
        self._server = EmbeddedPostgres(folder / "shared")
        self._turn = Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="databases of tests", daemon=True)

    def __enter__(self) -> "TestServer":
        self._server.start()
        self._thread.start()
        self._con = self._away(asyncpg.connect(self.dsn("postgres")))
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self._away(self._con.fetch(_FIND, TEMPLATE)):
                self._make_template()
        return self

    def __exit__(self, *_: object) -> None:
        self._away(self._con.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._server.stop()

    def dsn(self, database: str) -> str:
        """The address of one database, as its superuser."""
        return self._server.dsn.replace("/muster?", f"/{database}?")

    def fresh(self) -> str:
        """The address of a new, migrated, empty database."""
        name = f"test_{uuid4().hex[:12]}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
        return self.dsn(name)

    def drop(self, dsn: str) -> None:
        """Removes a database of `fresh`, cutting connections a test left open."""
        name = dsn.rpartition("/")[2].partition("?")[0]
        self.sql(f"DROP DATABASE {name} WITH (FORCE)")

    def sql(self, statement: str) -> None:
        """Does one statement outside the databases of the tests."""
        with self._turn:
            self._away(self._con.execute(statement))

    def _make_template(self) -> None:
        self.sql("CREATE DATABASE migrating")
        self._away(db.migrate(self.dsn("migrating")))
        self.sql(f"ALTER DATABASE migrating RENAME TO {TEMPLATE}")

    def _away(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The result of work done away from any event loop of a test."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
