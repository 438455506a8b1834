"""Any walk through fillings, hands, seals, amendments and failing vehicles keeps what must hold."""

import json
import random
from typing import Any
from uuid import uuid4

import pytest

from tests.relocation.moving import Moving, moving

_OVER = """
    SELECT FROM movement_vehicle v
    JOIN movement_seat s USING (operation_id, movement_id, vehicle_id)
    GROUP BY v.vehicle_id, v.seats HAVING count(*) > v.seats OR max(s.seat) > v.seats
"""
_TORN = """
    SELECT m.household_id FROM movement_seat s
    JOIN movement_person m USING (operation_id, movement_id, person_id)
    WHERE NOT EXISTS (SELECT FROM movement_split x WHERE x.leg_id = s.leg_id
                        AND x.household_id = m.household_id)
    GROUP BY s.leg_id, m.household_id HAVING count(DISTINCT s.vehicle_id) > 1
"""
_SEATS = """
    SELECT s.vehicle_id, s.seat, p.ref FROM movement_seat s
    JOIN person p USING (operation_id, person_id)
"""
_SEALS = "SELECT vehicle_id, list FROM manifest_seal"
_AMENDED = """
    SELECT a.vehicle_id, a.what, a.seat, p.ref FROM manifest_amendment a
    JOIN person p USING (operation_id, person_id) ORDER BY a.at, a.what DESC
"""
STEPS = 45


class Walk:
    """One walk over the first leg's two vehicles, by chance."""

    def __init__(self, own: Moving, chance: random.Random) -> None:
        self.own, self.chance = own, chance
        self.refs: list[str] = []
        self.done = 0
        self.seals: dict[Any, str] = {}

    async def step(self) -> None:
        verb = self.chance.choice(
            [self.fill, self.put, self.put, self.amend, self.vehicle, self.say]
        )
        if self.chance.random() < 0.03:
            verb = self.seal
        answer = await verb()
        assert answer.status_code in (200, 201, 409, 422), answer.text
        self.done += answer.status_code < 300

    def _some(self, most: int) -> list[str]:
        homes = {"P1": ["P1", "F1", "F2"], "P2": ["P2", "F3"]}
        named = self.chance.sample(self.refs, self.chance.randint(0, most))
        whole = [m for ref in named for m in homes.get(ref, [ref])]
        return list(dict.fromkeys(whole if self.chance.random() < 0.7 else named))

    def _path(self) -> str:
        return f"{self.own.path}/vehicles/{self.own.id[self.chance.choice('12')]}/manifest"

    async def fill(self) -> Any:
        wish = {"leg": str(self.own.id["FIRST"]), "apply": True}
        split = {"split": ["P1"]} if self.chance.random() < 0.1 else {}
        return await self.own.desk.call("POST", f"{self.own.path}/fill", {**wish, **split})

    async def put(self) -> Any:
        split = ["P2"] if self.chance.random() < 0.1 else []
        body = {"people": self._some(5), "move": self.chance.random() < 0.5, "split": split}
        return await self.own.desk.call("PUT", self._path(), body)

    async def amend(self) -> Any:
        body = {
            "id": str(uuid4()),
            "reason": "r",
            "put_on": self._some(2),
            "take_off": self._some(2),
        }
        return await self.own.desk.call("POST", f"{self._path()}/amendments", body)

    async def vehicle(self) -> Any:
        number = self.chance.choice((1, 2))
        body = {
            "leg": str(self.own.id["FIRST"]), "number": number, "label": "Bus",
            "seats": self.chance.randint(0, 9),
            "state": self.chance.choice(["planned", "planned", "planned", "withdrawn"]),
        }  # fmt: skip
        path = f"{self.own.path}/vehicles/{self.own.id[str(number)]}"
        return await self.own.desk.call("PUT", path, body)

    async def say(self) -> Any:
        stage, more = self.chance.choice(
            [("ready", {}), ("staying", {"reason": "r"}), ("boarded", {"vehicle": 1})]
        )
        said = self.own.said(self.chance.choice(self.refs), stage, **more)
        return await self.own.desk.call("POST", "/v1/stage-reports", said)

    async def seal(self) -> Any:
        return await self.own.desk.call("POST", f"{self._path()}/seal")

    async def holds(self) -> None:
        """Never over, no household apart unless let, seals as they were, and what sits under one is
        what was sealed and its amendments, one after another."""
        sql = self.own.sql
        assert not await sql(_OVER)
        assert not await sql(_TORN)
        seals = {r["vehicle_id"]: r["list"] for r in await sql(_SEALS)}
        assert self.seals.items() <= seals.items()
        self.seals = seals
        sits: dict[Any, set[tuple[int, str]]] = {
            v: {(s["seat"], s["ref"]) for s in json.loads(text)} for v, text in seals.items()
        }
        for row in await sql(_AMENDED):
            change = sits[row["vehicle_id"]]
            (change.add if row["what"] == "put_on" else change.remove)((row["seat"], row["ref"]))
        now: dict[Any, set[tuple[int, str]]] = {v: set() for v in seals}
        for row in await sql(_SEATS):
            now.setdefault(row["vehicle_id"], set()).add((row["seat"], row["ref"]))
        assert {v: now[v] for v in seals} == sits


@pytest.mark.parametrize("seed", range(4))
async def test_any_walk_keeps_what_must_hold(database: str, seed: int) -> None:
    async with moving(database) as own:
        for n, ref in ((0, "F1"), (0, "F2"), (1, "F3")):
            await own.family(n, ref)
        await own.ask("POST", "/people", {"people": ["F1", "F2", "F3"]})
        walk = Walk(own, random.Random(seed))
        walk.refs = [p["ref"] for p in (await own.ask("GET", "/people"))["items"]]
        for number in (1, 2):
            await own.vehicle(number, seats=6)
        for n in range(STEPS):
            await walk.step()
            await walk.holds()
            if n == STEPS * 2 // 3:
                await own.vehicle(1, seats=9, state="departed")
        assert walk.done > 5
        assert walk.seals
