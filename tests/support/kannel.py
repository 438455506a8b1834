"""A real Kannel on loopback: bearerbox and smsbox, behind them a stand-in for an SMS centre that
speaks SMPP, and Kannel's own fakesmsc.

    async with running(tmp_path, mo_url) as kannel:
        kannel.sendsms                     # the address of a route
        kannel.centre.texts                # what phones got
        await kannel.mobile_originated("+254700000001", "SAFE K7Q2")   # a phone texts us

Every port is bound to 127.0.0.1, `our-host` sees to it for the fake centre. Numbers that begin
with FAKE_PREFIX go to fakesmsc, all others to the SMPP centre. Its words are in `tmp_path/kannel`,
and are shown when a test fails.
"""

import asyncio
import random
import re
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

from clients.simulator.smpp import SmsCentre
from tests.support.live import ROOT
from tools.kannel import REMEDY, find

USER, PASSWORD, SENDER = "muster", "secret", "4670"
FAKE_PREFIX = "+25471"
STARTS = 3  # another process may take a port between its choice and its use
READY_S = 20.0
_CONFIGURATION = """\
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = {password}
smsbox-port = {box}
smsbox-interface = 127.0.0.1
box-deny-ip = "*.*.*.*"
box-allow-ip = "127.0.0.1"
store-type = spool
store-location = "{store}"
dlr-storage = internal

group = smsc
smsc = smpp
smsc-id = CENTRE
host = 127.0.0.1
port = {smpp}
transceiver-mode = true
smsc-username = muster
smsc-password = secret
system-type = ""
reconnect-delay = 1
denied-prefix = "{fake_prefix}"

group = smsc
smsc = fake
smsc-id = FAKE
our-host = 127.0.0.1
port = {fake}
connect-allow-ip = 127.0.0.1
allowed-prefix = "{fake_prefix}"

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {box}
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1
global-sender = {sender}
mo-recode = true
http-request-retry = 1000
http-queue-delay = 1

group = sendsms-user
username = {user}
password = {password}
concatenation = true
max-messages = 10

group = sms-service
keyword = default
catch-all = true
max-messages = 0
concatenation = true
get-url = "{mo_url}?from=%p&to=%P&text=%b&smsc=%i&id=%I&ts=%T"
"""


def quiet_port() -> int:
    """A free port of loopback that no outgoing connection is given: it may be used later."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Kannel:
    """bearerbox and smsbox over one store. `start` again after `kill` finds what was kept."""

    def __init__(self, folder: Path, mo_url: str, centre: SmsCentre) -> None:
        found = find(ROOT / ".venv" / "kannel")
        if found is None:
            raise RuntimeError(REMEDY)
        self._found = found
        self.folder = folder
        self.centre = centre
        self._mo_url = mo_url
        self._ports: dict[str, int] = {}
        self._running: list[subprocess.Popen[bytes]] = []

    @property
    def sendsms(self) -> str:
        """Where texts are handed over."""
        return f"http://127.0.0.1:{self._ports['sendsms']}/cgi-bin/sendsms"

    @property
    def pids(self) -> list[int]:
        """The processes of bearerbox and smsbox, in this order."""
        return [p.pid for p in self._running]

    @property
    def store(self) -> Path:
        """Where bearerbox keeps what it has not handed on, a file each."""
        return self.folder / "store"

    def kept(self) -> int:
        """How many texts bearerbox keeps."""
        return sum(1 for file in self.store.rglob("*") if file.is_file())

    async def start(self) -> None:
        """Starts both and waits until they work together; the ports stay over a restart."""
        self.store.mkdir(parents=True, exist_ok=True)
        for _ in range(1 if self._ports else STARTS):
            self._ports = self._ports or {
                n: quiet_port() for n in ("admin", "box", "sendsms", "fake")
            }
            self._configure()
            if await self._both():
                return
            self.kill()
            self._ports = {}
        raise RuntimeError("Kannel did not start; its words are above")

    def _configure(self) -> None:
        words = {"user": USER, "password": PASSWORD, "sender": SENDER, "store": self.store,
                 "smpp": self.centre.port, "fake_prefix": FAKE_PREFIX,
                 "mo_url": self._mo_url}  # fmt: skip
        (self.folder / "kannel.conf").write_text(_CONFIGURATION.format(**words, **self._ports))

    async def _both(self) -> bool:
        self.spawn("bearerbox", "-v", "1", "kannel.conf")
        if not await self._until(r"Kannel bearerbox version"):
            return False
        self.spawn("smsbox", "-v", "1", "kannel.conf")
        return await self._until(r"<type>smsbox</type>")

    def spawn(self, program: str, *words: str) -> subprocess.Popen[bytes]:
        """Starts one of Kannel's programs in the folder; `kill` ends it too."""
        with (self.folder / f"{program}.log").open("ab") as log:
            process = subprocess.Popen(
                [str(self._found.programs[program]), *words],
                cwd=self.folder,
                env=self._found.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._running.append(process)
        return process

    async def _until(self, pattern: str) -> bool:
        """Waits until bearerbox's status says it; False when a program has ended."""
        async with asyncio.timeout(READY_S):
            while not re.search(pattern, await asyncio.to_thread(self.status)):
                if any(p.poll() is not None for p in self._running):
                    return False
                await asyncio.sleep(0.02)
        return True

    def status(self) -> str:
        """What bearerbox says of itself, its boxes and its centres; empty while it is away."""
        address = f"http://127.0.0.1:{self._ports['admin']}/status.xml?password={PASSWORD}"
        try:
            with urlopen(address, timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """bearerbox stands still; what smsbox took waits for it."""
        bearerbox = self._running[0]
        bearerbox.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            bearerbox.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL of all of it, at once."""
        for process in self._running:
            process.send_signal(signal.SIGKILL)
        for process in self._running:
            process.wait(10)
        self._running = []

    async def bound(self) -> None:
        """Waits until bearerbox and the SMPP centre are at each other."""
        async with asyncio.timeout(READY_S):
            while not self.centre.bound():  # noqa: ASYNC110 - a test's wait
                await asyncio.sleep(0.02)

    async def mobile_originated(self, sender: str, text: str) -> None:
        """A phone texts us, by way of the SMPP centre; bearerbox has taken it."""
        await self.bound()
        await self.centre.originate(sender, SENDER, text)

    def fake_phones(self, line: str) -> "FakePhones":
        """fakesmsc, which sends one text and stays for those that come.

        The line is `sender receiver text words`, or `sender receiver ucs2 %06%33..` (UTF-16BE).
        """
        port = str(self._ports["fake"])
        self.spawn("fakesmsc", "-H", "127.0.0.1", "-r", port, "-m", "1", line)
        return FakePhones(self.folder / "fakesmsc.log")

    def words(self) -> str:
        """The end of each program's log."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(
            f"-- {log.name}\n" + "\n".join(log.read_text("utf-8", "replace").splitlines()[-40:])
            for log in logs
        )


class FakePhones:
    """What fakesmsc's phones got, as it writes it down: `sender receiver text words`."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def got(self) -> list[str]:
        """One line a text, in order."""
        told = self._log.read_text("utf-8", "replace")
        return re.findall(r"Got message \d+: <(.*)>$", told, re.MULTILINE)


@asynccontextmanager
async def running(tmp_path: Path, mo_url: str, centre: SmsCentre) -> AsyncIterator[Kannel]:
    """A Kannel of a test's own. Its log is printed when the test fails."""
    folder = tmp_path / "kannel"
    await asyncio.to_thread(folder.mkdir)
    kannel = Kannel(folder, mo_url, centre)
    try:
        await kannel.start()
        yield kannel
    except BaseException:
        print(kannel.words())
        raise
    finally:
        kannel.kill()
