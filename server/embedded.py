"""The local PostgreSQL: started, adopted after a crash, stopped. No network, no passwords.

It listens on a Unix socket in a folder only its own user may enter, and asks the kernel who
connects (`peer`). Several processes may use one server: each holds a lock that dies with it,
and the last one to stop ends the server. After a SIGKILL the next start finds the server
running and takes it over, or clears what is left and starts it anew.
"""

import asyncio
import fcntl
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Literal, Self
from urllib.parse import quote

import psutil

from server import log
from server.cluster import INSTALLED, PORT, Cluster, EmbeddedError, explained, failure

__all__ = ["EmbeddedError", "EmbeddedPostgres"]

LOGGER = log.get("embedded")
Mode = Literal["smart", "fast", "immediate"]
SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}


class EmbeddedPostgres:
    """One local server, kept in `data_dir`/postgres. Its calls block: use a thread in a loop.

    `with EmbeddedPostgres(path) as server:` starts it and stops it; `server.dsn` is its address.
    """

    def __init__(self, data_dir: Path) -> None:
        self.cluster = Cluster(data_dir)
        self._child: subprocess.Popen[bytes] | None = None
        self._use: IO[str] | None = None

    @property
    def dsn(self) -> str:
        """The address: superuser `muster`, database `muster`. The same after every restart."""
        host = quote(str(self.cluster.sockets), safe="")
        return f"postgresql://muster@/muster?host={host}&port={PORT}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, patience: float = 300.0) -> str:
        """Returns the DSN of the running server, which may have been running before.

        `patience` bounds the wait for a recovery after a crash, in seconds. May be called
        again after the server died. Raises EmbeddedError.
        """
        with explained(self.cluster.base):
            self.cluster.prepare()
            with self._alone(patience):
                try:
                    sole = self._hold()
                    self.cluster.create()
                    if not self._adopt(sole, patience):
                        self._launch(patience)
                except BaseException:
                    self._let_go()
                    raise
        return self.dsn

    def stop(self, mode: Mode = "fast") -> bool:
        """Ends the server unless another process still uses it. True if it is down."""
        if not self.cluster.base.exists():
            return True
        with explained(self.cluster.base), self._alone(60):
            sole = self._hold()
            if sole:
                self._halt(mode)
            elif self._child is not None:
                self._child.returncode = 0  # left on purpose: nobody need complain of it
                self._child = None
            self._let_go()
        return sole

    def running(self) -> bool:
        """Is the server process alive? Cheap enough to ask every half second."""
        return self._postmaster() is not None

    def healthy(self) -> bool:
        """Does the server answer connections now?"""
        return self.cluster.run("pg_isready", "-q", "-t", "3", "-d", self.dsn).returncode == 0

    async def revive(self) -> bool:
        """One turn of a lasting task: starts a server that died. Never finds more work."""
        if not self.running():
            LOGGER.error("database_died")
            await asyncio.to_thread(self.start)
            LOGGER.warning("database_restarted")
        return False

    @contextmanager
    def _alone(self, patience: float) -> Iterator[None]:
        """No two processes start or stop the same server at once."""
        with (self.cluster.base / "lock").open("a") as file:
            deadline = time.monotonic() + patience
            while not _lock(file, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise EmbeddedError(
                        "Another process has been starting or stopping this server too long.",
                        f"Find the process that holds {file.name}, end it and start again.",
                    )
                time.sleep(0.05)
            yield

    def _hold(self) -> bool:
        """Marks this process as a user of the server. True if it is the only one."""
        if self._use is None:
            self._use = (self.cluster.base / "users").open("a")
        sole = _lock(self._use, fcntl.LOCK_EX)
        _lock(self._use, fcntl.LOCK_SH)
        return sole

    def _let_go(self) -> None:
        if self._use is not None:
            self._use.close()
            self._use = None

    def _adopt(self, sole: bool, patience: float) -> bool:
        """Takes over a server that runs already, unless it must be replaced."""
        if not self._wait_ready(patience):
            return False
        if not sole or self.cluster.is_configured():
            LOGGER.info("database_adopted")
            return True
        LOGGER.info("database_replaced")  # another release of Muster started it
        self._halt("fast")
        return False

    def _launch(self, patience: float) -> None:
        for _ in range(20):
            self._end_leftovers()
            (self.cluster.data / "postmaster.pid").unlink(missing_ok=True)
            self.cluster.configure()
            self._spawn()
            if self._wait_ready(patience):
                LOGGER.info("database_started")
                return
            said = self.cluster.last_words()
            if "pre-existing shared memory block" not in said:
                break
            time.sleep(0.1)  # the last process of a killed server is just leaving
        raise failure(said, self.cluster.base)

    def _spawn(self) -> None:
        with (self.cluster.base / "start.log").open("wb") as said:
            self._child = subprocess.Popen(
                [str(INSTALLED / "bin" / "postgres"), "-D", str(self.cluster.data)],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to handle, in order
                **self.cluster.terms(),
            )

    def _wait_ready(self, patience: float) -> bool:
        """True once the server takes connections; False if there is none, or it ended."""
        deadline = time.monotonic() + patience
        while self._postmaster() is not None or self._child is not None:
            if self._pid_file()[2] == "ready":
                return True
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"PostgreSQL is not ready after {patience:.0f} s; it may still recover.",
                    "Leave it running, wait and start again.",
                )
            time.sleep(0.02)
        return False

    def _halt(self, mode: Mode) -> None:
        """Ends the server, harder if it takes longer than its checkpoint should."""
        master = self._postmaster()
        steps = [(SIGNALS[mode], 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0)]
        for number, patience in steps if master else []:
            if _end([master], number, patience):
                break
        self._end_leftovers()
        if self._child is not None:
            self._child.wait()
            self._child = None

    def _end_leftovers(self) -> None:
        """Ends backends whose postmaster was killed: two servers must never share files."""
        title = f"postgres: {self.cluster.title}:"
        for number in (signal.SIGQUIT, signal.SIGKILL):
            left = [p for p in psutil.process_iter() if " ".join(_words(p)).startswith(title)]
            if _end(left, number, 5.0):
                break

    def _postmaster(self) -> psutil.Process | None:
        """The living server process of this data, by postmaster.pid and its command line.

        Raises EmbeddedError if the data is a copy of another live server's, or if a server
        that Muster did not start runs on it.
        """
        if self._child is not None and self._child.poll() is not None:
            self._child = None
        pid, folder, _ = self._pid_file()
        words = _words(_process(pid))
        if not words or Path(words[0]).name != "postgres":
            return None  # gone, or its number is another program's now
        runs_on = words[words.index("-D") + 1] if "-D" in words[:-1] else folder
        if runs_on == str(self.cluster.data) and "-D" in words:
            return _process(pid)
        if runs_on == folder:
            raise EmbeddedError(
                f"{self.cluster.data} belongs to a running server of {folder} (process {pid}).",
                "Stop that server first. A copy of a live server's files must not be used;"
                " make one with pg_basebackup.",
            )
        return None

    def _pid_file(self) -> tuple[int, str, str]:
        """Process, folder and status of postmaster.pid; (0, "", "") if there is none."""
        try:
            lines = (self.cluster.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return 0, "", ""
        lines += [""] * 8
        number = lines[0].strip()
        return int(number) if number.isdigit() else 0, lines[1].strip(), lines[7].strip()


def _lock(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid) if pid > 0 else None
    except psutil.NoSuchProcess:
        return None


def _end(processes: list[psutil.Process], number: int, patience: float) -> bool:
    """Signals the processes and waits for their end. True if all are gone."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
    deadline = time.monotonic() + patience
    while not (gone := all(_gone(p) for p in processes)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return gone


def _gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _words(process: psutil.Process | None) -> list[str]:
    """The command line of a process; empty if it is gone or a zombie."""
    try:
        return [] if process is None else list(process.cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return []
