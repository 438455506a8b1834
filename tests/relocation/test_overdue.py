"""A vehicle that left and is not there in time is told of, once, by the database's clock."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.relocation.plan import overdue
from tests.relocation.moving import Moving, moving

DESK = "SELECT line FROM delivery WHERE channel = 'duty'"


@pytest.fixture
async def own(database: str) -> AsyncIterator[Moving]:
    async with moving(database) as made:
        yield made


def ago(minutes: float) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()


async def leg(own: Moving, departs: float | None, arrives: float | None) -> None:
    """The first leg's times, as minutes ago."""
    times = {
        "departs_at": None if departs is None else ago(departs),
        "arrives_at": None if arrives is None else ago(arrives),
    }
    ends = {"from": str(own.id["GATE"]), "to": str(own.id["BORDER"])}
    await own.put("legs", "FIRST", {"kind": "road", "position": 1, **ends, **times})


async def vehicle(own: Moving) -> Any:
    return next(v for v in (await own.ask("GET", ""))["vehicles"] if v["number"] == 1)


async def told(own: Moving) -> int:
    """How often the timeline says that vehicle 1 is overdue."""
    timeline = (await own.ask("GET", "/report"))["timeline"]
    return sum(f["what"] == "vehicle_overdue" for f in timeline)


async def listed(own: Moving) -> int:
    """How many vehicles the list of movements says are overdue."""
    [movement] = (await own.desk.call("GET", "/v1/movements")).json()["items"]
    return int(movement["overdue"])


async def look(own: Moving) -> bool:
    ids = (own.operation_id, own.movement, own.id["1"])
    return await overdue.look(own.db, *ids, ("!",))


async def test_it_is_told_of_once_and_the_desk_hears_it(own: Moving) -> None:
    await leg(own, 120, 60)
    await own.vehicle(1, state="departed", departed_at=ago(80))
    await own.here.work()
    found = await vehicle(own)
    assert (found["overdue_at"] is not None, await told(own)) == (True, 1), "80 - 60 > 15 min"
    assert await listed(own) == 1
    assert await asyncio.gather(look(own), look(own)) == [False, False]
    await own.vehicle(1, state="departed", label="Red bus")
    await own.here.work()
    assert await told(own) == 1, "another name is no other arrival"
    await own.vehicle(1, state="arrived")
    assert await listed(own) == 0, "it has come"


async def test_two_at_once_tell_the_desk_once(own: Moving) -> None:
    await leg(own, 120, 60)
    await own.vehicle(1, state="departed", departed_at=ago(80))
    assert sorted(await asyncio.gather(look(own), look(own), look(own))) == [False, False, True]
    assert [r["line"] for r in await own.sql(DESK)] == [overdue.DESK_LINE]


@pytest.mark.parametrize(
    ("departs", "arrives", "left", "due"),
    [
        (120, 60, 70, False),  # 10 min late: within the grace
        (120, 60, 30, False),  # it left late, and has as long as was planned
        (None, 60, 30, True),  # how long it takes nobody said
        (60, None, 300, False),  # when it arrives nobody said
    ],
)
async def test_when_it_is_overdue(
    own: Moving, departs: float | None, arrives: float | None, left: float, due: bool
) -> None:
    await leg(own, departs, arrives)
    await own.vehicle(1, state="departed", departed_at=ago(left))
    await own.here.work()
    assert ((await vehicle(own))["overdue_at"] is not None) is due


async def test_new_times_count_from_then_on(own: Moving) -> None:
    await leg(own, 120, 60)
    await own.vehicle(1, state="departed", departed_at=ago(80))
    await own.here.work()
    await leg(own, 120, -60)
    found = await vehicle(own)
    assert found["overdue_at"] is None
    assert datetime.fromisoformat(found["expected_at"]) > datetime.now(UTC)
    await own.here.work()
    assert await told(own) == 1
    await leg(own, 120, 70)
    await own.here.work()
    assert await told(own) == 2, "overdue once more, by other times"


async def test_who_has_arrived_or_never_left_is_not_overdue(own: Moving) -> None:
    await leg(own, 120, 60)
    await own.here.work()
    await own.vehicle(1, state="departed", departed_at=ago(80))
    await own.vehicle(1, state="arrived")
    await own.here.work()
    assert (await told(own), (await vehicle(own))["overdue_at"]) == (0, None)


async def test_a_movement_that_has_ended_tells_of_none(own: Moving) -> None:
    await leg(own, 120, 60)
    await own.vehicle(1, state="departed", departed_at=ago(80))
    await own.ask("POST", "/cancel")
    assert not await look(own)


async def test_nor_does_the_list_once_it_has_ended(own: Moving) -> None:
    await leg(own, 120, 60)
    await own.vehicle(1, state="departed", departed_at=ago(80))
    await own.here.work()
    assert await listed(own) == 1
    await own.ask("POST", "/cancel")
    assert await listed(own) == 0
