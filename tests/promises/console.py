"""A console over real HTTP: a snapshot, then the stream folded into it, cut and resumed at will.

Each message's data says `from` which number on it stands, its id up to which; `from` is the
previous id + 1, or something is missing. What a console holds must equal a refetch.
"""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

import aiohttp
import msgspec

Cell = tuple[str, str, str, str]  # area, agency, category, status


class Message(NamedTuple):
    """One server-sent event."""

    id: int
    event: str
    data: dict[str, Any]


class Parser:
    """Server-sent events out of bytes in any pieces. `position`: an id that came alone."""

    def __init__(self) -> None:
        self.position: int | None = None
        self.comments: list[str] = []
        self._rest = b""

    def push(self, data: bytes) -> list[Message]:
        """The messages that this piece completes."""
        *blocks, self._rest = (self._rest + data).split(b"\n\n")
        return [m for m in map(self._message, blocks) if m is not None]

    def _message(self, block: bytes) -> Message | None:
        fields: dict[str, str] = {}
        for line in block.decode().split("\n"):
            if line.startswith(":"):
                self.comments.append(line[1:].strip())
                continue
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        if "data" in fields:
            return Message(int(fields["id"]), fields["event"], msgspec.json.decode(fields["data"]))
        if "id" in fields:
            self.position = int(fields["id"])
        return None


class Console:
    """One viewer. `boards` are kept by events alone once it has begun."""

    def __init__(self, urls: Sequence[str], token: str, name: str = "console") -> None:
        self.name = name
        self.last = -1
        self.boards: dict[str, dict[Cell, int]] = {}
        self.totals: dict[str, dict[str, int]] = {}
        self.alerts: dict[str, dict[str, Any]] = {}
        self.checkins: Counter[str] = Counter()
        self.messages: Counter[str] = Counter()
        self.resyncs: list[str] = []
        self.cuts = 0
        self.ended = 0
        self.task: asyncio.Task[None] | None = None
        self._urls = itertools.cycle(urls)
        self._headers = {"Authorization": f"Bearer {token}"}
        self._session: aiohttp.ClientSession | None = None

    async def get(self, path: str) -> Any:
        """The JSON of a read; None where there is nothing for these eyes."""
        assert self._session is not None
        url = next(self._urls) + path
        async with self._session.get(url, headers=self._headers) as answer:
            if answer.status == 404:
                return None
            assert answer.status == 200, (self.name, path, answer.status, await answer.text())
            return msgspec.json.decode(await answer.read())

    async def fetched(self) -> tuple[int, dict[str, Any], dict[str, dict[Cell, int]]]:
        """What a refetch says now: a position no newer than it, the alerts, the boards."""
        seq: int | None = None
        boards: dict[str, dict[Cell, int]] = {}
        alerts: dict[str, Any] = {}
        for _ in range(2):  # a position first, then all of it again: nothing is older than that
            listed = (await self.get("/v1/alerts?limit=1000"))["items"]
            alerts = {a["id"]: a for a in listed}
            for alert_id in alerts:
                board = await self.get(f"/v1/alerts/{alert_id}/headcount")
                if board is None:  # it holds nobody of this viewer's yet
                    continue
                seq = board["seq"] if seq is None else min(seq, board["seq"])
                boards[alert_id] = _filled(board["cells"])
                self.totals.setdefault(alert_id, board["counts"])
        assert seq is not None, "a console begins with an alert on its screen"
        return seq, alerts, boards

    async def refetch(self) -> None:
        """Takes a snapshot. The first one says where to begin; a later one is followed by what
        the stream goes on with, which may be older and changes nothing then."""
        seq, self.alerts, self.boards = await self.fetched()
        if self.last < 0:
            self.last = seq

    def take(self, message: Message) -> None:
        """Folds one message. Raises AssertionError where a number is missing or told twice."""
        first = message.data["from"]
        if message.event != "resync":
            assert first == self.last + 1, f"{self.name}: {message} does not follow {self.last}"
        assert message.id >= first, message
        self.last = message.id
        self.messages[message.event] += 1
        if message.event == "headcount":
            board = self.boards.setdefault(message.data["alert_id"], {})
            for cell in message.data["cells"]:
                board[_key(cell)] = cell["count"]
            self.totals[message.data["alert_id"]] = message.data["counts"]
        elif message.event == "alert":
            self.alerts[message.data["alert"]["id"]] = message.data["alert"]
        elif message.event == "checkin":
            self.checkins.update(item["id"] for item in message.data["items"])

    async def follow(self, cut_after_s: float | None = None) -> None:
        """One connection, until the server ends it, or until it is cut: so many seconds after
        its first message, wherever in another one that may be."""
        assert self._session is not None
        headers = {**self._headers, "Last-Event-ID": str(self.last)}
        parser, began = Parser(), self.last
        loop = asyncio.get_running_loop()
        async with (
            asyncio.timeout(None) as line,
            self._session.get(next(self._urls) + "/v1/stream", headers=headers) as stream,
        ):
            assert stream.status in (200, 503), (self.name, stream.status)
            while piece := await stream.content.read(random.randrange(1, 8192)):
                for message in parser.push(piece):
                    self.take(message)
                    if message.event == "resync":
                        self.resyncs.append(message.data["reason"])
                        await self.refetch()
                if cut_after_s is not None and line.when() is None and self.last != began:
                    line.reschedule(loop.time() + cut_after_s)
        self.ended += 1

    async def run(self, cut_after_s: Callable[[], float | None] = lambda: None) -> None:
        """Follows for good, connecting again whenever it is cut, where it was."""
        while True:
            try:
                await self.follow(cut_after_s())
            except TimeoutError:
                self.cuts += 1
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)
            await asyncio.sleep(random.uniform(0, 0.05))

    async def differs(self) -> str | None:
        """What differs between this console and a refetch, or None."""
        _, alerts, boards = await self.fetched()
        for alert_id, alert in alerts.items():
            if alert != self.alerts.get(alert_id):
                return f"{self.name}: alert {alert} is held as {self.alerts.get(alert_id)}"
        for alert_id, cells in boards.items():
            own = {k: n for k, n in self.boards.get(alert_id, {}).items() if n}
            if own != cells:
                return f"{self.name}: {sorted(own.items() ^ cells.items())}"
            if self.totals[alert_id] != (totals := _totals(cells)):
                return f"{self.name}: {self.totals[alert_id]} told, {totals} refetched"
        return None

    async def agrees(self, within_s: float = 30.0) -> None:
        """Waits until it holds what a refetch says; what was committed last may be on its way."""
        end = asyncio.get_running_loop().time() + within_s
        while (what := await self.differs()) is not None:
            if self.task is not None and self.task.done():
                self.task.result()
            assert asyncio.get_running_loop().time() < end, what
            await asyncio.sleep(0.1)

    async def __aenter__(self) -> "Console":
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        self._session = aiohttp.ClientSession(timeout=timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        await self._session.close()


@asynccontextmanager
async def watching(
    console: Console, cut_after_s: Callable[[], float | None] = lambda: None
) -> AsyncIterator[Console]:
    """A console at work from a fresh snapshot. What it finds wrong is raised at the end."""
    async with console:
        await console.refetch()
        console.task = asyncio.create_task(console.run(cut_after_s), name=console.name)
        try:
            yield console
        finally:
            console.task.cancel()
            with suppress(asyncio.CancelledError):
                await console.task


def _key(cell: dict[str, Any]) -> Cell:
    return cell["area"], cell["agency"], cell["category"], cell["status"]


def _filled(cells: list[dict[str, Any]]) -> dict[Cell, int]:
    return {_key(cell): cell["count"] for cell in cells if cell["count"]}


def _totals(cells: dict[Cell, int]) -> dict[str, int]:
    totals = dict.fromkeys(("safe", "need_help", "away", "unaccounted"), 0)
    for (_, _, _, status), count in cells.items():
        totals[status] += count
    return totals
