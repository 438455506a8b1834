"""Promise 11: a panic is never rate-limited away.

One phone presses a thousand times, and somebody guesses sign-in tokens without end: every press is
taken, they are one panic, and another person's is on record and on the stream meanwhile.
"""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import msgspec
import pytest

from server.alerts.panics import store
from server.alerts.panics.press import Press
from server.alerts.panics.pressing import Caller, press
from server.db import Database
from server.errors import Unavailable
from tests.promises.console import Parser
from tests.promises.crowd import operator, phones
from tests.promises.places import seeded, serving

PRESSES = 1000
LINES = 60  # connections of the phone that is pressed
GUESSERS = 8


class Flood:
    """A phone that presses and presses."""

    def __init__(self, client: httpx.AsyncClient, token: str) -> None:
        self.answers: Counter[int] = Counter()
        self.panics: set[str] = set()
        self._client = client
        self._token = token
        self._left = PRESSES

    async def line(self) -> None:
        while self._left:
            self._left -= 1
            answer = await pressed(self._client, self._token)
            self.answers[answer.status_code] += 1
            self.panics.add(answer.json().get("panic_id", answer.text))


async def pressed(client: httpx.AsyncClient, token: str) -> httpx.Response:
    body = {"id": str(uuid4()), "at": datetime.now(UTC).isoformat()}
    headers = {"authorization": f"Bearer {token}"}
    return await client.post("/v1/panics", json=body, headers=headers)


async def guess(client: httpx.AsyncClient, done: asyncio.Event, answers: Counter[int]) -> None:
    while not done.is_set():
        answer = await client.post("/v1/sessions", json={"token": uuid4().hex})
        answers[answer.status_code] += 1


async def until_shown(client: httpx.AsyncClient, token: str, wanted: set[str]) -> list[str]:
    """The panics a console is told of, in order, until it has been told of all these persons'."""
    told: list[str] = []
    parser, headers = Parser(), {"authorization": f"Bearer {token}"}
    async with client.stream("GET", "/v1/stream?after=0", headers=headers) as stream:
        async for piece in stream.aiter_bytes():
            told += [m.data["panic"]["person"]["ref"] for m in parser.push(piece)
                     if m.event == "panic"]  # fmt: skip
            if wanted <= set(told):
                break
    return told


async def test_a_flood_takes_nobodys_turn(database: str) -> None:
    async with seeded(database, 40) as place, serving(database) as server:
        hers, his = await phones(place, 2)
        desk = await operator(place)
        limits = httpx.Limits(max_connections=None)
        async with (
            asyncio.timeout(180),
            httpx.AsyncClient(base_url=server.url, timeout=60, limits=limits) as client,
        ):
            flood, done, guesses = Flood(client, his.token), asyncio.Event(), Counter[int]()
            shown = asyncio.create_task(until_shown(client, desk, {hers.ref, his.ref}))
            guessing = [asyncio.create_task(guess(client, done, guesses)) for _ in range(GUESSERS)]
            lines = [asyncio.create_task(flood.line()) for _ in range(LINES)]
            while flood.answers.total() < PRESSES // 5:  # noqa: ASYNC110 - it counts requests
                await asyncio.sleep(0.01)
            answer = await pressed(client, hers.token)
            meanwhile = flood.answers.total()
            told = await shown
            await asyncio.gather(*lines)
            done.set()
            await asyncio.gather(*guessing)
        assert answer.status_code == 201
        assert meanwhile < PRESSES, "hers waited until the flood was over"
        assert flood.answers == {201: 1, 200: PRESSES - 1}
        assert len(flood.panics) == 1
        assert set(told) == {hers.ref, his.ref}
        assert 429 in guesses, "the guessing was stopped"
        rows = await place.database.fetch(
            place.operation_id, "SELECT state, presses FROM panic ORDER BY presses"
        )
        assert [tuple(r) for r in rows] == [("open", 1), ("open", PRESSES)]
        count = await place.database.fetch(
            place.operation_id, "SELECT count(*) FROM event WHERE kind = 'panic'"
        )
        assert count[0][0] < PRESSES // 10, "nor does the flood fill the stream"


async def _take_all(held: AsyncExitStack, database: Database, lane: str) -> None:
    """Raises Unavailable when there is none left."""
    while True:
        await held.enter_async_context(database.connection(lane))


async def test_a_press_needs_no_connection_of_the_rest(database: str) -> None:
    """Every connection of everything else is taken, and stays so."""
    async with seeded(database, 2) as place, AsyncExitStack() as held:
        for lane in ("main", "report"):
            with pytest.raises(Unavailable):
                await _take_all(held, place.database, lane)
        caller = Caller(place.people[0], "device:1", "desk")
        one = [Press(press_id=uuid4())]
        [done] = await press(place.database, place.operation_id, caller, one, ())
        assert done.state == "open"


async def test_without_merging_the_flood_would_be_refused(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mechanism taken away: a press does not look for the one that is open."""
    async with seeded(database, 2) as place:
        caller = Caller(place.people[0], "operator:1", "desk")

        async def once() -> Any:
            one = [Press(press_id=UUID(int=uuid4().int))]
            return await press(place.database, place.operation_id, caller, one, ())

        await once()
        assert (await once())[0].merged
        begin = store.begin

        async def blind(*args: Any) -> store.Begun:
            return msgspec.structs.replace(await begin(*args), live=None)

        monkeypatch.setattr(store, "begin", blind)
        with pytest.raises(asyncpg.UniqueViolationError):
            await once()
