"""Load beside what a row measures, from a process of its own: who measures must not be who loads.

`python -m loadtests.floods` reads one line of JSON, an `Order`, and keeps to it until its input
closes; then it prints what came back, a `Report` for each flood, as a line of JSON.
"""

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import msgspec
import uvloop

from loadtests.blaster import Pace, Tally, blast, post

LONGEST_S = 120.0


class Flood(msgspec.Struct, frozen=True):
    """Requests of one kind at `rate` a second, by callers drawn from `tokens`."""

    kind: str
    rate: float
    connections: int
    tokens: list[str] = []


class Order(msgspec.Struct, frozen=True):
    """What to send where."""

    port: int
    floods: list[Flood]


class Report(msgspec.Struct, frozen=True):
    """What came back of a flood: answers a second, by status, and the 99th percentile in ms."""

    kind: str
    rate: float
    statuses: dict[str, int]
    p99_ms: float


def _checkin(token: str) -> bytes:
    status = random.choice(("safe", "safe", "safe", "away", "need_help"))
    said = f'{{"id":"{uuid4()}","status":"{status}","at":"{datetime.now(UTC).isoformat()}"}}'
    return post("/v1/checkins", token, said.encode())


def _press(token: str) -> bytes:
    said = f'{{"id":"{uuid4()}","at":"{datetime.now(UTC).isoformat()}"}}'
    return post("/v1/panics", token, said.encode())


def _login(token: str) -> bytes:
    return post("/v1/sessions", token, f'{{"token":"{uuid4().hex}"}}'.encode())


MAKERS: dict[str, Callable[[str], bytes]] = {"checkin": _checkin, "press": _press, "login": _login}


async def _run(port: int, flood: Flood, over: asyncio.Event) -> Report:
    """One flood, until it is over."""
    make, tokens = MAKERS[flood.kind], flood.tokens or ["none"]

    def request() -> bytes | None:
        return None if over.is_set() else make(random.choice(tokens))

    tally = await blast(
        port,
        request,
        connections=flood.connections,
        seconds=LONGEST_S,
        pace=Pace(flood.rate),
    )
    return _report(flood.kind, tally)


def _report(kind: str, tally: Tally) -> Report:
    rate = tally.statuses.total() / tally.seconds
    statuses = {str(status): n for status, n in tally.statuses.items()}
    return Report(kind, rate, statuses, tally.percentile(0.99) * 1000)


async def main() -> None:
    """The process."""
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    over = asyncio.Event()
    asyncio.get_running_loop().add_reader(0, over.set)
    reports = await asyncio.gather(*(_run(order.port, flood, over) for flood in order.floods))
    print(msgspec.json.encode(reports).decode(), flush=True)


@dataclass
class Flooding:
    """Floods under way; `reports` is there when they are over."""

    reports: list[Report] = field(default_factory=list)

    def of(self, kind: str) -> Report:
        """The report of one kind."""
        [report] = [r for r in self.reports if r.kind == kind]
        return report


@asynccontextmanager
async def flooding(port: int, *floods: Flood) -> AsyncIterator[Flooding]:
    """These floods, while the block runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loadtests.floods"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    under_way = Flooding()
    try:
        process.stdin.write(msgspec.json.encode(Order(port, list(floods))) + b"\n")
        await process.stdin.drain()
        yield under_way
        process.stdin.close()
        said = await asyncio.wait_for(process.stdout.readline(), 60)
        under_way.reports = msgspec.json.decode(said, type=list[Report])
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


if __name__ == "__main__":
    uvloop.run(main())
