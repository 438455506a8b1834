"""A crowd of phones over real HTTP, and a ledger of what they said and what they were told.

A phone of the crowd does what a real one does: it makes an id, says one thing, and says the
same again under the same id until it is told that it is on record.
"""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any
from uuid import uuid4

import aiohttp
import msgspec

from server.auth import digest, new_token
from tests.support.seed import Station

_PHONES = """
    WITH wanted AS (
      SELECT * FROM unnest($1::int[], $2::uuid[], $3::bytea[]) AS u (person_id, device_id, token)),
    devices AS (
      INSERT INTO device (operation_id, device_id, person_id, platform, sms_id5, sms_key)
      SELECT current_operation(), device_id, person_id, 'sim', device_id::text, '' FROM wanted),
    addresses AS (
      INSERT INTO push_address (operation_id, device_id, kind, address)
      SELECT current_operation(), device_id, 'fcm', 'sim:' || device_id FROM wanted)
    INSERT INTO credential (operation_id, token_sha256, kind, device_id)
    SELECT current_operation(), token, 'device', device_id FROM wanted
"""
_OPERATOR = """
    WITH made AS (
      INSERT INTO operator (operation_id, name, role, area_id, person_id)
      VALUES (current_operation(), 'Desk', $1, $2, $3) RETURNING operator_id)
    INSERT INTO credential (operation_id, token_sha256, kind, operator_id)
    SELECT current_operation(), $4, 'operator', operator_id FROM made
"""
WORDS = ("at home", "chez moi", "Дома, всё хорошо", "في البيت", "在家", 'a \\ and {"braces", NULL}')
PAUSE_S = 0.05


@dataclass(frozen=True)
class Phone:
    """A phone and the person it belongs to."""

    ref: str
    token: str
    device_id: str


async def phones(station: Station, count: int) -> list[Phone]:
    """Phones of the first `count` people, each with a push address `sim:<device_id>`."""
    made = [Phone(f"P{n}", new_token(), str(uuid4())) for n in range(1, count + 1)]
    async with station.database.transaction(station.operation_id) as con:
        ids, tokens = [p.device_id for p in made], [digest(p.token) for p in made]
        await con.execute(_PHONES, station.people[:count], ids, tokens)
    return made


async def operator(
    station: Station,
    role: str = "admin",
    *,
    area_id: int | None = None,
    person_id: int | None = None,
) -> str:
    """The token of a new operator."""
    token = new_token()
    async with station.database.transaction(station.operation_id) as con:
        await con.execute(_OPERATOR, role, area_id, person_id, digest(token))
    return token


@dataclass
class Said:
    """One report, who made it, and the answer once there is one."""

    phone: Phone
    body: dict[str, Any]
    answer: dict[str, Any] | None = None


@dataclass
class Ledger:
    """Everything a crowd said. `answers` counts statuses, and `cut` for broken connections."""

    said: dict[str, Said] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    repeats: int = 0

    def new(self, phone: Phone) -> Said:
        """A report that nobody has heard yet."""
        now = datetime.now(UTC) - timedelta(milliseconds=random.randrange(2000))
        body: dict[str, Any] = {
            "id": str(uuid4()),
            "status": random.choice(["safe", "safe", "safe", "away", "need_help"]),
            "at": now.isoformat(timespec="milliseconds"),
            "note": f"{random.choice(WORDS)} {uuid4().hex[:8]}",
        }
        if random.random() < 0.3:
            spot = {"lat": random.uniform(-2, 2), "lon": random.uniform(36, 38), "accuracy": 12.5}
            body["location"] = spot
        said = Said(phone, body)
        self.said[body["id"]] = said
        return said

    def acknowledged(self) -> dict[str, Said]:
        """What the server said is on record."""
        return {key: s for key, s in self.said.items() if s.answer is not None}

    def open(self) -> list[Said]:
        """What nobody has acknowledged: it may be on record or not."""
        return [s for s in self.said.values() if s.answer is None]


class Crowd:
    """Phones that talk to one or several addresses of the same service. `path`: of reports."""

    path = "/v1/checkins"

    def __init__(
        self, urls: Sequence[str], phones: Sequence[Phone], ledger: Ledger | None = None
    ) -> None:
        self.urls = list(urls)
        self.phones = list(phones)
        self.ledger = ledger or Ledger()
        self._turns = itertools.cycle(self.urls)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Crowd":
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=30)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(
        self, method: str, path: str, token: str | None, body: Any = None, url: str | None = None
    ) -> tuple[int, Any]:
        """Status and decoded body of one request. Raises aiohttp.ClientError or TimeoutError."""
        assert self._session is not None
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        data = None
        if body is not None:
            data = msgspec.json.encode(body)
            headers["Content-Type"] = "application/json"
        address = (url or next(self._turns)) + path
        async with self._session.request(method, address, data=data, headers=headers) as answer:
            raw = await answer.read()
        return answer.status, msgspec.json.decode(raw) if raw else None

    async def ok(self, method: str, path: str, token: str, body: Any = None) -> Any:
        """The decoded body of a request that must succeed."""
        status, answer = await self.call(method, path, token, body)
        assert status < 300, (method, path, status, answer)
        return answer

    async def once(self, said: Said) -> bool:
        """Says it once. True when it is acknowledged; a final refusal is a failure of the test."""
        body = {**said.body, "sent_at": datetime.now(UTC).isoformat(timespec="milliseconds")}
        try:
            status, answer = await self.call("POST", self.path, said.phone.token, body)
        except (aiohttp.ClientError, TimeoutError):
            self.ledger.answers["cut"] += 1
            return False
        self.ledger.answers[str(status)] += 1
        if status == 503:
            assert answer["retryable"], answer
            return False
        assert status in (200, 201), (status, answer)
        assert said.answer in (None, answer), "a repeat was answered with something else"
        said.answer = answer
        return True

    async def write(self, phone: Phone, until: asyncio.Event) -> None:
        """Reports again and again; repeats what was not acknowledged under the same id."""
        while not until.is_set():
            said = self.ledger.new(phone)
            while not await self.once(said):
                self.ledger.repeats += 1
                if until.is_set():
                    return
                await asyncio.sleep(PAUSE_S * random.uniform(0.5, 1.5))

    @asynccontextmanager
    async def writing(self, writers: int) -> AsyncIterator[None]:
        """So many phones write while the block runs."""
        until = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for phone in self.phones[:writers]:
                group.create_task(self.write(phone, until))
            try:
                yield
            finally:
                until.set()

    async def until_acknowledged(self, more: int, within_s: float = 60.0) -> None:
        """Waits for so many more acknowledgements."""
        goal = self._count() + more
        await eventually(lambda: self._count() >= goal, within_s)

    async def settle(self, within_s: float = 60.0) -> int:
        """Repeats what is open until all is acknowledged; how many it were."""
        opened = self.ledger.open()

        async def repeat(said: Said) -> None:
            while not await self.once(said):  # noqa: ASYNC110 - the answer is its event
                await asyncio.sleep(PAUSE_S)

        async with asyncio.timeout(within_s):
            await asyncio.gather(*(repeat(said) for said in opened))
        return len(opened)

    def _count(self) -> int:
        return self.ledger.answers["200"] + self.ledger.answers["201"]


async def eventually(true: Callable[[], bool], within_s: float = 60.0) -> None:
    """Waits until something is so. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.01)
