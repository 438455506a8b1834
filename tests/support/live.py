"""The real server as processes on loopback, to be killed, cut and restarted by tests."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from urllib.request import urlopen

ROOT = Path(__file__).parents[2]
PUSH_KEY = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"  # a Web Push key for tests


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class LiveServer:
    """`muster serve` on a database of the test's. A context manager; `kill` is a SIGKILL of
    the parent and every child at once. `log` takes all that its processes print."""

    def __init__(
        self,
        dsn: str,
        *,
        port: int | None = None,
        role: str = "all",
        log: Path | None = None,
        **env: str,
    ) -> None:
        self.dsn = dsn
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._role = role
        self._env = env
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "LiveServer":
        """Starts it and waits until it can write."""
        command = [sys.executable, "-m", "server", "serve", "--port", str(self.port)]
        env = {**os.environ, "MUSTER_DATABASE_URL": self.dsn, "MUSTER_SECRET_KEY": "test",
               "MUSTER_VAPID_PRIVATE_KEY": PUSH_KEY, "MUSTER_PUBLIC_URL": self.url}  # fmt: skip
        with ExitStack() as opened:
            log = opened.enter_context(self._log.open("ab")) if self._log else None
            self._process = subprocess.Popen(
                [*command, "--role", self._role],
                cwd=ROOT,
                env={**env, **self._env},
                stdout=log,
                stderr=log,
            )
        self._wait_ready()
        return self

    @property
    def pid(self) -> int:
        """The parent's process id."""
        assert self._process is not None
        return self._process.pid

    def children(self) -> list[int]:
        """Process ids of the API and worker children."""
        listed = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(word) for word in listed.split()]

    def kill(self) -> None:
        """SIGKILL of all of it: nothing gets to say goodbye."""
        for pid in [self.pid, *self.children()]:
            os.kill(pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait(10)

    def terminate(self) -> tuple[int, float]:
        """SIGTERM; the exit status and the seconds it took."""
        assert self._process is not None
        started = time.monotonic()
        self._process.terminate()
        status = self._process.wait(30)
        return status, time.monotonic() - started

    def _wait_ready(self) -> None:
        if self._role == "worker":
            return
        assert self._process is not None
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise RuntimeError(f"the server ended with {self._process.returncode}")
            try:
                with urlopen(self.url + "/readyz", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.05)
        raise TimeoutError("the server did not get ready")

    def __enter__(self) -> "LiveServer":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self.terminate()


async def started(server: LiveServer) -> LiveServer:
    """`server.start` off the event loop."""
    return await asyncio.to_thread(server.start)
