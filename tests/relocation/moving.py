"""A seeded operation behind the whole API, with hands for a movement of two legs.

GATE, the concentration point, -> BORDER by vehicles 1 and 2 -> HAVEN by vehicles 3 and 4.
"""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

from server.db import Database
from server.relocation import rules
from server.relocation.rules import Conflict, Standing
from server.relocation.store import SQL, all_of_theirs, hold_standings
from tests.support.http import Caller, Site, site

_FAMILY = """
    INSERT INTO person (operation_id, ref, name, category, agency_id, area_id, sponsor_id)
    SELECT operation_id, $2, $2, 'family', agency_id, area_id, person_id FROM person
    WHERE person_id = $1 RETURNING person_id
"""
_FRESH = """
    SELECT area_id, agency_id, category, stage, count(*)::int FROM movement_person
    WHERE movement_id = $1 GROUP BY 1, 2, 3, 4
"""
_KEPT = (
    "SELECT area_id, agency_id, category, stage, count FROM movement_cell WHERE movement_id = $1"
)
_COUNTS = "SELECT thing_id, what, count FROM movement_count WHERE movement_id = $1"
_CONFLICTS = """
    SELECT conflict_id, kind, person_id, vehicle_id, state, excess FROM movement_conflict
    WHERE movement_id = $1
"""
_PEOPLE = "SELECT person_id FROM movement_person WHERE movement_id = $1"
_SEATS = "SELECT vehicle_id, seats FROM movement_vehicle WHERE movement_id = $1"


class Moving:
    """Hands for one operation and one movement in it."""

    def __init__(self, here: Site, desk: Caller) -> None:
        self.here, self.desk = here, desk
        self.people = here.station.people
        self.operation_id = here.station.operation_id
        self.movement = uuid4()
        names = ("GATE", "CAMP", "BORDER", "HAVEN", "FIRST", "SECOND", "1", "2", "3", "4")
        self.id = {name: uuid5(self.movement, name) for name in names}

    @property
    def db(self) -> Database:
        return self.here.api.db

    @property
    def path(self) -> str:
        return f"/v1/movements/{self.movement}"

    async def sql(self, text: str, *args: Any) -> list[Any]:
        """Rows of one statement under the operation."""
        return await self.db.fetch(self.operation_id, text, *args)

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """The desk's call about the movement, which must succeed; the decoded answer."""
        answer = await self.desk.call(method, self.path + path, body, **more)
        assert answer.status_code < 300, (path, answer.status_code, answer.text)
        return answer.json()

    async def family(self, n: int, ref: str) -> int:
        """A family member of person n."""
        [[person_id]] = await self.sql(_FAMILY, self.people[n], ref)
        return int(person_id)

    def wish(self, **more: Any) -> dict[str, Any]:
        """The body that makes the movement."""
        body = {
            "id": str(self.movement), "kind": "relocation", "reach": "inside", "title": "North",
            "authority": "DO", "exercise": False, "origins": ["A1", "A2", "A3"],
        }  # fmt: skip
        return {**body, **more}

    async def begin(self, **more: Any) -> None:
        """The movement with its plan, its people listed."""
        answer = await self.desk.call("POST", "/v1/movements", self.wish(**more))
        assert answer.status_code == 201, answer.text
        await self.here.work()
        await self.plan()

    async def plan(self) -> None:
        """Its points, legs and vehicles."""
        for name, kind in (
            ("GATE", "concentration"), ("CAMP", "concentration"), ("BORDER", "other"),
            ("HAVEN", "safe_haven"),
        ):  # fmt: skip
            await self.put("points", name, {"kind": kind, "name": name})
        ends = {"FIRST": ("GATE", "BORDER"), "SECOND": ("BORDER", "HAVEN")}
        for position, (name, (start, end)) in enumerate(ends.items(), 1):
            leg = {"from": str(self.id[start]), "to": str(self.id[end])}
            await self.put("legs", name, {"kind": "road", "position": position, **leg})
        for number in (1, 2, 3, 4):
            await self.vehicle(number)

    async def put(self, what: str, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """A thing of the plan."""
        return dict(await self.ask("PUT", f"/{what}/{self.id[name]}", body))

    async def vehicle(self, number: int, seats: int = 50, **more: Any) -> dict[str, Any]:
        """A vehicle as it is to be."""
        leg = self.id["FIRST" if number < 3 else "SECOND"]
        body = {"leg": str(leg), "number": number, "label": f"Bus {number}", "seats": seats}
        return await self.put("vehicles", str(number), {**body, **more})

    def said(self, ref: str | None, stage: str, ago_s: float = 0, **more: Any) -> dict[str, Any]:
        """The body of a report, made so long ago by a clock that is right. A point by name."""
        now = datetime.now(UTC)
        body: dict[str, Any] = {
            "id": str(uuid4()), "movement": str(self.movement), "stage": stage,
            "at": (now - timedelta(seconds=ago_s)).isoformat(), "sent_at": now.isoformat(),
        }  # fmt: skip
        if ref is not None:
            body["for"] = ref
        if "point" in more:
            more["point"] = str(self.id[more["point"]])
        return {**body, **more}

    async def say(self, *bodies: dict[str, Any]) -> list[dict[str, Any]]:
        """The desk reports; as answered."""
        answer = await self.desk.call("POST", "/v1/stage-reports", {"items": list(bodies)})
        assert answer.status_code in (200, 201), answer.text
        return list(answer.json()["items"])

    async def stage(self, ref: str) -> str:
        """Where a person stands."""
        rows = (await self.ask("GET", "/people", params={"q": ref}))["items"]
        return str(next(r["stage"] for r in rows if r["ref"] == ref))

    async def exact(self) -> Counter[str]:
        """All that is kept is what the reports alone give. Everybody by stage."""
        return await exact(self.db, self.operation_id, self.movement)


async def exact(db: Database, operation_id: int, movement: UUID) -> Counter[str]:
    """Everybody by stage, after holding standings, cells, counts and conflicts against the fold
    of each person's reports."""
    async with db.transaction(operation_id) as con:
        await con.execute(SQL.hold_out_reports)
        who = [(movement, r[0]) for r in await con.fetch(_PEOPLE, movement)]
        people = await hold_standings(con, who)
        reports = await all_of_theirs(con, who)
        fresh = {tuple(r) for r in await con.fetch(_FRESH, movement)}
        kept = {tuple(r) for r in await con.fetch(_KEPT, movement) if r["count"]}
        counts = {(r[0], r[1]): r[2] for r in await con.fetch(_COUNTS, movement) if r[2]}
        conflicts = await con.fetch(_CONFLICTS, movement)
        seats = dict(await con.fetch(_SEATS, movement))
    folded = {w: rules.fold(said) for w, said in reports.items()}
    kept_of = {w: p.standing for w, p in people.items()}
    assert kept_of == {w: s for w, (s, _) in folded.items()}, "where people stand"
    assert kept == fresh, "cells are a fresh GROUP BY"
    _check_counts([s for s, _ in folded.values()], counts)
    _check_conflicts({w[1]: found for w, (_, found) in folded.items()}, conflicts)
    waiting = {r["person_id"] for r in conflicts if r["state"] == "open"}
    asked = {w[1] for w, (s, _) in folded.items() if s.stage == "in_question"}
    assert asked <= waiting, "who is in question waits for a human"
    for vehicle, most in seats.items():
        _check_overload(counts.get((vehicle, "boarded"), 0) - most, [
            r for r in conflicts if r["vehicle_id"] == vehicle and r["kind"] == "over_capacity"
        ])  # fmt: skip
    stages = Counter(s.stage for s, _ in folded.values())
    assert stages.total() == len(who)
    return stages


def _check_overload(excess: int, rows: list[Any]) -> None:
    """An overload is open exactly while it is more than a human decided of, if any did."""
    decided = max((r["excess"] for r in rows if r["state"] == "resolved"), default=0)
    told = ("open exactly while it is found", excess, rows)
    assert sum(r["state"] == "open" for r in rows) == (excess > decided), told
    assert excess > 0 or decided == 0, "what fits begins anew"


def _check_counts(standings: list[Standing], counts: dict[Any, int]) -> None:
    due: Counter[Any] = Counter()
    for standing in standings:
        due.update(rules.counted(standing))
    assert counts == dict(due), "vehicles and points"


def _check_conflicts(folded: dict[int, tuple[Conflict, ...]], rows: list[Any]) -> None:
    """Every contradiction is open, or was resolved by a human; no other is open."""
    kept = {r["conflict_id"]: r["state"] for r in rows if r["person_id"] is not None}
    found = {c.conflict_id for own in folded.values() for c in own}
    assert found <= kept.keys(), "a conflict was lost"
    for key, state in kept.items():
        is_open = state == "open"
        assert state == "resolved" or is_open == (key in found), "open exactly while it is found"


@asynccontextmanager
async def moving(
    database: str, people: int = 24, code: str = "TEST", **more: Any
) -> AsyncIterator[Moving]:
    """People in four areas of which the first three move, with a movement and its plan."""
    async with site(database, people=people, code=code) as here:
        own = Moving(here, await here.operator())
        await own.begin(**more)
        yield own
