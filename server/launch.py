"""Processes: the parent owns the database server and the sockets, children do the work.

`serve --role all` is one parent, N API children and one worker child, so that fan-out never
shares the panic endpoint's event loop. Children hold a pipe from the parent: when the parent
dies, however it dies, they see its end and stop.
"""

import asyncio
import os
import resource
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from server import db, log
from server.config import Settings
from server.embedded import EmbeddedPostgres
from server.supervise import forever

LOGGER = log.get("launch")
STOP_S = 9.0
RESTART_PAUSE_S = 1.0
REVIVE_EVERY_S = 0.5
MOST_FILES = 262_144


def raise_file_limit() -> None:
    """Lets this process and its children hold as many connections as the machine allows.

    Each phone and console is an open file, and the usual limit is 1,024.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def bind(host: str, port: int) -> socket.socket:
    """A listening socket that API children inherit. Raises OSError if the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(4096)
    listener.set_inheritable(True)
    return listener


@dataclass
class Child:
    """A child process and what is needed to start it again."""

    role: str
    process: asyncio.subprocess.Process
    pipe: int = field(default=-1)


class Launcher:
    """Starts children, replaces those that die, ends all of them in order."""

    def __init__(self, dsn: str, listener: socket.socket | None) -> None:
        self._dsn = dsn
        self._listener = listener
        self._children: list[Child] = []
        self.stopping = asyncio.Event()

    async def start(self, role: str) -> None:
        """Starts one child of a role: api or worker."""
        read_end, write_end = os.pipe()
        fds = [read_end]
        command = [sys.executable, "-m", "server", "child", role, "--life-fd", str(read_end)]
        if role == "api" and self._listener is not None:
            fds.append(self._listener.fileno())
            command += ["--listen-fd", str(self._listener.fileno())]
        process = await asyncio.create_subprocess_exec(
            *command,
            pass_fds=fds,
            env={**os.environ, "MUSTER_DATABASE_URL": self._dsn},
            start_new_session=True,
        )
        os.close(read_end)
        self._children.append(Child(role, process, write_end))

    async def watch(self) -> None:
        """Replaces a child that ends while nobody asked it to."""
        while not self.stopping.is_set():
            for child in list(self._children):
                if child.process.returncode is not None and not self.stopping.is_set():
                    LOGGER.error("child_died", role=child.role, status=child.process.returncode)
                    self._drop(child)
                    await asyncio.sleep(RESTART_PAUSE_S)
                    await self.start(child.role)
            await asyncio.sleep(0.2)

    async def stop(self) -> int:
        """Ends the worker first, then the API children; 0 if all ended orderly."""
        worst = 0
        for role in ("worker", "api"):
            own = [c for c in self._children if c.role == role]
            for child in own:
                if child.process.returncode is None:
                    child.process.send_signal(signal.SIGTERM)
            for child in own:
                worst = max(worst, await _ended(child))
                self._drop(child)
        return worst

    def pids(self, role: str) -> list[int]:
        """Process ids of the living children of a role."""
        return [c.process.pid for c in self._children if c.role == role]

    def _drop(self, child: Child) -> None:
        os.close(child.pipe)
        self._children.remove(child)


async def _ended(child: Child) -> int:
    try:
        return abs(await asyncio.wait_for(child.process.wait(), STOP_S))
    except TimeoutError:
        LOGGER.error("child_killed", role=child.role)
        child.process.kill()
        await child.process.wait()
        return 1


async def serve(
    settings: Settings,
    *,
    host: str,
    port: int,
    processes: int,
    role: str,
    ready: Callable[[str], Awaitable[None]] | None = None,
) -> int:
    """Runs a whole server until SIGTERM or SIGINT. Returns the exit status.

    `ready` is called with the database address once the children are started.
    """
    raise_file_limit()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    listener = bind(host, port) if role in ("all", "api") else None
    embedded = EmbeddedPostgres(settings.data_dir) if settings.database_url is None else None
    dsn = await asyncio.to_thread(embedded.start) if embedded else str(settings.database_url)
    try:
        await db.wait_ready(dsn)
        await db.migrate(dsn)
        launcher = Launcher(dsn, listener)
        launcher.stopping = stopping
        roles = ["worker"] * (role in ("all", "worker")) + ["api"] * processes * (role != "worker")
        for each in roles:
            await launcher.start(each)
        watching = asyncio.create_task(launcher.watch(), name="children")
        reviving = asyncio.create_task(_keep_alive(embedded), name="database")
        try:
            if ready is not None:
                await ready(dsn)
            await stopping.wait()
        finally:
            stopping.set()
            reviving.cancel()
            await asyncio.wait([watching, reviving])
            status = await launcher.stop()
        return status
    finally:
        if embedded:
            await asyncio.to_thread(embedded.stop)
        if listener:
            listener.close()


async def _keep_alive(embedded: EmbeddedPostgres | None) -> None:
    """Starts our own database server again whenever it has died."""
    if embedded is not None:
        await forever("database", embedded.revive, REVIVE_EVERY_S)


async def until_parent_gone(life_fd: int, gone: Callable[[], None]) -> None:
    """Calls `gone` when the parent's end of the pipe closes."""
    loop = asyncio.get_running_loop()
    closed = asyncio.Event()
    loop.add_reader(life_fd, closed.set)
    await closed.wait()
    loop.remove_reader(life_fd)
    gone()
