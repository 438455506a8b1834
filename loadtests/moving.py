"""A movement of a bench operation: planned over HTTP, its people listed, a crowd under way."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

import httpx

from loadtests.blaster import post
from loadtests.harness import Stage
from server.jobs import Runner
from server.relocation import jobs

POINTS = {"GATE": "concentration", "AIRFIELD": "other", "HAVEN": "safe_haven"}
LEGS = {1: ("GATE", "AIRFIELD"), 2: ("AIRFIELD", "HAVEN")}
JOURNEY = ("notified", "ready", "at_point", "boarded", "at_airfield", "flown", "arrived",
           "accommodated")  # fmt: skip
_FRESH = """
    SELECT area_id, agency_id, category, stage, count(*)::int FROM movement_person
    WHERE movement_id = $1 GROUP BY 1, 2, 3, 4
"""
_KEPT = """
    SELECT area_id, agency_id, category, stage, count FROM movement_cell
    WHERE movement_id = $1 AND count > 0
"""


class Movement:
    """One movement and its plan: so many vehicles a leg, numbered one leg after the other."""

    def __init__(self, stage: Stage, desk: str, vehicles: int, seats: int) -> None:
        self.id = uuid4()
        self.vehicles = vehicles
        self._gate = self.key("GATE")
        self._stage, self._seats = stage, seats
        self._client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{stage.port}",
            headers={"authorization": f"Bearer {desk}"},
            timeout=120,
        )

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """The desk's call about it, which must succeed."""
        answer = await self._client.request(method, f"/v1/movements{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    async def begin(self, **whom: Any) -> None:
        """Prepared, its people listed, planned, active."""
        wish = {"id": str(self.id), "kind": "relocation", "reach": "inside", "title": "Bench",
                "authority": "Bench", "exercise": False, **whom}  # fmt: skip
        await self.call("POST", "", wish)
        database = self._stage.database
        runner = Runner(database, jobs.handlers(database))
        while not await runner.turn():
            pass
        for path, body in self._plan():
            await self.call("PUT", f"/{self.id}{path}", body)
        await self.call("POST", f"/{self.id}/activate")

    def _plan(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, kind in POINTS.items():
            yield f"/points/{self.key(name)}", {"kind": kind, "name": name}
        for position, (start, end) in LEGS.items():
            ends = {"from": str(self.key(start)), "to": str(self.key(end))}
            yield f"/legs/{self.key(position)}", {"kind": "road", "position": position, **ends}
        for number in range(1, 2 * self.vehicles + 1):
            leg = self.key(1 if number <= self.vehicles else 2)
            body = {"leg": str(leg), "number": number, "label": "Bus", "seats": self._seats}
            yield f"/vehicles/{self.key(f'vehicle {number}')}", body

    def key(self, name: object) -> UUID:
        """The id of a point, a leg (by position) or `vehicle N`."""
        return uuid5(self.id, str(name))

    def reports(self, crowd: int) -> Callable[[], bytes]:
        """Requests of a crowd's own phones: each is a step further at each turn; who has arrived
        makes room for another."""
        tokens = self._stage.tokens
        under_way = random.sample(range(len(tokens)), crowd)
        fresh = iter(set(range(len(tokens))).difference(under_way))
        steps = Counter[int]()
        turn = 0

        def make() -> bytes:
            nonlocal turn
            place, turn = turn % crowd, turn + 1
            n = under_way[place]
            body = self._step(n, steps[n])
            steps[n] += 1
            if steps[n] == len(JOURNEY):
                under_way[place] = next(fresh)
            return post("/v1/stage-reports", tokens[n], body)

        return make

    def _step(self, n: int, step: int) -> bytes:
        stage, now = JOURNEY[step], datetime.now(UTC).isoformat()
        more = ""
        first = 1 + n % self.vehicles
        if stage == "at_point":
            more = f',"point":"{self._gate}"'
        elif stage in ("boarded", "at_airfield"):
            stage, more = ("boarded" if stage == "boarded" else "arrived"), f',"vehicle":{first}'
        elif stage in ("flown", "arrived"):
            stage = "boarded" if stage == "flown" else "arrived"
            more = f',"vehicle":{self.vehicles + first}'
        said = (
            f'{{"id":"{uuid4()}","movement":"{self.id}","stage":"{stage}","at":"{now}",'
            f'"sent_at":"{now}"{more}}}'
        )
        return said.encode()

    async def check(self) -> None:
        """Its cells are what a fresh count gives, and nobody contradicts herself."""
        database, operation_id = self._stage.database, self._stage.station.operation_id
        kept = {tuple(r) for r in await database.fetch(operation_id, _KEPT, self.id)}
        fresh = {tuple(r) for r in await database.fetch(operation_id, _FRESH, self.id)}
        board = await self.call("GET", f"/{self.id}")
        if kept != fresh or board["conflicts"]:
            raise AssertionError(f"cells differ, or {board['conflicts']} conflicts")

    async def __aenter__(self) -> "Movement":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()
