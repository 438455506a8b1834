"""What checkers saw without a network comes to the same, however it is uploaded.

Their phones' uploads interleaved, at once, each in any order, cut into parts anywhere, broken off
while the server reads them, and repeated: over the whole API, on a real database.
"""

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from server.relocation import rules
from tests.relocation.moving import Moving
from tests.support import http
from tests.support.http import Caller

PEOPLE = ("P1", "P2", "P4", "P5")
CHECKERS = (8, 9, 10)
PLACES = ("GATE", "CAMP", "BORDER", "HAVEN")


class Sight(msgspec.Struct, frozen=True):
    """What a checker saw, of a half minute; many are of the same."""

    checker: int
    ref: str
    body: dict[str, Any]
    half: int
    scanned: bool


class Part(msgspec.Struct, frozen=True):
    """An upload of some of what one checker saw; `breaks`: after so many turns of the loop, and
    then it is sent again."""

    checker: int
    sights: list[int]
    breaks: int | None


Uploads = list[list[Part]]  # one after another, those of a list at once


@st.composite
def sights(draw: st.DrawFn) -> Sight:
    stage = draw(st.sampled_from(("at_point", "boarded", "boarded", "arrived", "arrived", "ready")))
    body: dict[str, Any] = {"stage": stage}
    if stage == "boarded" or (stage == "arrived" and draw(st.booleans())):
        body["vehicle"] = draw(st.integers(1, 4))
    elif stage == "at_point":
        body["point"] = draw(st.sampled_from(PLACES))
    who = draw(st.integers(0, len(CHECKERS) - 1)), draw(st.sampled_from(PEOPLE))
    return Sight(*who, body, draw(st.integers(0, 40)), draw(st.booleans()))


@st.composite
def uploads(draw: st.DrawFn, seen: Sequence[Sight]) -> Uploads:
    """One way in which all of it comes in."""
    parts: list[Part] = []
    for checker in range(len(CHECKERS)):
        mine = draw(st.permutations([n for n, s in enumerate(seen) if s.checker == checker]))
        while mine:
            size = draw(st.integers(1, len(mine)))
            parts.append(Part(checker, list(mine[:size]), draw(st.none() | st.integers(0, 40))))
            mine = mine[size:]
    again = draw(st.lists(st.sampled_from(parts), max_size=4))
    rest = list(draw(st.permutations(parts + again)))
    rounds: Uploads = []
    while rest:
        size = draw(st.integers(1, 3))
        rounds.append(rest[:size])
        rest = rest[size:]
    return rounds


@st.composite
def courses(draw: st.DrawFn) -> tuple[list[Sight], Uploads, Uploads]:
    seen = draw(st.lists(sights(), min_size=12, max_size=24))
    return seen, draw(uploads(seen)), draw(uploads(seen))


class Desk:
    """Movements of one operation, a fresh one for each way of uploading the same."""

    def __init__(self, own: Moving) -> None:
        self.own = own
        self.open, self.explained = 0, 0
        self._phones: list[Caller] = []
        self._codes: dict[str, str] = {}

    async def begin(self) -> None:
        """Three phones of checkers-to-be; codes of all who will be seen."""
        self._phones = [await self.own.here.phone(n) for n in CHECKERS]
        for ref in PEOPLE:
            path = f"/v1/people/{ref}/code"
            answer = await self.own.desk.call("POST", path, {"do": "issue"})
            self._codes[ref] = answer.json()["code"]

    async def after(self, seen: Sequence[Sight], rounds: Uploads, moment: datetime) -> Any:
        """Where everybody stands in the end, and what contradicts what."""
        fresh = Moving(self.own.here, self.own.desk)
        self.own.movement, self.own.id = fresh.movement, fresh.id
        await self.own.begin()
        for n in CHECKERS:
            await self.own.ask("PUT", f"/checkers/P{n + 1}")
        first = secrets.randbits(64) << 64  # ids of an order of their own: it parts ties
        bodies = [self._body(n, sight, first, moment) for n, sight in enumerate(seen)]
        for parts in rounds:
            await asyncio.gather(*(self._upload(part, bodies) for part in parts))
        await self.own.exact()
        return await self._end({str(UUID(int=first + n)): n for n in range(len(seen))})

    def _body(self, n: int, sight: Sight, first: int, moment: datetime) -> dict[str, Any]:
        said = self.own.said(sight.ref, **sight.body)
        del said["sent_at"]
        said["at"] = (moment + timedelta(seconds=30 * sight.half)).isoformat()
        code = {"code": self._codes[sight.ref]} if sight.scanned else {}
        return {**said, **code, "id": str(UUID(int=first + n))}

    async def _upload(self, part: Part, bodies: Sequence[dict[str, Any]]) -> None:
        items = {"items": [bodies[n] for n in part.sights]}
        phone = self._phones[part.checker]
        if part.breaks is not None:
            cut = asyncio.create_task(phone.call("POST", "/v1/stage-reports", items))
            for _ in range(part.breaks):
                await asyncio.sleep(0)
            cut.cancel()
            await asyncio.wait([cut])
        answer = await phone.call("POST", "/v1/stage-reports", items)
        assert answer.status_code in (200, 201), answer.text
        assert not [item for item in answer.json()["items"] if "error" in item]

    async def _end(self, numbers: dict[str, int]) -> Any:
        people = (await self.own.ask("GET", "/people"))["items"]
        stands = {
            p["ref"]: [p[k] for k in ("stage", "vehicle_no", "point", "since", "how")]
            for p in people
        }
        rows = (await self.own.ask("GET", "/conflicts"))["items"]
        self.open += sum(1 for r in rows if r["state"] == "open")
        self.explained += sum(1 for r in rows if r["state"] == "explained")
        contradicts = {
            (r["kind"], *(numbers[r[end]["id"]] if r[end] else None for end in ("first", "second")))
            for r in rows
            if r["state"] == "open"
        }
        board = await self.own.ask("GET", "")
        counts = [
            (v["number"], v["boarded"], v["arrived"], v["missing"]) for v in board["vehicles"]
        ]
        cells = {tuple(cell.values()) for cell in board["cells"] if cell["count"]}
        return stands, contradicts, board["counts"], cells, counts


def _any_two_ways(database: str) -> Desk:
    moment = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            here = runner.run(stack.enter_async_context(http.site(database, people=12)))
            desk = Desk(Moving(here, runner.run(here.operator())))
            runner.run(desk.begin())

            @settings(
                max_examples=12,
                phases=[Phase.generate],
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            )
            @given(courses())
            def ends_the_same(course: tuple[list[Sight], Uploads, Uploads]) -> None:
                seen, one, other = course
                first = runner.run(desk.after(seen, one, moment))
                assert runner.run(desk.after(seen, other, moment)) == first

            ends_the_same()
            return desk
        finally:
            runner.run(stack.aclose())


def test_whatever_way_checkers_upload_it_comes_to_the_same(database: str) -> None:
    desk = _any_two_ways(database)
    assert desk.open, "something contradicted something"
    assert desk.explained, "and something only seemed to, until the rest had come"


def test_it_bites(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were each report taken as the newest when it comes, the order would be found to matter."""
    monkeypatch.setattr(rules, "follows", lambda standing, said: True)
    with pytest.raises(AssertionError):
        _any_two_ways(database)
