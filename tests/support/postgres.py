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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO
from uuid import uuid4

import psutil

from server import db
from server.embedded import EmbeddedPostgres

TEMPLATE = "migrated"
PREFIX = "muster-test-"
MEMORY = Path("/dev/shm")
ROOM_BYTES = 4 << 30


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

    def __enter__(self) -> "TestServer":
        self._server.start()
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.sql(f"SELECT 1 FROM pg_database WHERE datname = '{TEMPLATE}'"):
                self._make_template()
        return self

    def __exit__(self, *_: object) -> None:
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

    def sql(self, statement: str) -> str:
        """The answer to one statement outside the databases of the tests, as text."""
        where = ["-d", self.dsn("postgres"), "-v", "ON_ERROR_STOP=1", "-XAtqc", statement]
        done = self._server.cluster.run("psql", *where)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _make_template(self) -> None:
        self.sql("CREATE DATABASE migrating")
        with ThreadPoolExecutor(1) as thread:  # away from any event loop of the test
            thread.submit(asyncio.run, db.migrate(self.dsn("migrating"))).result()
        self.sql(f"ALTER DATABASE migrating RENAME TO {TEMPLATE}")
