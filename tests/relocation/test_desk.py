"""What a desk needs: when a vehicle left, whose seat is given up, whose papers are unknown."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.relocation.moving import Moving, moving


@pytest.fixture
async def own(database: str) -> AsyncIterator[Moving]:
    async with moving(database, reach="outside") as made:
        yield made


def ago(minutes: float) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()


async def refused(own: Moving, number: int, **more: Any) -> list[str]:
    body = {"leg": str(own.id["FIRST"]), "number": number, "label": "x", "seats": 50, **more}
    answer = await own.desk.call("PUT", f"{own.path}/vehicles/{own.id[str(number)]}", body)
    assert answer.status_code == 422, answer.text
    return [e["path"] for e in answer.json()["errors"]]


def minutes_since(moment: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds() / 60


async def test_a_vehicle_left_when_it_left_not_when_the_desk_heard_of_it(own: Moving) -> None:
    left = (await own.vehicle(1, state="departed", departed_at=ago(30)))["departed_at"]
    assert 30 <= minutes_since(left) < 32
    here = await own.vehicle(1, state="arrived", arrived_at=ago(5))
    assert here["departed_at"] == left, "what is left out stays as it is"
    assert 5 <= minutes_since(here["arrived_at"]) < 7
    corrected = await own.vehicle(1, state="arrived", departed_at=ago(40))
    assert minutes_since(corrected["departed_at"]) >= 40
    assert corrected["arrived_at"] == here["arrived_at"]
    back = await own.vehicle(1)
    assert (back["departed_at"], back["arrived_at"]) == (None, None)


async def test_a_departure_nobody_told_of_is_not_known(own: Moving) -> None:
    found = await own.vehicle(2, state="arrived")
    assert found["departed_at"] is None
    assert minutes_since(found["arrived_at"]) < 2


async def test_times_that_cannot_be_are_refused_at_their_field(own: Moving) -> None:
    assert await refused(own, 1, departed_at=ago(1)) == ["departed_at"]
    assert await refused(own, 1, state="departed", arrived_at=ago(1)) == ["arrived_at"]
    assert await refused(own, 1, state="departed", departed_at=ago(-30)) == ["departed_at"]
    assert await refused(own, 1, state="departed", departed_at="1066-01-01T00:00:00Z") == [
        "departed_at"
    ]
    both = {"departed_at": ago(10), "arrived_at": ago(20)}
    assert await refused(own, 1, state="arrived", **both) == ["arrived_at"]
    await own.vehicle(1, state="arrived", **{**both, "departed_at": ago(30)})
    assert await refused(own, 1, state="arrived", departed_at=ago(10)) == ["departed_at"]


async def test_a_list_shows_who_arrived_by_it_and_whose_seat_is_given_up(own: Moving) -> None:
    one = f"/vehicles/{own.id['1']}/manifest"
    await own.ask("PUT", one, {"people": ["P2", "P4", "P5"]})
    await own.say(
        own.said("P2", "boarded", 600, vehicle=1),
        own.said("P2", "arrived", 300, vehicle=1),
        own.said("P4", "boarded", 600, vehicle=1),
        own.said("P5", "staying", reason="keeps the radio"),
    )

    async def seats() -> dict[str, tuple[bool, bool, str | None]]:
        found = (await own.ask("GET", one))["seats"]
        return {s["person"]["ref"]: (s["aboard"], s["arrived"], s["released"]) for s in found}

    assert await seats() == {
        "P2": (False, True, None), "P4": (True, False, None), "P5": (False, False, "rides_no_more"),
    }  # fmt: skip
    await own.vehicle(1, state="withdrawn")
    assert {why for *_, why in (await seats()).values()} == {"withdrawn"}


async def test_travellers_are_listed_and_those_nobody_spoke_of_apart(own: Moving) -> None:
    about = {"ref": "P4", "papers": True, "expires_on": "2030-01-01", "medical": True}
    await own.ask("PUT", "/travellers", {"items": [about]})
    rows = (await own.ask("GET", "/travellers", params={"limit": 5}))["items"]
    assert len(rows) == 5
    everybody = await own.ask("GET", "/travellers")
    by_ref = {r["person"]["ref"]: r for r in everybody["items"]}
    assert by_ref["P4"] == {
        "person": by_ref["P4"]["person"], "papers": True, "expires_on": "2030-01-01",
        "medical": True,
    }  # fmt: skip
    assert by_ref["P2"]["papers"] is None, "nobody has said: not held, and not missing"
    unsaid = await own.ask("GET", "/travellers", params={"unsaid": "true"})
    assert {r["person"]["ref"] for r in unsaid["items"]} == set(by_ref) - {"P4"}
    found = await own.ask("GET", "/travellers", params={"q": by_ref["P4"]["person"]["name"]})
    assert "P4" in {r["person"]["ref"] for r in found["items"]}
